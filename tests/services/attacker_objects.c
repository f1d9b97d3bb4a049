// Objects of each type that a container can make, until they are refused; then they go, all at once.
#include "attacker.h"

static u32 asleep;

static status_t event_make(handle_t *made_here) { return event_create(0, made_here); }
static status_t timer_make(handle_t *made_here) { return timer_create(0, made_here); }
static status_t port_make(handle_t *made_here) { return port_create(0, made_here); }

static status_t memobj_make(handle_t *made_here) {
    static const char byte = 1;
    status_t status = memobj_create(0, CL_PAGE_SIZE, made_here);
    if (status == OK) memobj_write(*made_here, 0, &byte, 1); // a page of its own, if there is one
    return status;
}

static status_t queue_make(handle_t *made_here) { return queue_create(0, 16, 4096, made_here); }

static status_t channel_make(handle_t *made_here) {
    handle_t other;
    status_t status = channel_create(0, 0, &small, made_here, &other);
    if (status == OK) keep(other);
    return status;
}

static status_t handle_make(handle_t *made_here) {
    static handle_t event;
    if (!event) event_create(0, &event);
    return handle_duplicate(event, CL_RIGHTS_SAME, made_here);
}

static status_t revoker_make(handle_t *made_here) {
    static handle_t event;
    handle_t copy;
    if (!event) event_create(0, &event);
    status_t status = handle_duplicate_revocable(event, CL_RIGHTS_SAME, &copy, made_here);
    if (status == OK) keep(copy);
    return status;
}

// Each other is the twin of one with a page, so that it has page tables.
static status_t aspace_make(handle_t *made_here) {
    static u32 number;
    u64 address;
    if (number++ % 2 && made_count > 0) return aspace_fork(made[made_count - 1], made_here);
    status_t status = aspace_create(made_here);
    if (status == OK)
        aspace_map(*made_here, 0, 0, CL_LINUX_BASE, CL_PAGE_SIZE, CL_MAP_READ | CL_MAP_WRITE,
                   &address);
    return status;
}

static status_t process_make(handle_t *made_here) {
    handle_t aspace;
    status_t status = process_create(own_ns, made_here, &aspace);
    if (status == OK) keep(aspace);
    return status;
}

static void thread_sleep(u64 seen) {
    futex_wait((u64)&asleep, (u32)seen, 0, CL_DEADLINE_NEVER);
    thread_exit();
}

static status_t thread_asleep_make(handle_t *made_here) {
    return thread_make(thread_sleep, asleep, made_here);
}

static void threads_end(void) {
    u32 woken;
    asleep++;
    futex_wake((u64)&asleep, ~0u, &woken);
    all_close();
}

// Needs OWNER (`run --nest`).
static status_t namespace_make(handle_t *made_here) {
    static u32 number;
    char name[16];
    struct cl_ns_limits limits;
    memset(&limits, 0xff, sizeof(limits)); // LIMIT_SAME: the defaults
    usize size = format_text(name, sizeof(name), "n%u", number++);
    return ns_create(own_ns, name, (u32)size, &limits, made_here);
}

static void namespaces_end(void) {
    for (u32 i = 0; i < made_count; i++)
        ns_kill(made[i]);
    all_close();
}

static const struct kind {
    const char *name;
    status_t (*make)(handle_t *made_here);
    void (*end)(void); // closes the handles
} kinds[] = {
    {"event", event_make, all_close},
    {"timer", timer_make, all_close},
    {"port", port_make, all_close},
    {"memobj", memobj_make, all_close},
    {"queue", queue_make, all_close},
    {"channel", channel_make, all_close},
    {"handle", handle_make, all_close},
    {"revoker", revoker_make, all_close},
    {"aspace", aspace_make, all_close},
    {"process", process_make, all_close},
    {"thread", thread_asleep_make, threads_end},
    {"namespace", namespace_make, namespaces_end},
};
enum : u32 { TOGETHER = 6 }; // of the first ones

static bool one_make(const struct kind *kind) {
    handle_t handle;
    if (made_count + 2 >= MADE_MAX || kind->make(&handle) != OK) return false;
    keep(handle);
    return true;
}

// So that a test sees that it was an attack.
static void count_tell(const struct kind *kind) {
    char line[64];
    usize size = format_text(line, sizeof(line), "took %u of %s", made_count, kind->name);
    log_write(line, size);
}

void objects_of(const char *type) {
    const struct kind *kind = kinds;
    while (kind < kinds + ARRAY_SIZE(kinds) && strcmp(kind->name, type) != 0)
        kind++;
    if (kind == kinds + ARRAY_SIZE(kinds)) return;
    for (bool is_told = false;; is_told = true) {
        while (one_make(kind)) {
        }
        if (!is_told) count_tell(kind);
        kind->end();
    }
}

void objects(void) {
    for (;;) {
        for (u32 i = 0, refused = 0; refused < TOGETHER; i = (i + 1) % TOGETHER)
            refused = one_make(&kinds[i]) ? 0 : refused + 1;
        all_close();
    }
}
