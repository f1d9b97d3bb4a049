// Terminals and sessions: controlling terminals, foreground groups, job control.
// Rules: who controls what is guarded by tasks.lock; a session has one controlling terminal at
// most, and a terminal controls one session at most.
#pragma once

#include "linux/process.h"
#include "linux/tty/terminal.h"

// The controlling terminal of a session, or NULL; not counted.
struct terminal *terminal_of_session_locked(i32 session) REQUIRES(&tasks.lock);
// The same for the caller's session, counted.
struct terminal *terminal_controlling(struct thread *thread);

// Sends to the foreground group, from the kernel.
void terminal_signal(struct terminal *terminal, i32 signal) EXCLUDES(&tasks.lock);

// Whether the caller may use its controlling terminal now: 0; -ERESTARTSYS when its group was sent
// SIGTTIN or SIGTTOU instead; -EIO when that would not help.
int terminal_job_check(struct thread *thread, struct terminal *terminal, i32 signal)
    EXCLUDES(&tasks.lock);

// A session leader without a controlling terminal gets one by opening it.
void terminal_adopt(struct thread *thread, struct terminal *terminal, u32 open_flags)
    EXCLUDES(&tasks.lock);

void session_hang_up_locked(struct terminal *terminal) REQUIRES(&tasks.lock);
// The session's leader ends.
void terminal_session_end_locked(i32 session) REQUIRES(&tasks.lock);

// TIOCSCTTY, TIOCNOTTY, TIOCGPGRP, TIOCSPGRP, TIOCGSID.
i64 session_ioctl(struct thread *thread, struct terminal *terminal, u32 request,
                  linux_ptr argument);
bool session_has_request(u32 request);
