// Memory under pressure, in a Unix process: test_pressure SEED STEPS CPUS. An image that is larger
// than what its owner may use is read, mapped, copied and forked; what is read is always right, and
// what was set aside for one container keeps its pages in memory.
#include "kernel/handlers.h"
#include "disk.h"
#include "model.h"
#include "mapping_calls.h"
#include "device/block.h"
#include "mm/relief.h"
#include "object/process.h"
#include "object/reaper.h"
#include <stdlib.h>

enum : u64 { STORE_PAGES = 600, KEPT_PAGES = 100, DISK_WORD = 0x5555555555555555 };

static struct options {
    u64 seed, steps;
    u32 cpus;
} options;

static struct memobj *image;
static struct namespace *store;

// ---- what the tests are made of ----

static struct cl_ns_limits limits_make(u64 limit_pages, u64 reserved_pages) {
    struct cl_ns_limits limits;
    __builtin_memset(&limits, 0xff, sizeof(limits)); // LIMIT_SAME
    if (limit_pages) limits.memory_pages = limit_pages;
    limits.memory_reserved_pages = reserved_pages;
    return limits;
}

static struct namespace *ns_make(u64 limit_pages, u64 reserved_pages) {
    static struct name_path name = {.size = 2, .text = "t0"};
    struct cl_ns_limits limits = limits_make(limit_pages, reserved_pages);
    struct namespace *ns;
    name.text[1]++;
    CHECK(sys_ns_create(ns_root, &name, &limits, &ns) == OK);
    return ns;
}

static void store_open(u64 reserved_pages) {
    struct block *block;
    store = ns_make(STORE_PAGES, reserved_pages);
    CHECK(block_create(store, &disk, 0, DISK_PAGES * PAGE_SIZE, &block) == OK);
    CHECK(memobj_create_block(store, block, 0, DISK_PAGES, &image) == OK);
    object_put(&block->base);
}

// All is back, as soon as the reaper or the disk has let go of what it has in its hands.
static void check_is_back(struct namespace *ns) {
    u64 end_ns = arch_time_ns() + 10'000'000'000;
    while (ledger_used_pages(&ns->ledger) != 0 && arch_time_ns() < end_ns) {
        sched_yield();
        sched_preempt_point();
    }
    CHECK(ledger_used_pages(&ns->ledger) == 0);
}

static void store_close(void) {
    object_put(&image->base);
    check_is_back(store);
    CHECK(store->ledger.cached_pages == 0);
    object_put(&store->base);
}

// A space with the image at WINDOW.
struct reader {
    struct namespace *ns;
    struct aspace *owner, *aspace;
};

static void image_map(struct aspace *aspace, u64 first, u64 pages, u32 flags) {
    struct aspace_map_args args = {
        .object = image,
        .offset = first * PAGE_SIZE,
        .address = WINDOW + first * PAGE_SIZE,
        .size = pages * PAGE_SIZE,
        .flags = flags,
        .allowed_rights = ~0u,
    };
    u64 mapped;
    status_t status = aspace_map(aspace, &args, &mapped);
    CHECK(status == OK || status == ERR_DEAD || status == ERR_NO_RESOURCES);
}

static struct reader reader_open(u64 limit_pages, u64 reserved_pages) {
    struct reader reader = {.ns = ns_make(limit_pages, reserved_pages)};
    CHECK(aspace_create(reader.ns, nullptr, &reader.owner) == OK);
    CHECK(aspace_create(reader.ns, reader.owner, &reader.aspace) == OK);
    image_map(reader.aspace, 0, DISK_PAGES, CL_MAP_READ | CL_MAP_SHARED | CL_MAP_EXACT);
    return reader;
}

static void reader_close(struct reader *reader) {
    object_put(&reader->aspace->base);
    object_put(&reader->owner->base);
    check_is_back(reader->ns);
    object_put(&reader->ns->base);
}

static status_t page_read(struct aspace *aspace, u64 index) {
    u64 value = 0;
    status_t status = space_access(aspace, WINDOW + index * PAGE_SIZE, ARCH_MAP_READ, &value);
    if (status == OK) CHECK(value == index);
    return status;
}

static void read_all(struct aspace *aspace, u64 from, u64 end) {
    for (u64 i = from; i < end; i++) {
        CHECK(page_read(aspace, i) == (i == DISK_BAD_PAGE ? ERR_IO_ERROR : OK));
        CHECK(ledger_used_pages(&store->ledger) <= (i64)STORE_PAGES);
        sched_preempt_point();
    }
}

static u64 entered(struct aspace *aspace, u64 pages) NO_THREAD_SAFETY_ANALYSIS {
    u64 count = 0, paddr;
    u32 rights;
    for (u64 i = 0; i < pages; i++)
        count += arch_pmap_query(&aspace->pmap, WINDOW + i * PAGE_SIZE, &paddr, &rights);
    return count;
}

// ---- one after the other ----

// What is mapped within a reservation stays; without one it goes.
static void test_reserved(void) {
    store_open(0);
    struct reader kept = reader_open(0, 300);
    struct reader other = reader_open(0, 0);
    read_all(kept.aspace, 0, KEPT_PAGES);
    u64 before = entered(kept.aspace, KEPT_PAGES);
    CHECK(before == KEPT_PAGES - 1);
    for (u32 i = 0; i < 3; i++)
        read_all(other.aspace, 0, DISK_PAGES);
    CHECK(entered(kept.aspace, KEPT_PAGES) == before);
    struct cl_ns_limits limits = limits_make(0, 0);
    CHECK(sys_ns_set_limits(kept.ns, &limits) == OK);
    for (u32 i = 0; i < 3; i++)
        read_all(other.aspace, 0, DISK_PAGES);
    CHECK(entered(kept.aspace, KEPT_PAGES) < before);
    read_all(kept.aspace, 0, KEPT_PAGES);
    reader_close(&kept);
    reader_close(&other);
    store_close();
}

static status_t page_touch(struct memobj *memobj, u64 index) {
    struct page *page;
    status_t status = memobj_get_page(memobj, index, &page);
    if (status == OK) page_put(page);
    return status;
}

// Where the machine is short, all pages of the image go before anybody is refused, but those within
// the store's own reservation: they are replaced by others then. What is set aside takes pages, too.
static void test_machine(u64 reserved_pages) {
    store_open(reserved_pages);
    struct reader reader = reader_open(0, 0);
    struct namespace *hog = ns_make(1u << 30, 0);
    struct memobj *memobj;
    u64 count = 0;
    CHECK(memobj_create(hog, 1u << 20, &memobj) == OK);
    read_all(reader.aspace, 0, 500);
    CHECK(store->ledger.cached_pages >= 499);
    status_t status;
    while ((status = page_touch(memobj, count)) == OK)
        count++;
    CHECK(status == ERR_NO_RESOURCES);
    CHECK(store->ledger.cached_pages <= (i64)reserved_pages);
    if (reserved_pages > 0)
        read_all(reader.aspace, 0, 500);
    else
        CHECK(entered(reader.aspace, 500) == 0);
    CHECK(page_touch(memobj, count) == ERR_NO_RESOURCES);
    object_put(&memobj->base);
    read_all(reader.aspace, 0, 500);
    ledger_recall(&ns_root->ledger);
    u64 idle = (u64)ns_root->ledger.idle_pages;
    struct cl_ns_limits limits = limits_make(0, idle + 300);
    CHECK(sys_ns_set_limits(hog, &limits) == OK);
    limits.memory_reserved_pages = idle + 700;
    CHECK(sys_ns_set_limits(hog, &limits) == ERR_NO_RESOURCES);
    limits.memory_reserved_pages = 0;
    CHECK(sys_ns_set_limits(hog, &limits) == OK);
    object_put(&hog->base);
    reader_close(&reader);
    store_close();
}

// ---- all at once ----

static struct shared {
    struct reader reader;
    u32 running; // atomic
} shared;

static bool may_fail(status_t status) {
    return status == OK || status == ERR_NO_RESOURCES || status == ERR_DEAD ||
           status == ERR_BAD_POINTER || status == ERR_ACCESS_DENIED;
}

// A word of this CPU's own in each page: the disk's, or what it has written to its copy.
static void word_write(struct aspace *aspace, u64 index) {
    u64 va = WINDOW + index * PAGE_SIZE + 8 + 8 * arch_cpu_id(), mark = 0xa0 + arch_cpu_id();
    u64 value = mark;
    CHECK(may_fail(space_access(aspace, va, ARCH_MAP_WRITE, &value)) || index == DISK_BAD_PAGE);
    if (space_access(aspace, va, ARCH_MAP_READ, &value) == OK)
        CHECK(value == mark || value == DISK_WORD);
}

static void worker_step(u64 random) {
    struct aspace *aspace = shared.reader.aspace, *twin;
    u64 index = random % DISK_PAGES;
    u64 pages = min(1 + (random >> 16) % 40, DISK_PAGES - index);
    u64 address = WINDOW + index * PAGE_SIZE;
    u32 flags = CL_MAP_READ | CL_MAP_FIXED;
    switch (random >> 32 & 15) {
    case 0: (void)sys_aspace_unmap(aspace, address, pages * PAGE_SIZE); break;
    case 1: image_map(aspace, index, pages, flags | CL_MAP_SHARED); break;
    case 2: image_map(aspace, index, pages, flags | CL_MAP_WRITE); break;
    case 3: (void)sys_aspace_discard(aspace, address, pages * PAGE_SIZE); break;
    case 4: (void)sys_aspace_protect(aspace, address, pages * PAGE_SIZE, CL_MAP_READ); break;
    case 5:
        if (aspace_copy(aspace, aspace->base.ns, nullptr, &twin) != OK) break;
        CHECK(may_fail(page_read(twin, index)) || index == DISK_BAD_PAGE);
        word_write(twin, index);
        object_put(&twin->base);
        break;
    case 6:
    case 7: word_write(aspace, index); break;
    case 8: (void)relief_for(&store->ledger, STORE_PAGES); break;
    default: CHECK(may_fail(page_read(aspace, index)) || index == DISK_BAD_PAGE);
    }
}

static void worker(void *argument) {
    u64 random = (u64)argument;
    for (u64 i = 0; i < options.steps; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        worker_step(random);
        sched_preempt_point();
    }
    __atomic_fetch_sub(&shared.running, 1, __ATOMIC_ACQ_REL);
}

enum ending { ENDS_BY_ITSELF, READER_IS_KILLED, STORE_IS_KILLED };

static void test_many(enum ending ending) {
    store_open(0);
    shared.reader = reader_open(0, 0);
    shared.running = options.cpus;
    for (u64 i = 0; i < options.cpus; i++)
        CHECK(thread_kernel_create(worker, (void *)((options.seed + i) * 2654435761u + 1)) == OK);
    for (u64 i = 0; __atomic_load_n(&shared.running, __ATOMIC_ACQUIRE); i++) {
        if (i == 200 && ending == READER_IS_KILLED) ns_kill(shared.reader.ns);
        if (i == 200 && ending == STORE_IS_KILLED) object_kill(&image->base);
        sched_yield();
        sched_preempt_point();
    }
    reader_close(&shared.reader);
    store_close();
}

// ---- as a process, since some calls need one ----

static void user_main(u64 bootstrap, u64 argument) {
    (void)bootstrap;
    (void)argument;
    disk_start();
    if (options.cpus == 1) {
        test_reserved();
        test_machine(0);
        test_machine(STORE_PAGES / 4);
    }
    for (enum ending ending = ENDS_BY_ITSELF; ending <= STORE_IS_KILLED; ending++)
        test_many(ending);
    kprintf("PASS\n");
    exit(0);
}

static int run(void *argument) {
    (void)argument;
    struct process *process;
    static struct waitq forever;
    static struct lock lock = LOCK_INIT(LOCK_OBJECT);
    struct arch_user_start start = {.ip = (u64)user_main};
    CHECK(process_create(ns_root, nullptr, &process) == OK);
    CHECK(process_start(process, &start, CL_HANDLE_INVALID) == OK);
    object_put(&process->base);
    waitq_init(&forever);
    for (;;) {
        lock_acquire(&lock);
        (void)waitq_block(&forever, &lock, CL_DEADLINE_NEVER, 0);
    }
}

int main(int count, char **arguments) {
    CHECK(count == 4);
    options = (struct options){strtoul(arguments[1], nullptr, 0), strtoul(arguments[2], nullptr, 0),
                               (u32)strtoul(arguments[3], nullptr, 0)};
    host_run(options.cpus, run, nullptr);
}
