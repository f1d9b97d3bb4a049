// Programs that the manager asks for: the container's first process, and those of EXEC
// (lib/container_protocol.h).
// Rules:
// - a process that is launched has no parent; its end is told to the manager;
// - a launch owns its records and their handles.
#pragma once

#include "lib/records.h"
#include "linux/process.h"
#include "linux/users.h"

struct thread;

// What a process can do instead of running a program: a negative error and a text of up to
// ARCHIVE_PROBLEM_MAX bytes, or 0. The channel is consumed.
typedef int launch_job(struct thread *thread, const char *path, const char *name, handle_t channel,
                       char *problem);

struct launch {
    u32 id;          // of the request; 0: the first process
    launch_job *job; // NULL: a program; else with the records nPATH, nNAME and hdata; reports DONE
    char *buffer;
    struct records records;
    char home[USER_HOME_MAX + 1]; // of the user that was asked for
};

// From a heap block; its handles are closed with it.
struct launch *launch_create(void);
void launch_free(struct launch *launch);

// Makes a process, whose one thread is `thread`; it has descriptors and directories, nothing else.
// NULL: no memory.
struct process *launch_process(struct thread *thread);

// In the thread of such a process: opens its streams, sets its directory, loads its program. Frees
// the launch. What can't be done is said on its stderr, and the process is ended: 126 or 127.
void launch_run(struct thread *thread, struct launch *launch);

// What such a process had beside others': its terminal.
void launch_end(struct process *process) EXCLUDES(&tasks.lock);

// Starts a process in a thread of its own. Frees the launch. 0, or a negative Linux error; -ESRCH: a
// program, and the container is at its end.
int launch_start(struct launch *launch);
