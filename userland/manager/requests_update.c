// UPDATE: other limits, for the namespace that is there and for the starts to come.
#include "cloister.h"

#include "abi/names.h"
#include "lib/container_protocol.h"
#include "lib/heap.h"
#include "lib/string.h"
#include "manager/limits.h"
#include "manager/requests.h"

static bool limits_set(struct request *request, handle_t ns, const char *path) {
    struct cl_ns_limits limits;
    limits_read(&request->records, &limits);
    status_t status = ns_set_limits(ns, &limits);
    return status == OK ||
           problem_set(&request->problem, STATUS_PLAIN, "container %.128s: %s", path,
                       status == ERR_NO_RESOURCES ? "so much can't be set aside"
                                                  : cl_error_name(status));
}

// In its namespace, and in its personality, which counts processes.
static bool limits_apply(struct request *request, struct container *container) {
    u32 pids;
    if (!container->ns || container->facts.state == MANAGER_STATE_ENDING) return true;
    if (!limits_set(request, container->ns, container->facts.name)) return false;
    return container->is_native || !limits_pids(&request->records, &pids) ||
           container_tell(container, CONTAINER_LIMIT, 0, (i32)pids, &request->problem);
}

static bool container_update(struct request *request, struct container *container) {
    u32 words_bytes;
    char *words =
        limits_join(container->words, container->words_bytes, &request->records, &words_bytes);
    if (!words)
        return problem_set(&request->problem, STATUS_PLAIN, "the manager has no memory for it");
    if (!limits_apply(request, container)) {
        heap_free(words);
        return false;
    }
    heap_free(container->words);
    container->words = words;
    container->words_bytes = words_bytes;
    return true;
}

static bool below_update(struct request *request, const char *path) {
    handle_t ns;
    if (!below_open(request, path, RIGHT_MANAGE, &ns)) return false;
    bool is_set = limits_set(request, ns, path);
    handle_close(ns);
    return is_set;
}

bool update_serve(struct request *request) {
    const char *path = records_next(&request->records, 'n', NULL);
    bool is_below = path && strchr(path, '/');
    struct container *container = is_below ? NULL : request_container(request);
    bool is_done = is_below    ? below_update(request, path)
                   : container ? container_update(request, container)
                               : false;
    if (is_done) request_answer(request, NULL, 0, 0, 0);
    return is_done;
}
