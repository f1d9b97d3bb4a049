// Limits: every call that makes something is refused every resource at every step, says
// NO_RESOURCES, and leaves the ledger as it was. Then credit: recall between siblings, reservations.
//
// Memory to the page: the namespace may draw no more, a memory object has taken all that was left,
// and gives back page by page until the call succeeds.
#include "limits.h"

#include "lib/string.h"
#include "threads.h"

enum { MADE_MAX = 80, STEPS_MAX = 400, FIGURES = 7, HANDLES_BEFORE = 1000 };
enum : uint64_t { HOG_PAGES = 1000, SETTLE_MS = 1000, BYTES_STEP = 512, HIGH = 1 << 24 };

static handle_t hog;
static uint64_t hog_pages;
static struct cl_ns_limits unchanged, found;

struct figures {
    uint64_t of[FIGURES];
};
static const char *const figure_names[FIGURES] = {"pages",  "handles", "threads", "names",
                                                  "timers", "bytes",   "objects"};

static struct figures figures_now(void) {
    struct cl_ns_info info = {};
    ns_info(test_namespace(), &info);
    return (struct figures){{info.memory_used_pages, info.handles, info.threads, info.names,
                             info.timers, info.message_bytes, info.objects}};
}

// What ends on another processor is counted a moment later.
static bool figures_return(const struct figures *before) {
    uint64_t limit = test_deadline(SETTLE_MS);
    struct figures after = figures_now();
    while (memcmp(before, &after, sizeof(after)) != 0 && test_deadline(0) < limit) {
        thread_yield();
        after = figures_now();
    }
    for (uint32_t i = 0; i < FIGURES; i++)
        if (before->of[i] != after.of[i])
            test_printf("%s: %lu before, %lu after", figure_names[i], before->of[i], after.of[i]);
    return memcmp(before, &after, sizeof(after)) == 0;
}

static void limit_set(enum resource resource, uint64_t value) {
    struct cl_ns_limits limits = unchanged;
    uint64_t *const at[RESOURCE_COUNT] = {
        [RESOURCE_MEMORY] = &limits.memory_pages, [RESOURCE_HANDLES] = &limits.handles,
        [RESOURCE_THREADS] = &limits.threads,     [RESOURCE_NAMES] = &limits.names,
        [RESOURCE_TIMERS] = &limits.timers,       [RESOURCE_BYTES] = &limits.message_bytes,
    };
    *at[resource] = value;
    test_ok(ns_set_limits(test_namespace(), &limits), "limits can be set");
}

// ---- one call ----

static void problem(const struct op *op, enum resource resource, uint64_t step, const char *text) {
    test_printf("%s, limit of %s, step %lu: %s", op->name, figure_names[resource], step, text);
    test_fail("a call that is refused a resource");
}

// As many of them as there is room for, and away with them. Returns how many there were.
static uint32_t op_fill(const struct op *op, enum resource resource, uint64_t step, uint32_t most) {
    static struct made made[MADE_MAX];
    struct figures before = figures_now();
    uint32_t count = 0;
    status_t status = OK;
    while (count < most && (status = op->make(&made[count])) == OK)
        count++;
    if (status != OK && status != ERR_NO_RESOURCES) {
        test_printf("it says %ld", status);
        problem(op, resource, step, "not NO_RESOURCES");
    }
    for (uint32_t i = count; i > 0; i--)
        op->undo(&made[i - 1]);
    if (!figures_return(&before)) problem(op, resource, step, "the ledger is not as before");
    return count;
}

static void op_once(const struct op *op) {
    struct made made;
    test_ok(op->make(&made), op->name);
    op->undo(&made);
}

static void op_without_count(const struct op *op, enum resource resource) {
    uint64_t used = figures_now().of[resource];
    uint64_t width = resource == RESOURCE_BYTES ? BYTES_STEP : 1;
    for (uint64_t step = 0; step < STEPS_MAX; step++) {
        limit_set(resource, used + step * width);
        uint32_t count = op_fill(op, resource, step, 1);
        if (step == 0 && count != 0) problem(op, resource, step, "it was not refused");
        if (count != 0) break;
    }
    limit_set(resource, HIGH);
}

static void hog_size(uint64_t pages) {
    test_ok(memobj_resize(hog, pages * CL_PAGE_SIZE), "the hog gives back");
    hog_pages = pages;
}

// Until nothing is left.
static void hog_fill(void) {
    struct cl_ns_info info;
    uint8_t byte = 1;
    ns_info(test_namespace(), &info);
    limit_set(RESOURCE_MEMORY, info.memory_drawn_pages);
    while (hog_pages < HOG_PAGES && memobj_write(hog, hog_pages * CL_PAGE_SIZE, &byte, 1) == OK)
        hog_pages++;
    test_check(hog_pages > 1 && hog_pages < HOG_PAGES, "the memory limit refuses pages");
}

static void op_without_memory(const struct op *op) {
    hog_pages = 0;
    test_ok(memobj_create(0, HOG_PAGES * CL_PAGE_SIZE, &hog), "hog");
    hog_fill();
    uint64_t step = 0, after = 0;
    for (; step < STEPS_MAX && hog_pages > 1 && after < 3; step++) {
        if (op_fill(op, RESOURCE_MEMORY, step, after ? MADE_MAX : 1) != 0) after++;
        hog_size(hog_pages - 1);
    }
    if (after == 0) problem(op, RESOURCE_MEMORY, step, "it never succeeds");
    limit_set(RESOURCE_MEMORY, found.memory_pages);
    handle_close(hog);
}

static void ops_all(void) {
    for (uint32_t i = 0; i < ops_count; i++)
        op_once(&ops[i]); // page tables grow
    struct figures before = figures_now();
    for (uint32_t i = 0; i < ops_count; i++) {
        const struct op *op = &ops[i];
        for (uint32_t resource = RESOURCE_HANDLES; resource < RESOURCE_COUNT; resource++)
            if (op->needs & 1u << resource) op_without_count(op, (enum resource)resource);
        op_without_memory(op);
        if (op_fill(op, RESOURCE_MEMORY, 0, 1) == 0) problem(op, RESOURCE_MEMORY, 0, "not again");
    }
    test_check(figures_return(&before), "the ledger is as at the beginning");
    test_pass("every call that makes something can be refused everything, and loses nothing");
}

// The process's table keeps its size: grown before anything is compared.
static void table_grow(void) {
    static handle_t handles[HANDLES_BEFORE];
    handle_t event = 0;
    test_ok(event_create(0, &event), "event");
    for (uint32_t i = 0; i < HANDLES_BEFORE; i++)
        test_ok(handle_duplicate(event, CL_RIGHTS_SAME, &handles[i]), "many handles");
    for (uint32_t i = 0; i < HANDLES_BEFORE; i++)
        handle_close(handles[i]);
    handle_close(event);
}

// ---- credit ----

static handle_t child_of(handle_t parent, const char *name, uint64_t pages, uint64_t reserved) {
    struct cl_ns_limits limits = unchanged;
    handle_t child = 0;
    limits.memory_pages = pages;
    limits.memory_reserved_pages = reserved;
    test_ok(ns_create(parent, name, 1, &limits, &child), "a namespace");
    return child;
}

static handle_t memory_of(handle_t ns) {
    handle_t memory = 0;
    test_ok(memobj_create(ns, HOG_PAGES * CL_PAGE_SIZE, &memory), "memory");
    return memory;
}

static uint64_t write_pages(handle_t memory, uint64_t from, uint64_t most) {
    uint8_t byte = 1;
    uint64_t count = 0;
    while (count < most && memobj_write(memory, (from + count) * CL_PAGE_SIZE, &byte, 1) == OK)
        count++;
    return count;
}

// All but one page.
static void give_back(handle_t memory) {
    test_ok(memobj_resize(memory, CL_PAGE_SIZE), "smaller");
    test_ok(memobj_resize(memory, HOG_PAGES * CL_PAGE_SIZE), "and larger, without pages");
}

static void recall(void) {
    enum { LIMIT = 300, USED = 120 };
    handle_t top = child_of(test_namespace(), "t", LIMIT, 0);
    handle_t a = child_of(top, "a", CL_LIMIT_SAME, 0), b = child_of(top, "b", CL_LIMIT_SAME, 0);
    handle_t memory_a = memory_of(a), memory_b = memory_of(b);
    test_check(write_pages(memory_a, 0, USED) == USED, "a uses");
    give_back(memory_a); // to its own credit
    uint64_t most = write_pages(memory_b, 0, HOG_PAGES);
    test_check(most > LIMIT - 30 && most < LIMIT, "b gets what a does not use");
    test_check(write_pages(memory_a, 1, 1) == 0, "now a is refused");
    give_back(memory_b);
    test_check(write_pages(memory_a, 1, USED - 1) == USED - 1, "and a gets it");
    handle_close(memory_a);
    handle_close(memory_b);
    handle_close(a);
    handle_close(b);
    test_check(test_namespace_end(top) == OK, "end");
    test_pass("idle credit goes to the sibling that needs it");
}

static void reservation(void) {
    enum { LIMIT = 300, RESERVED = 100, OVERHEAD = 8 };
    handle_t top = child_of(test_namespace(), "t", LIMIT, 0);
    handle_t a = child_of(top, "a", CL_LIMIT_SAME, RESERVED),
             b = child_of(top, "b", CL_LIMIT_SAME, 0);
    handle_t memory_a = memory_of(a), memory_b = memory_of(b);
    struct cl_ns_limits more = unchanged;
    more.memory_reserved_pages = LIMIT;
    test_check(ns_set_limits(b, &more) == ERR_NO_RESOURCES, "what is set aside is set aside once");
    uint64_t most = write_pages(memory_b, 0, HOG_PAGES);
    test_check(most <= LIMIT - RESERVED && most > LIMIT - RESERVED - 40, "b gets the rest");
    test_check(write_pages(memory_a, 0, RESERVED - OVERHEAD) == RESERVED - OVERHEAD,
               "a gets what was reserved");
    give_back(memory_a);
    test_check(write_pages(memory_b, most, 1) == 0, "but not to b");
    more.memory_reserved_pages = 0;
    test_ok(ns_set_limits(a, &more), "a reserves no more");
    test_check(write_pages(memory_b, most, 50) == 50, "then b gets it");
    handle_close(memory_a);
    handle_close(memory_b);
    handle_close(a);
    handle_close(b);
    test_check(test_namespace_end(top) == OK, "end");
    test_pass("a reservation is kept, and what is beyond is shared");
}

// A page of a restricted program that can't be paid leaves restricted mode, and can be paid later.
static void restricted(void) {
    enum : uint64_t { AT = 0x10000000, PAGES = 400 };
    static const uint8_t code[] = {0xc6, 0x07, 1,                                // movb $1, (rdi)
                                   0x48, 0x81, 0xc7, 0, 0x10, 0, 0, 0xeb, 0xf4}; // add; jmp
    static struct cl_restricted_state state;
    handle_t aspace = 0;
    uint64_t mapped;
    uint32_t reason = 0;
    test_ok(aspace_create(&aspace), "address space");
    test_ok(thread_bind_aspace(aspace), "bind");
    uint32_t flags = CL_MAP_READ | CL_MAP_WRITE | CL_MAP_EXECUTE | CL_MAP_FIXED;
    test_ok(aspace_map(aspace, 0, 0, AT, PAGES * CL_PAGE_SIZE, flags, &mapped), "map");
    memcpy((void *)AT, code, sizeof(code));
    state = (struct cl_restricted_state){.rip = AT, .rdi = AT + CL_PAGE_SIZE, .rflags = 0x202};
    struct cl_ns_info info;
    ns_info(test_namespace(), &info);
    limit_set(RESOURCE_MEMORY, info.memory_drawn_pages);
    test_check(restricted_enter((uint64_t)&state, &reason) == OK &&
                   reason == CL_RESTRICTED_REASON_NO_RESOURCES && state.fault_address == state.rdi,
               "a page that can't be paid");
    limit_set(RESOURCE_MEMORY, found.memory_pages);
    test_check(restricted_enter((uint64_t)&state, &reason) == OK &&
                   reason == CL_RESTRICTED_REASON_PAGE_FAULT &&
                   state.fault_address == AT + PAGES * CL_PAGE_SIZE,
               "is paid later, to the end of the mapping");
    test_ok(thread_bind_aspace(0), "unbind");
    handle_close(aspace);
    test_pass("a program's page that can't be paid is its personality's to decide about");
}

void test_run(void) {
    struct cl_ns_info info;
    memset(&unchanged, 0xff, sizeof(unchanged));
    ns_info(test_namespace(), &info);
    found = (struct cl_ns_limits){.memory_pages = info.memory_limit_pages};
    table_grow();
    ops_begin();
    ops_all();
    ops_end();
    struct figures before = figures_now();
    recall();
    reservation();
    restricted();
    test_check(figures_return(&before), "the ledger is as before");
    test_pass("credit comes and goes, the ledger balances");
}
