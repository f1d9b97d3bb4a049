// The personality's side of being a container: its start message and its end.
#pragma once

#include "abi/types.h"
#include "lib/types.h"

struct process;
struct thread;

// Takes the start message from the bootstrap channel, sets the container up and starts the first
// process, whose thread is the calling one: `thread` runs Linux code next. Ends the personality
// with a report when that can't be.
void container_start(struct thread *thread, handle_t bootstrap);

// Reports the first process's wait status, and ends the personality with all its threads.
[[noreturn]] void container_exit(i32 wait_status);

// What its memory is limited to and what is left of that, in bytes.
void container_memory(u64 *total_bytes, u64 *free_bytes);
