// Requests about a container's end. They are answered when it has come.
#include "cloister.h"

#include "lib/container_protocol.h"
#include "lib/string.h"
#include "manager/requests.h"
#include "manager/waiters.h"

enum { LINUX_SIGKILL = 9, LINUX_SIGNAL_MAX = 64 };

struct container *request_container(struct request *request) {
    const char *name = records_next(&request->records, 'n', NULL);
    struct container *container = name ? container_find(name) : NULL;
    if (!container)
        problem_set(&request->problem, STATUS_PLAIN,
                    "there is no container %.64s (`ps -a` lists those that there are)",
                    name ? name : "");
    return container;
}

struct container *request_running(struct request *request) {
    struct container *container = request_container(request);
    if (container && container->facts.state != MANAGER_STATE_RUNNING) {
        problem_set(&request->problem, STATUS_PLAIN, "container %s does not run",
                    container->facts.name);
        return NULL;
    }
    return container;
}

static bool end_await(struct request *request, struct container *container, enum waiter_kind kind) {
    const struct waiter *waiter = request_await(request, container, kind, 0);
    if (waiter) request_accept(request, waiter);
    return waiter != NULL;
}

// A kill is done whether or not there is room for one more who waits: then it is answered at once.
static void kill_await(struct request *request, struct container *container,
                       enum waiter_kind kind) {
    if (!end_await(request, container, kind))
        request_answer(request, &container->facts, 1, sizeof(container->facts), 0);
}

// What goes with its end is killed without asking its personality.
static bool container_end(struct request *request, struct container *container) {
    kill_await(request, container, WAITER_END);
    if (container->facts.state != MANAGER_STATE_RUNNING) return true;
    if (container->flags & MANAGER_FLAG_REMOVE)
        container_kill(container, CONTAINER_STATUS_KILLED, NULL);
    else
        container_signal(container, LINUX_SIGKILL, &request->problem);
    return true;
}

// What an ended container has kept: only on demand, as its files are in it.
static bool rest_kill(struct request *request, struct container *container) {
    if (!(request->head->flags & MANAGER_FLAG_FORCE))
        return problem_set(
            &request->problem, STATUS_PLAIN,
            "container %s does not run, and keeps its files (`kill -f %s` or `rm %s` "
            "gives them up)",
            container->facts.name, container->facts.name, container->facts.name);
    kill_await(request, container, WAITER_GONE);
    container_kill(container, container->facts.status, NULL);
    return true;
}

bool kill_serve(struct request *request) {
    u64 signal = request->head->position;
    const char *name = records_next(&request->records, 'n', NULL);
    if (name && strchr(name, '/') && signal == LINUX_SIGKILL) return below_kill(request, name);
    struct container *container = request_container(request);
    if (!container) return false;
    if (signal == 0 || signal > LINUX_SIGNAL_MAX)
        return problem_set(&request->problem, STATUS_PLAIN, "there is no signal %lu", signal);
    bool is_end = signal == LINUX_SIGKILL && request->head->id == 0;
    if (is_end && container->facts.state != MANAGER_STATE_EXITED)
        return container_end(request, container);
    if (is_end && container->ns) return rest_kill(request, container);
    if (!request_running(request)) return false;
    if (request->head->id != 0) {
        if (!container_tell(container, CONTAINER_SIGNAL, request->head->id, (i32)signal,
                            &request->problem))
            return false;
        request_answer(request, NULL, 0, 0, 0);
        return true;
    }
    if (!container_signal(container, (i32)signal, &request->problem)) return false;
    request_answer(request, NULL, 0, 0, 0);
    return true;
}

bool stop_serve(struct request *request) {
    struct container *container = request_container(request);
    if (!container) return false;
    if (container->facts.state == MANAGER_STATE_EXITED) {
        request_answer(request, &container->facts, 1, sizeof(container->facts), 0);
        return true;
    }
    if (!end_await(request, container, WAITER_END)) return false;
    return container->facts.state != MANAGER_STATE_RUNNING ||
           container_stop(container, request->head->position, &request->problem);
}

bool wait_serve(struct request *request) {
    struct container *container = request_container(request);
    if (!container) return false;
    if (container->facts.state != MANAGER_STATE_EXITED)
        return end_await(request, container, WAITER_END);
    request_answer(request, &container->facts, 1, sizeof(container->facts), 0);
    return true;
}

bool remove_serve(struct request *request) {
    struct container *container = request_container(request);
    if (!container) return false;
    bool has_exited = container->facts.state == MANAGER_STATE_EXITED;
    if (has_exited && !container->ns) {
        container_forget(container);
        request_answer(request, NULL, 0, 0, 0);
        return true;
    }
    if (!has_exited && !(request->head->flags & MANAGER_FLAG_FORCE))
        return problem_set(&request->problem, STATUS_PLAIN,
                           "container %s is running (`rm -f %s` kills and removes it)",
                           container->facts.name, container->facts.name);
    kill_await(request, container, WAITER_GONE);
    container->flags |= MANAGER_FLAG_REMOVE;
    if (container->facts.state != MANAGER_STATE_ENDING)
        container_kill(container, has_exited ? container->facts.status : CONTAINER_STATUS_KILLED,
                       NULL);
    return true;
}

bool start_serve(struct request *request) {
    bool is_anew;
    struct container *container = request_container(request);
    if (!container) return false;
    if (container->facts.state != MANAGER_STATE_EXITED)
        return problem_set(&request->problem, STATUS_PLAIN, "container %s runs already",
                           container->facts.name);
    if (!container_restart(container, &request->records, &is_anew, &request->problem)) return false;
    request_answer(request, &container->facts, 1, sizeof(container->facts), is_anew);
    return true;
}

bool rename_serve(struct request *request) {
    const char *old = records_next(&request->records, 'n', NULL);
    const char *name = old ? records_next(&request->records, 'n', old) : NULL;
    struct container *container = request_container(request);
    if (!container || !container_rename(container, name ? name : "", &request->problem)) {
        request->problem.status = STATUS_PLAIN;
        return false;
    }
    request_answer(request, &container->facts, 1, sizeof(container->facts), 0);
    return true;
}
