// The personality on the host: its kernel is made of pthreads and futexes, Linux memory is the
// test's own, and a "program" is a C function that makes system calls.
// Rules:
// - what a call gets as Linux memory must be a global or from malloc: the stack lies too high;
// - a program never returns: it ends with exit.
#pragma once

#include "linux/process.h"
#include "linux/thread.h"

typedef void (*fake_program)(struct thread *thread);

// Prepares the personality with this image mounted, and makes the first process on the calling
// thread.
struct thread *fake_boot(const void *image, u64 image_size);

// What channels give from now on, until it is read; then they are at their end.
void fake_stream(const void *bytes, usize size);
// More may come behind them; set before there is anybody who reads.
extern bool fake_stream_is_open;
// What is written to any stream comes here, until there is no room: then the reader is gone (-EPIPE),
// or does not read (-EAGAIN). Without it they take everything.
void fake_stream_take(void *bytes, usize room, int when_full);
usize fake_stream_taken(void);

// While it is set, nothing can be allocated. By the only thread that runs.
extern bool fake_heap_is_empty;

// How often the event thread has gone to wait; atomic.
extern u32 fake_port_waits;

// One system call, as by the instruction: registers in, result out. Signals are not delivered.
i64 fake_call(struct thread *thread, u64 number, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);

// Forks; the child runs `program`. Returns the child's pid or the error.
i64 fake_fork(struct thread *thread, fake_program program);

#define CALL0(thread, number) fake_call(thread, number, 0, 0, 0, 0, 0, 0)
#define CALL1(thread, number, a) fake_call(thread, number, (u64)(a), 0, 0, 0, 0, 0)
#define CALL2(thread, number, a, b) fake_call(thread, number, (u64)(a), (u64)(b), 0, 0, 0, 0)
#define CALL3(thread, number, a, b, c) \
    fake_call(thread, number, (u64)(a), (u64)(b), (u64)(c), 0, 0, 0)
#define CALL4(thread, number, a, b, c, d) \
    fake_call(thread, number, (u64)(a), (u64)(b), (u64)(c), (u64)(d), 0, 0)
#define CALL5(thread, number, a, b, c, d, e) \
    fake_call(thread, number, (u64)(a), (u64)(b), (u64)(c), (u64)(d), (u64)(e), 0)
