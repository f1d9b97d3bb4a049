// Linux processes: the tree, and what a process consists of. Each part is counted by itself, since
// clone can share it.
// Rules:
// - tasks.lock guards the tree, states, groups and everything about signals; a process that is in
//   tasks.processes is alive or waited for;
// - a process is freed by who waits for it, or at its end when nobody will;
// - the first process has no parent; its end is the container's end.
#pragma once

#include "abi/types.h"
#include "lib/list.h"
#include "lib/mutex.h"
#include "linux/abi.h"
#include "linux/limits.h"
#include "linux/vfs.h"
#include "linux/waiting.h"

struct credentials;
struct descriptors;
struct regions;

// Root, working directory and file creation mask.
struct fs_context {
    u32 references;
    struct mutex lock;
    // under lock:
    struct path root GUARDED_BY(&lock);
    struct path cwd GUARDED_BY(&lock);
    u32 umask GUARDED_BY(&lock);
};

// A Linux address space.
struct memory {
    u32 references;
    handle_t aspace;
    struct mutex lock;
    // under lock:
    u64 break_start GUARDED_BY(&lock);
    u64 break_end GUARDED_BY(&lock);
    struct regions *regions GUARDED_BY(&lock);
    // set by exec, then constant:
    u64 map_hint; // where mappings without an address are put: at or above
    u64 stack_top;
};

struct signal_actions {
    u32 references;
    struct linux_sigaction actions[SIGNALS_MAX]; // under tasks.lock
};

enum { PROCESS_NAME_BYTES = 16 }; // with the final zero

// What a process runs: its file, and the strings of its execve: `argc` arguments, then `envc`
// variables, each with its final zero. Shared by fork; constant.
struct program {
    u32 references;
    u32 argc;
    u32 envc;
    u32 arguments_size; // bytes of the arguments alone
    u32 size;
    u32 capacity;
    char *text;                    // heap
    char name[PROCESS_NAME_BYTES]; // of the file that execve was given: a script's, not its shell's
    struct file *file;             // which nobody writes to meanwhile
};

// Where the parent of a vfork waits. Counted by both.
struct vfork {
    u32 references;
    u32 is_over; // atomic
    struct waitqueue done;
};

enum process_state {
    PROCESS_RUNNING,
    PROCESS_STOPPED,
    PROCESS_ZOMBIE,
};

enum : u32 { LAUNCH_ID_JOB = ~0U }; // of a process without a program

struct process {
    i32 pid;
    struct memory *memory;
    struct descriptors *descriptors;
    struct fs_context *fs;
    struct waitqueue children_changed;
    struct process_timers *timers;   // NULL: none was ever set
    struct vfork *vfork;             // NULL: nobody waits
    struct program *program;         // replaced under tasks.lock
    struct credentials *credentials; // counted; replaced under tasks.lock
    char name[PROCESS_NAME_BYTES];
    u64 start_ns;
    struct launch *launch;     // of a process that is about to start for the manager
    u32 launch_id;             // of one without a parent: which request started it
    struct terminal *terminal; // of one that was started with one; NULL
    // set by the process itself, with prctl:
    bool has_no_new_privileges; // inherited
    u32 persona;                // inherited; as personality sets it
    i32 exit_signal;            // what the parent gets at the end; 0: nothing

    // under tasks.lock:
    enum process_state state;
    i32 wait_status; // as wait4 reports it
    u32 wait_events; // WUNTRACED, WCONTINUED: a change not reported yet
    bool has_execed;
    // Its files in /proc are root's, and others of its user don't look into it: prctl says so, a change of
    // who it is, or a program that could not be read. Until the next execve.
    bool is_undumpable;
    bool is_subreaper; // orphans below it become its children
    i32 death_signal;  // what it gets when its parent ends; 0: nothing
    struct linux_rlimit limits[RLIMITS];
    i32 nice;
    u64 affinity;    // a bit for each processor, as sched_setaffinity has it; 0: all
    u16 io_priority; // as ioprio_set has it
    i32 group;
    i32 session;
    struct process *parent;
    struct list children;
    struct list sibling;
    struct list all;
    struct list threads;
    struct signal_actions *actions; // NULL: all are the default
    u64 pending;                    // signals to the process as a whole
    struct list queued;             // what is known of them, struct queued_signal
    u64 cpu_ns;                     // of ended threads
    u64 children_cpu_ns;
};

struct tasks {
    struct mutex lock;
    // under lock:
    struct list processes;
    i32 next_pid;
    u32 count;
    u32 limit;                       // of the count; 0: none
    struct linux_rlimit files_limit; // what a process without a parent begins with
    u32 signals_queued;              // of all processes
    bool is_ending;                  // the first process ends or has ended: no program is launched
};
extern struct tasks tasks;

// Makes a process with a new pid, in the tree below `parent`; nothing of it is shared or copied
// but the actions of signals. NULL: no memory, or there are enough.
struct process *process_alloc(struct process *parent);
// Whether the container has as many as it may; zombies count until they are waited for, as on Linux.
bool processes_are_enough(void) EXCLUDES(&tasks.lock);
// Takes it out of the tree and frees what is left of it.
void process_free_locked(struct process *process) REQUIRES(&tasks.lock);
struct process *process_find_locked(i32 pid) REQUIRES(&tasks.lock);
// The processors that it may run on, a bit each.
u64 process_affinity_locked(const struct process *process) REQUIRES(&tasks.lock);
// Gives up memory, files and directories: the process holds nothing afterwards.
void process_release(struct process *process);
void process_vfork_done(struct process *process);
void vfork_put(struct vfork *vfork);

struct fs_context *fs_context_create(struct path root);
struct fs_context *fs_context_copy(struct fs_context *source);
struct fs_context *fs_context_get(struct fs_context *context);
void fs_context_put(struct fs_context *context);
void fs_context_set_root(struct fs_context *context, struct path root);
struct path fs_context_root(struct fs_context *context);
struct path fs_context_cwd(struct fs_context *context);
void fs_context_set_cwd(struct fs_context *context, struct path cwd);

struct memory *memory_create(void);
struct memory *memory_fork(struct memory *source);
struct memory *memory_get(struct memory *memory);
void memory_put(struct memory *memory);

struct program *program_create(void);
struct program *program_get(struct program *program);
void program_put(struct program *program);
// What it runs. -ETXTBSY when somebody writes to it.
int program_set_file(struct program *program, struct path path);
// Makes room for `size` more bytes; -E2BIG when that is too many.
int program_reserve(struct program *program, usize size);
// Appends one string; -E2BIG when there are too many bytes.
int program_add(struct program *program, const char *text, usize size);

// Loads the file at `path` into the calling thread's process. Consumes the program, whose strings
// are set. 0, or a negative error with the old program unharmed; when it fails beyond that point
// the process is killed.
int exec_program(struct thread *thread, i32 directory, const char *path, struct program *program);

// Ends the calling process with this wait status.
[[noreturn]] void process_end(struct thread *thread, i32 wait_status);

u32 fs_context_umask(struct fs_context *context);
