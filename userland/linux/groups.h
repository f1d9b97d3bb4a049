// Process groups and sessions: job control's view of the processes.
// Rules:
// - a group or session is a number that processes carry; it exists while one of them does;
// - zombies count as members until they are waited for, but get no signals.
#pragma once

#include "linux/process.h"
#include "linux/signal.h"

// Sends to every member; how many there are.
u32 signal_send_group_locked(i32 group, const struct queued_signal *signal) REQUIRES(&tasks.lock);
bool group_exists_locked(i32 group, i32 session) REQUIRES(&tasks.lock);
// Whether nobody outside the group, but in its session, has a child in it: then nobody could
// continue it, and its members don't stop for a terminal's sake.
bool group_is_orphaned_locked(i32 group) REQUIRES(&tasks.lock);

// `process` has lost `parent`, or is itself (`leaving`) about to be gone. Where that orphans its
// group, and the group has stopped members, they are hung up and continued.
void group_lose_locked(struct process *process, const struct process *parent,
                       const struct process *leaving) REQUIRES(&tasks.lock);
