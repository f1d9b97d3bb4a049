// What the manager asks a running container for (lib/container_protocol.h). In the event thread:
// nothing here waits.
#include "lib/container_protocol.h"
#include "lib/format.h"
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/archive/archive.h"
#include "linux/container.h"
#include "linux/control.h"
#include "linux/credentials.h"
#include "linux/fs/stream.h"
#include "linux/kernel_if.h"
#include "linux/launch.h"
#include "linux/output.h"
#include "linux/report.h"
#include "linux/signal.h"
#include "linux/thread.h"
#include "linux/tty/console.h"
#include "linux/tty/session.h"

static struct process *launched_locked(u32 id) REQUIRES(&tasks.lock) {
    struct process *process;
    list_for_each(process, &tasks.processes, all) {
        if (process->launch_id == id && !process->parent && process->state != PROCESS_ZOMBIE)
            return process;
    }
    return NULL;
}

static void signal_serve(const struct container_request *request) {
    struct queued_signal signal = {
        .signal = request->argument, .code = SI_USER, .traits = SIGNAL_FROM_OUTSIDE};
    if (request->argument < 1 || request->argument > SIGNALS_MAX) return;
    mutex_lock(&tasks.lock);
    struct process *process = launched_locked(request->id);
    if (process) signal_send_locked(process, &signal);
    mutex_unlock(&tasks.lock);
}

// Moves the message into a launch. NULL: no memory.
static struct launch *launch_of(const struct container_request *request,
                                struct control_message *message) {
    struct launch *launch = launch_create();
    if (!launch) return NULL;
    launch->id = request->id;
    launch->buffer = message->buffer;
    launch->records = message->records;
    *message = (struct control_message){};
    return launch;
}

static void exec_refuse(u32 id, int error) {
    const char *problem = error == -EAGAIN  ? "it has as many processes as it may"
                          : error == -ESRCH ? "the container is ending"
                                            : "it has no memory for one more process";
    control_report(CONTAINER_EXEC_ENDED, id, CONTAINER_STATUS_NOT_EXECUTABLE, problem,
                   strlen(problem));
}

static void exec_serve(const struct container_request *request, struct control_message *message) {
    u32 id = request->id;
    bool is_full = processes_are_enough();
    struct launch *launch = is_full ? NULL : launch_of(request, message);
    int result = launch ? launch_start(launch) : is_full ? -EAGAIN : -ENOMEM;
    if (result != 0) exec_refuse(id, result);
}

static bool start_prepare(void) {
    mutex_lock(&tasks.lock);
    bool is_over = !process_find_locked(1);
    if (is_over) {
        tasks.next_pid = 1;
        tasks.is_ending = false;
    }
    mutex_unlock(&tasks.lock);
    return is_over;
}

static void start_fail(void) {
    mutex_lock(&tasks.lock);
    tasks.is_ending = true;
    mutex_unlock(&tasks.lock);
    control_report(CONTAINER_EXITED, 0, CONTAINER_STATUS_NOT_EXECUTABLE, NULL, 0);
}

// The first process once more, with what the one before has left.
static void start_serve(const struct container_request *request, struct control_message *message) {
    bool is_over = start_prepare();
    struct launch *launch = is_over ? launch_of(request, message) : NULL;
    if (!launch || launch_start(launch) != 0) start_fail();
}

static char state_letter(const struct process *process) {
    return process->state == PROCESS_ZOMBIE ? 'Z' : process->state == PROCESS_STOPPED ? 'T' : 'S';
}

static void process_describe_locked(const struct process *process, struct container_process *out)
    REQUIRES(&tasks.lock) {
    *out = (struct container_process){
        .pid = process->pid,
        .parent = process->parent ? process->parent->pid : 0,
        .uid = process->credentials->uid,
        .state = state_letter(process),
        .start_ns = process->start_ns,
    };
    usize size = process->program
                     ? min((usize)process->program->arguments_size, (usize)CONTAINER_COMMAND_MAX)
                     : 0;
    for (usize i = 0; i < size; i++)
        out->command[i] = process->program->text[i] ? process->program->text[i] : ' ';
    while (size > 0 && out->command[size - 1] == ' ')
        out->command[--size] = 0;
    if (size == 0) format_text(out->command, sizeof(out->command), "[%s]", process->name);
}

// Those that there is room for in a report.
static void top_serve(const struct container_request *request) {
    enum {
        PROCESSES_MAX = (CONTAINER_REPORT_BYTES_MAX - sizeof(struct container_report)) /
        sizeof(struct container_process)
    };
    u32 count = 0;
    struct process *process;
    struct container_process *processes = heap_alloc(PROCESSES_MAX * sizeof(*processes));
    mutex_lock(&tasks.lock);
    list_for_each(process, &tasks.processes, all) {
        if (processes && count < PROCESSES_MAX)
            process_describe_locked(process, &processes[count++]);
    }
    mutex_unlock(&tasks.lock);
    control_report(CONTAINER_DONE, request->id, 0, processes, count * sizeof(*processes));
    heap_free(processes);
}

static void resize_serve(const struct container_request *request) {
    struct linux_winsize size = {.rows = (u16)((u32)request->argument >> 16),
                                 .columns = (u16)request->argument};
    mutex_lock(&tasks.lock);
    struct process *process = launched_locked(request->id);
    struct terminal *terminal = process ? process->terminal : NULL;
    if (terminal) terminal_get(terminal);
    mutex_unlock(&tasks.lock);
    if (!terminal) return;
    terminal_set_size(terminal, size);
    terminal_put(terminal);
}

static void job_serve(const struct container_request *request, struct control_message *message,
                      launch_job *job) {
    u32 id = request->id;
    struct launch *launch = launch_of(request, message);
    if (launch) launch->job = job;
    if (!launch || launch_start(launch) != 0)
        container_done(id, 1, "the container has no memory to copy with");
}

// DETACH: nothing is attached.
static void attach_serve(struct control_message *message) {
    struct terminal *terminal = console_first();
    handle_t channels[] = {
        records_take(&message->records, "stdin"),
        records_take(&message->records, "stdout"),
        records_take(&message->records, "stderr"),
    };
    if (!terminal) {
        streams_attach(channels);
        return;
    }
    struct console_channels console = {.input = channels[0], .output = channels[1]};
    console_attach(terminal, &console);
    terminal_put(terminal);
    if (channels[2]) kernel_close(channels[2]);
}

static void follow_serve(struct control_message *message) {
    handle_t channel = records_take(&message->records, "follow");
    if (channel) output_follow(channel);
}

static void limit_serve(const struct container_request *request) {
    mutex_lock(&tasks.lock);
    tasks.limit = (u32)max(request->argument, 0);
    mutex_unlock(&tasks.lock);
}

static void request_serve(const struct container_request *request,
                          struct control_message *message) {
    switch (request->operation) {
    case CONTAINER_EXEC: exec_serve(request, message); break;
    case CONTAINER_ATTACH:
    case CONTAINER_DETACH: attach_serve(message); break;
    case CONTAINER_ARCHIVE: job_serve(request, message, archive_write); break;
    case CONTAINER_EXTRACT: job_serve(request, message, archive_extract); break;
    case CONTAINER_START: start_serve(request, message); break;
    case CONTAINER_TOP: top_serve(request); break;
    case CONTAINER_FOLLOW: follow_serve(message); break;
    case CONTAINER_LIMIT: limit_serve(request); break;
    case CONTAINER_RESIZE: resize_serve(request); break;
    case CONTAINER_SIGNAL: signal_serve(request); break;
    default: report_line("the manager asks for %u, which is not known here", request->operation);
    }
}

int requests_serve(void) {
    int result;
    do {
        struct control_message message;
        result = control_receive(&message, sizeof(struct container_request), CONTROL_POLL);
        if (result == 0) request_serve((const void *)message.buffer, &message);
        control_message_free(&message);
    } while (result == 0 || result == -EINVAL);
    return result;
}
