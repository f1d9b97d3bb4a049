// One object of each type that can be made or was given, one that is dead, one that is revoked.
#include "lib/string.h"
#include "sweep.h"
#include "test.h"

enum { DEATH_MS = 10000 };

static handle_t objects[OBJ_COUNT];
static handle_t dead, revoked;
static uint8_t live[SWEEP_HANDLES / 8];

static handle_t child_make(const char *name) {
    struct cl_ns_limits limits;
    handle_t child = 0;
    memset(&limits, 0xff, sizeof(limits)); // CL_LIMIT_SAME
    test_ok(ns_create(test_namespace(), name, (uint32_t)strlen(name), &limits, &child), name);
    return child;
}

// An event of a namespace that is killed: the handle stays, the object goes.
static void dead_make(void) {
    uint32_t observed;
    handle_t child = child_make("sweep_dead");
    test_ok(event_create(child, &dead), "event in a child");
    test_ok(ns_kill(child), "ns_kill");
    test_ok(object_wait(child, SIGNAL_TERMINATED, 0, test_deadline(DEATH_MS), &observed),
            "the child's end");
    handle_close(child);
}

static void revoked_make(void) {
    handle_t revoker;
    test_ok(handle_duplicate_revocable(objects[OBJ_EVENT], CL_RIGHTS_SAME, &revoked, &revoker),
            "duplicate revocably");
    test_ok(revoker_revoke(revoker), "revoke");
    objects[OBJ_REVOKER] = revoker;
}

// The processes and threads are of no use to anybody, should a call go through.
static void processes_make(void) {
    handle_t own_part;
    test_ok(process_create(test_namespace(), &objects[OBJ_PROCESS], &own_part), "process_create");
    handle_close(own_part);
    test_ok(aspace_create(&objects[OBJ_ASPACE]), "aspace_create");
    test_ok(thread_self(&objects[OBJ_THREAD]), "thread_self");
}

static void live_find(void) {
    struct cl_object_info info;
    for (uint32_t handle = 1; handle < SWEEP_HANDLES; handle++)
        if (object_info(handle, &info) != ERR_BAD_HANDLE)
            live[handle / 8] |= (uint8_t)(1u << handle % 8);
}

void sweep_objects_make(void) {
    const struct cl_channel_options options = {};
    for (uint32_t type = 0; type < OBJ_COUNT; type++)
        objects[type] = test_handle(type);
    objects[OBJ_NAMESPACE] = child_make("sweep");
    processes_make();
    test_ok(memobj_create(0, CL_PAGE_SIZE, &objects[OBJ_MEMOBJ]), "memobj_create");
    handle_t other;
    test_ok(channel_create(0, 0, &options, &objects[OBJ_CHANNEL], &other), "channel_create");
    test_ok(queue_create(0, 1, CL_PAGE_SIZE, &objects[OBJ_QUEUE]), "queue_create");
    test_ok(port_create(0, &objects[OBJ_PORT]), "port_create");
    test_ok(timer_create(0, &objects[OBJ_TIMER]), "timer_create");
    test_ok(event_create(0, &objects[OBJ_EVENT]), "event_create");
    revoked_make();
    dead_make();
    live_find();
}

handle_t sweep_object(uint32_t type) { return objects[type]; }

handle_t sweep_object_of(uint32_t types) {
    // An event, where any type will do: nothing happens to it.
    if (types & OBJ_MASK(OBJ_EVENT)) return objects[OBJ_EVENT];
    for (uint32_t type = 0; type < OBJ_COUNT; type++)
        if (types & OBJ_MASK(type) && objects[type] != 0) return objects[type];
    return 0;
}

handle_t sweep_dead(void) { return dead; }

handle_t sweep_revoked(void) { return revoked; }

bool sweep_is_live(uint32_t handle) { return live[handle / 8] >> handle % 8 & 1; }
