// The personality's side of being a container: its start message and its end.
#pragma once

#include "abi/types.h"
#include "lib/types.h"

#include "linux/process.h"

struct thread;

// Takes the start message from the bootstrap channel, sets the container up and starts the first
// process, whose thread is the calling one: `thread` runs Linux code next. Ends the personality
// with a report when that can't be.
void container_start(struct thread *thread, handle_t bootstrap);

// The first process ends, with this wait status: ends all others and reports it. The personality
// ends too, unless it is to be kept.
[[noreturn]] void container_exit(struct thread *thread, i32 wait_status) EXCLUDES(&tasks.lock);

// A process without a parent ends; container_launched_report is to follow, without the lock, as the
// manager may be behind. The container's end waits for it.
void container_launched_ended_locked(void) REQUIRES(&tasks.lock);
void container_launched_report(u32 launch_id, i32 wait_status) EXCLUDES(&tasks.lock);
// There are fewer processes: who ends the container looks again.
void container_others_fewer_locked(void) REQUIRES(&tasks.lock);

// What a request has come to: 0 or 1, with a line.
void container_done(u32 id, i32 status, const char *line);

// What its memory is limited to and what is left of that, in bytes.
void container_memory(u64 *total_bytes, u64 *free_bytes);
