// What the manager asks a running container for (lib/container_protocol.h). In the event thread:
// nothing here waits.
#include "lib/container_protocol.h"
#include "lib/heap.h"
#include "linux/abi.h"
#include "linux/control.h"
#include "linux/kernel_if.h"
#include "linux/launch.h"
#include "linux/report.h"
#include "linux/signal.h"
#include "linux/thread.h"

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

static void request_serve(const struct container_request *request,
                          struct control_message *message) {
    (void)message;
    switch (request->operation) {
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
