// From the records of a request to a running program: streams, working directory, strings, and the
// search for it in PATH.
#include "linux/launch.h"

#include "lib/format.h"
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/archive/archive.h"
#include "linux/container.h"
#include "linux/credentials.h"
#include "linux/descriptors.h"
#include "linux/fs/stream.h"
#include "linux/kernel_if.h"
#include "linux/process.h"
#include "linux/report.h"
#include "linux/system.h"
#include "linux/thread.h"
#include "linux/tty/console.h"
#include "linux/walk.h"

enum { STATUS_NOT_EXECUTABLE = 126, STATUS_NOT_FOUND = 127, LINE_BYTES_MAX = 300 };

static const char default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
static const char default_term[] = "TERM=xterm"; // of a program that gets a terminal

struct launch *launch_create(void) {
    struct launch *launch = heap_alloc_zero(sizeof(*launch));
    return launch;
}

void launch_free(struct launch *launch) {
    for (u32 i = 0; i < launch->records.handles_count; i++) {
        if (launch->records.handles[i]) kernel_close(launch->records.handles[i]);
    }
    heap_free(launch->buffer);
    heap_free(launch);
}

struct process *launch_process(struct thread *thread) {
    struct process *process = process_alloc(NULL);
    if (!process) return NULL;
    thread->process = process;
    thread->tid = process->pid;
    process->descriptors = descriptors_create();
    process->fs = fs_context_create(system_root());
    mutex_lock(&tasks.lock);
    list_insert_tail(&process->threads, &thread->in_process);
    mutex_unlock(&tasks.lock);
    return process;
}

// The process is over before its program has begun.
[[noreturn]] static void launch_fail(struct thread *thread, const char *name, const char *reason,
                                     i32 status) {
    char line[LINE_BYTES_MAX];
    usize size = format_text(line, sizeof(line), "%.200s: %s\n", name, reason);
    struct file *file = thread->process->descriptors ? descriptor_get(thread, 2) : NULL;
    if (file) {
        file_write(thread, file, line, min(size, sizeof(line) - 1), 0);
        file_put(file);
    }
    process_end(thread, status << 8);
}

[[noreturn]] static void program_fail(struct thread *thread, const char *name, int error) {
    bool is_missing = error == -ENOENT || error == -ENOTDIR;
    const char *reason = is_missing          ? "not found"
                         : error == -EACCES  ? "permission denied"
                         : error == -ENOEXEC ? "can't be executed: no program for this machine"
                         : error == -E2BIG   ? "its arguments are too long"
                                             : "can't be started";
    launch_fail(thread, name, reason, is_missing ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE);
}

static int null_open(struct thread *thread, u32 flags, struct file **out) {
    struct path null;
    int result = system_device("null", &null);
    if (result == 0) {
        result = file_open_path(thread, null, flags, out);
        path_put(null);
    }
    return result;
}

// The program's three descriptors are one terminal; its errors have no channel of their own.
static int terminal_start(struct thread *thread, struct launch *launch, const char *size) {
    struct console_channels channels = {
        .input = records_take(&launch->records, "stdin"),
        .output = records_take(&launch->records, "stdout"),
    };
    struct terminal *terminal;
    struct file *file;
    int result = console_create(&channels, size, &terminal);
    if (result != 0) return result;
    thread->process->terminal = terminal;
    if (launch->id == 0) console_set_first(terminal);
    result = console_open(thread, terminal, &file);
    for (i32 i = 0; i <= 2 && result >= 0; i++) {
        result = descriptor_install(thread, i == 0 ? file : file_get(file), 0, i);
    }
    return min(result, 0);
}

// The container's output is a stream whether or not somebody is there, for the log; its input is one
// if somebody is, or may come.
static int stream_open(struct thread *thread, struct launch *launch, u32 number) {
    static const char *const names[] = {"stdin", "stdout", "stderr"};
    struct file *file;
    bool is_container = launch->id == 0;
    bool may_come = number > 0 || records_value(&launch->records, 'o', "stdin");
    struct stream_options options = {
        .channel = records_take(&launch->records, names[number]),
        .kind = is_container ? STREAM_CONTAINER : STREAM_ONCE,
        .log = is_container ? number : 0, // enum log_stream
    };
    bool is_stream = options.channel || (is_container && may_come);
    int result = is_stream ? stream_create(&options, number == 0 ? O_RDONLY : O_WRONLY, &file)
                           : null_open(thread, O_RDWR, &file);
    if (result != 0) return result;
    if (is_stream && is_container) stream_set_standard(number, file);
    return min(descriptor_install(thread, file, 0, (i32)number), 0);
}

static int streams_open(struct thread *thread, struct launch *launch) {
    const char *terminal_size = records_value(&launch->records, 'o', "tty");
    if (terminal_size) return terminal_start(thread, launch, terminal_size);
    int result = 0;
    for (u32 i = 0; i < 3 && result == 0; i++)
        result = stream_open(thread, launch, i);
    return result;
}

static int variable_add(struct program *program, const char *text) {
    program->envc++;
    return program_add(program, text, strlen(text));
}

// The variables, and those that are set for a program that does not have them.
static int environment_fill(struct program *program, const struct launch *launch) {
    const struct records *records = &launch->records;
    char home[sizeof("HOME=") + USER_HOME_MAX];
    int result = 0;
    const char *text = NULL;
    if (records_value(records, 'o', "tty") && !records_value(records, 'e', "TERM"))
        result = variable_add(program, default_term);
    if (result == 0 && launch->home[0] && !records_value(records, 'e', "HOME")) {
        format_text(home, sizeof(home), "HOME=%s", launch->home);
        result = variable_add(program, home);
    }
    while (result == 0 && (text = records_next(records, 'e', text)))
        result = variable_add(program, text);
    return result;
}

static int program_fill(struct program *program, const struct launch *launch) {
    int result = 0;
    const char *text = NULL;
    while (result == 0 && (text = records_next(&launch->records, 'a', text))) {
        result = program_add(program, text, strlen(text));
        program->argc++;
    }
    program->arguments_size = program->size;
    if (result == 0) result = environment_fill(program, launch);
    return result == 0 && program->argc == 0 ? -EINVAL : result;
}

static int path_try(struct thread *thread, const char *path, struct program *program) {
    return exec_program(thread, AT_FDCWD, path, program_get(program));
}

// Tries each directory of PATH. What is there but can't run is told only if nothing else is found.
static int program_search(struct thread *thread, const char *search, const char *name,
                          struct program *program) {
    char path[512];
    int problem = -ENOENT;
    while (*search && *name) {
        const char *end = strchr(search, ':');
        usize size = end ? (usize)(end - search) : strlen(search);
        usize length = format_text(path, sizeof(path), "%.*s/%s", (int)size, search, name);
        int result = length < sizeof(path) ? path_try(thread, path, program) : -ENOENT;
        if (result == 0) {
            return 0;
        }
        if (result != -ENOENT && result != -ENOTDIR) {
            problem = result;
        }
        search += size + (end != NULL);
    }
    return problem;
}

static void program_load(struct thread *thread, const struct launch *launch) {
    const struct records *records = &launch->records;
    const char *name = records_next(records, 'a', NULL);
    const char *search = records_value(records, 'e', "PATH");
    struct program *program = program_create();
    int result = program ? program_fill(program, launch) : -ENOMEM;
    if (result == 0)
        result = strchr(name, '/')
                     ? path_try(thread, name, program)
                     : program_search(thread, search ? search : default_path, name, program);
    program_put(program);
    if (result != 0) program_fail(thread, name ? name : "", result);
}

void launch_end(struct process *process) {
    mutex_lock(&tasks.lock);
    struct terminal *terminal = process->terminal;
    process->terminal = NULL;
    mutex_unlock(&tasks.lock);
    if (terminal) console_end(terminal);
}

// Becomes a user, with his directory as HOME where nothing else was said.
static void user_set(struct thread *thread, struct launch *launch, const char *text) {
    struct user *user = heap_alloc(sizeof(*user));
    int result = user ? user_find(thread, text, user) : -ENOMEM;
    struct credentials *credentials =
        result == 0 ? credentials_of_user(user->uid, user->gid, user->groups, user->groups_count)
                    : NULL;
    if (credentials) memcpy(launch->home, user->home, sizeof(launch->home));
    heap_free(user);
    if (!credentials)
        launch_fail(thread, text, result == -ENOENT ? "no such user or group" : "can't be the user",
                    STATUS_NOT_EXECUTABLE);
    credentials_set(thread->process, credentials);
}

static void directory_set(struct thread *thread, const char *path) {
    struct path directory;
    int result = path_resolve_text(thread, path, &directory);
    if (result == 0 && !vnode_is_directory(directory.vnode)) {
        path_put(directory);
        result = -ENOTDIR;
    }
    if (result != 0)
        launch_fail(thread, path, "can't be the working directory", STATUS_NOT_EXECUTABLE);
    fs_context_set_cwd(thread->process->fs, directory);
    path_put(directory);
}

void launch_run(struct thread *thread, struct launch *launch) {
    const char *cwd = records_value(&launch->records, 'o', "cwd");
    const char *user = records_value(&launch->records, 'o', "user");
    if (streams_open(thread, launch) != 0)
        launch_fail(thread, "the standard streams", "can't be opened", STATUS_NOT_EXECUTABLE);
    if (cwd) directory_set(thread, cwd);
    if (user) user_set(thread, launch, user);
    program_load(thread, launch);
    launch_free(launch);
}

[[noreturn]] static void job_run(struct thread *thread, struct launch *launch) {
    char problem[ARCHIVE_PROBLEM_MAX] = {};
    const char *path = records_next(&launch->records, 'n', NULL);
    const char *name = path ? records_next(&launch->records, 'n', path) : NULL;
    handle_t data = records_take(&launch->records, "data");
    int result = launch->job(thread, path ? path : "", name ? name : ".", data, problem);
    container_done(launch->id, result != 0, problem);
    launch_free(launch);
    process_end(thread, 0);
}

[[noreturn]] static void launch_main(void *argument) {
    struct thread *thread = argument;
    struct launch *launch = thread->process->launch;
    thread->process->launch = NULL;
    if (launch->job) job_run(thread, launch);
    launch_run(thread, launch);
    thread_loop(thread);
}

static void process_abandon(struct process *process) {
    process_release(process);
    mutex_lock(&tasks.lock);
    process_free_locked(process);
    container_others_fewer_locked();
    mutex_unlock(&tasks.lock);
}

// The end of the container has either found the process, or is seen here.
static int thread_launch_locked(struct thread *thread) REQUIRES(&tasks.lock) {
    const struct process *process = thread->process;
    if (tasks.is_ending && !process->launch->job) return -ESRCH;
    __atomic_store_n(&thread->attention, process->pending != 0, __ATOMIC_RELEASE);
    return kernel_thread_start(launch_main, thread_stack_top(thread), thread, &thread->handle);
}

int launch_start(struct launch *launch) {
    struct thread *thread = thread_alloc();
    struct process *process = thread ? launch_process(thread) : NULL;
    int result = process && process->descriptors && process->fs ? 0 : -ENOMEM;
    if (process) {
        process->launch = launch;
        process->launch_id = launch->job ? LAUNCH_ID_JOB : launch->id;
        if (launch->job) memcpy(process->name, "cp", sizeof("cp"));
    }
    mutex_lock(&tasks.lock);
    if (result == 0) result = thread_launch_locked(thread);
    if (result != 0 && process) list_remove(&thread->in_process);
    mutex_unlock(&tasks.lock);
    if (result == 0) return 0;
    if (process) process_abandon(process);
    if (thread) thread_free(thread);
    launch_free(launch);
    return result;
}
