// Between sched/sched.c and sched/waitq.c.
#ifndef SCHED_SCHED_INTERNAL_H
#define SCHED_SCHED_INTERNAL_H

struct thread;

// The current thread has published its wait: runs others until it is claimed and its turn comes.
// `next`, claimed by the caller, gets this CPU at once.
void sched_block(struct thread *next);

#endif
