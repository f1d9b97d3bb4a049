// See objects.h. A world is a namespace `top` with two below it and a process in each; everything is
// charged to it, so killing it must give back all.
#include "objects.h"

#include "../host/kernel/disk.h"
#include "arch/host/os.h"
#include "check/check.h"
#include "device/block.h"
#include "object/channel.h"
#include "object/namespace.h"
#include "object/process.h"

enum : u64 { MS = 1'000'000, END_NS = 60'000 * MS };
enum { SPACES = 3, ROUND_THREADS_MAX = 64 };

#define CHECK(condition)                                                                    \
    do {                                                                                    \
        if (!(condition)) panic("%s:%d: check failed: %s", __FILE__, __LINE__, #condition); \
    } while (0)

static struct objects_options options;
static struct object *all_ended;         // an event
static u64 threads_begun, threads_ended; // atomic; of this round
static u64 calls_made;                   // atomic

// ---- the threads ----

// Every thread of every process of the world, however it was made.
static void thread_main(u64, u64) {
    struct bytes bytes = {};
    u64 rooms, number = __atomic_fetch_add(&threads_begun, 1, __ATOMIC_RELAXED);
    if (number >= ROUND_THREADS_MAX || !rooms_map(&rooms)) sys_thread_exit();
    options.bytes_for(&bytes, number);
    for (u32 i = 0; i < options.calls && !bytes.has_ended; i++) {
        __atomic_fetch_add(&calls_made, 1, __ATOMIC_RELAXED);
        call_make(&bytes, rooms, options.is_checked ? CALL_WATCHED : CALL_UNWATCHED);
        host_user_return();
        if (byte_take(&bytes) % 4 == 0) sched_yield();
    }
    u64 ended = __atomic_add_fetch(&threads_ended, 1, __ATOMIC_RELAXED);
    u64 begun = __atomic_load_n(&threads_begun, __ATOMIC_RELAXED);
    if (ended == max(begun, (u64)SPACES * options.threads))
        object_signal(all_ended, 0, SIGNAL_SIGNALED);
    sys_thread_exit();
}

// ---- the world ----

static struct namespace *space_make(struct namespace *above, const char *text, u64 pages) {
    struct name_path name = {.size = (u32)strlen(text)};
    struct cl_ns_limits limits;
    struct namespace *ns;
    __builtin_memcpy(name.text, text, name.size);
    __builtin_memset(&limits, 0xff, sizeof(limits)); // LIMIT_SAME
    limits.memory_pages = pages;
    return sys_ns_create(above, &name, &limits, &ns) == OK ? ns : nullptr;
}

// Consumes the reference; nullptr is allowed. 0: it can't be given.
static handle_t give(struct process *process, void *object) {
    handle_t place = 0;
    if (!object) return 0;
    if (handles_reserve(&process->handles, 1, &place) == OK)
        handle_fill_new(&process->handles, place, object);
    else
        object_put(object);
    return place;
}

static struct block *block_make(struct namespace *ns) {
    struct block *block;
    u64 size = DISK_PAGES * PAGE_SIZE;
    return block_create(ns, &disk, 0, size, &block) == OK ? block : nullptr;
}

// For foreign code of the process.
static struct aspace *aspace_make(struct process *process) {
    struct aspace *aspace;
    bool is_made = aspace_create(process->base.ns, process->aspace, &aspace) == OK;
    return is_made ? aspace : nullptr;
}

// A process with what it needs to do everything; its threads are started.
static void process_make(struct namespace *ns, struct channel *end) {
    struct process *process;
    if (process_create(ns, nullptr, &process) != OK) {
        if (end) object_put(&end->base);
        return;
    }
    object_get(&ns->base);
    (void)give(process, ns);
    (void)give(process, end);
    (void)give(process, block_make(ns));
    (void)give(process, aspace_make(process));
    struct arch_user_start start = {.ip = CL_PROCESS_BASE};
    struct thread_object *thread;
    (void)process_start(process, &start, CL_HANDLE_INVALID);
    for (u32 i = 1; i < options.threads; i++)
        if (thread_object_create(process, &start, &thread) == OK) {
            (void)thread_object_start(thread);
            object_put(&thread->base);
        }
    object_put(&process->base);
}

// The processes of the two below talk with that of the first.
static void world_make(struct namespace *top) {
    static const struct cl_channel_options settings = {};
    struct channel *near = nullptr, *far = nullptr;
    struct namespace *below[SPACES - 1] = {space_make(top, "a", CL_LIMIT_SAME),
                                           space_make(top, "b", CL_LIMIT_SAME)};
    if (below[0] && sys_channel_create(top, below[0], &settings, &near, &far) != OK)
        near = far = nullptr;
    process_make(top, near);
    for (u32 i = 0; i < ARRAY_SIZE(below); i++) {
        if (!below[i]) continue;
        process_make(below[i], i == 0 ? far : nullptr);
        object_put(&below[i]->base);
    }
}

// Until all threads have come to their ends (true), or wait for nobody knows what.
static bool world_run(void) {
    u32 seen;
    u64 until = arch_time_ns() + options.limit_ns;
    return sys_object_wait(all_ended, SIGNAL_SIGNALED, 0, until, &seen) == OK;
}

// With one CPU nobody runs but us; our own references are those of our handles.
static void world_check(void) {
    if (!options.is_checked) return;
    u32 differences = object_check_all();
    if (differences)
        panic("%u differences between what is recorded and what there is", differences);
}

u64 objects_calls(void) { return __atomic_load_n(&calls_made, __ATOMIC_RELAXED); }

// ---- nothing is left ----

struct totals {
    i64 pages;
    u64 counted[LEDGER_COUNTS];
};

static struct totals totals_of(struct namespace *ns) {
    struct totals totals = {};
    ledger_recall(&ns->ledger);
    totals.pages = ledger_used_pages(&ns->ledger);
    for (u32 i = 0; i < LEDGER_COUNTS; i++)
        totals.counted[i] = ns_counted(ns, i);
    return totals;
}

static void left_print(struct namespace *ns) {
    struct object *object;
    kprintf("namespace %lu: %ld pages, %lu objects, %lu handles, %lu names, %lu message bytes\n",
            ns->base.koid, ledger_used_pages(&ns->ledger), ns_counted(ns, LEDGER_OBJECTS),
            ns_counted(ns, LEDGER_HANDLES), ns_counted(ns, LEDGER_NAMES),
            ns_counted(ns, LEDGER_MESSAGE_BYTES));
    lock_acquire(&ns->objects_lock);
    list_for_each(object, &ns->objects, ns_link)
        kprintf("  object %lu of type %u: %u references, dead %u\n", object->koid, object->type,
                object->refs, object->dead);
    lock_release(&ns->objects_lock);
}

static void world_end(struct namespace *top) {
    u32 seen;
    (void)sys_ns_kill(top);
    status_t status =
        sys_object_wait(&top->base, SIGNAL_TERMINATED, 0, arch_time_ns() + END_NS, &seen);
    if (status != OK) left_print(top);
    CHECK(status == OK);
    CHECK(ledger_used_pages(&top->ledger) == 0);
    for (u32 i = 0; i < LEDGER_COUNTS; i++)
        CHECK(ns_counted(top, i) == 0);
}

void objects_begin(const struct objects_options *wanted) {
    options = *wanted;
    host_user_code = thread_main;
    disk_start();
}

static void all_ended_make(void) {
    if (all_ended) return;
    CHECK(sys_event_create(ns_root, &all_ended) == OK && give(process_current(), all_ended));
}

void objects_round(u8 settings) {
    static const u64 pages[] = {4000, 1000, 300, 150};
    all_ended_make();
    struct totals before = totals_of(ns_root), after;
    __atomic_store_n(&threads_begun, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&threads_ended, 0, __ATOMIC_RELAXED);
    object_signal(all_ended, SIGNAL_SIGNALED, 0);
    struct namespace *top = space_make(ns_root, "top", pages[settings % ARRAY_SIZE(pages)]);
    CHECK(top);
    handle_t handle = give(process_current(), top);
    CHECK(handle);
    world_make(top);
    if (world_run()) world_check();
    world_end(top);
    CHECK(sys_handle_close(handle) == OK);
    world_check();
    after = totals_of(ns_root);
    for (u32 i = 0; i < LEDGER_COUNTS; i++)
        CHECK(before.counted[i] == after.counted[i]);
    CHECK(before.pages == after.pages);
}
