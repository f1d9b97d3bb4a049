// Address spaces and memory objects in a Unix process: test_memory SEED STEPS LIMIT_PAGES CPUS.
// One CPU does random operations and compares with a model; LIMIT_PAGES makes paying fail often.
// More CPUs work on the same address space at once, for the sanitizers and the count at the end.
#include "kernel/handlers.h"
#include "disk.h"
#include "model.h"
#include "mapping_calls.h"
#include "device/block.h"
#include "object/process.h"
#include "object/reaper.h"
#include <stdlib.h>

static struct options {
    u64 seed, steps, limit_pages;
    u32 cpus;
} options;

// ---- a namespace of our own ----

static struct namespace *ns_make(u64 limit_pages) {
    static struct name_path name = {.size = 2, .text = "t0"};
    name.text[1]++;
    struct cl_ns_limits limits;
    __builtin_memset(&limits, 0xff, sizeof(limits)); // LIMIT_SAME
    if (limit_pages) limits.memory_pages = limit_pages;
    struct namespace *ns;
    CHECK(sys_ns_create(ns_root, &name, &limits, &ns) == OK);
    return ns;
}

static void test_model(void) {
    static struct model model;
    struct aspace *owner;
    struct namespace *ns = ns_make(options.limit_pages);
    i64 before = ledger_used_pages(&ns->ledger);
    CHECK(aspace_create(ns, nullptr, &owner) == OK);
    model_begin(&model, ns, owner, options.seed);
    for (u64 i = 0; i < options.steps; i++)
        model_step(&model);
    model_end(&model);
    object_put(&owner->base);
    kprintf("model: %lu steps, %lu refusals, %ld pages left\n", model.steps, model.refused,
            ledger_used_pages(&ns->ledger) - before);
    CHECK(ledger_used_pages(&ns->ledger) == before);
    object_put(&ns->base);
}

// ---- clone ----

static void test_clone(void) {
    enum : u64 { SIZE = 100 };
    struct namespace *from = ns_make(0);
    struct namespace *to = ns_make(0);
    i64 before = ledger_used_pages(&to->ledger);
    struct aspace *template, *clone;
    struct aspace_map_args args = {
        .address = CL_PROCESS_BASE,
        .size = SIZE * PAGE_SIZE,
        .flags = CL_MAP_READ | CL_MAP_WRITE | CL_MAP_EXACT,
    };
    u64 mapped;
    CHECK(aspace_create(from, nullptr, &template) == OK);
    CHECK(aspace_map(template, &args, &mapped) == OK);
    for (u64 i = 0; i < SIZE; i++)
        CHECK(space_access(template, mapped + i * PAGE_SIZE, ARCH_MAP_WRITE, &i) == OK);
    CHECK(aspace_copy(template, to, &to->ledger, &clone) == ERR_BAD_STATE);
    CHECK(aspace_freeze(template) == OK);
    CHECK(sys_aspace_unmap(template, mapped, PAGE_SIZE) == ERR_BAD_STATE);
    CHECK(aspace_copy(template, to, &to->ledger, &clone) == OK);
    i64 made = ledger_used_pages(&to->ledger);
    CHECK(made - before >= (i64)SIZE);
    for (u64 i = 0; i < SIZE; i += 2) {
        u64 value = i + 1000;
        CHECK(space_access(clone, mapped + i * PAGE_SIZE, ARCH_MAP_WRITE, &value) == OK);
    }
    CHECK(ledger_used_pages(&to->ledger) == made); // what was reserved is used
    for (u64 i = 0; i < SIZE; i++) {
        u64 value;
        CHECK(space_access(clone, mapped + i * PAGE_SIZE, ARCH_MAP_READ, &value) == OK);
        CHECK(value == (i % 2 ? i : i + 1000));
        CHECK(space_access(template, mapped + i * PAGE_SIZE, ARCH_MAP_READ, &value) == OK);
        CHECK(value == i);
    }
    object_put(&clone->base);
    CHECK(ledger_used_pages(&to->ledger) == before);
    object_put(&template->base);
    object_put(&from->base);
    object_put(&to->base);
}

// ---- many at once ----

static struct shared {
    struct namespace *ns;
    struct aspace *owner, *aspace;
    struct memobj *memobj;
    u32 running; // atomic
} shared;

// Each CPU has a word of its own in each page: what it finds there is nothing or its own; anything
// else came through a translation that should have been forgotten.
static void worker_access(struct aspace *aspace, u64 va, u64 value) {
    u64 mark = 0xa0 | arch_cpu_id();
    u64 word = (value & ~0xfful) | mark;
    u32 need = value >> 24 & 1 ? ARCH_MAP_WRITE : ARCH_MAP_READ;
    va += 8 * arch_cpu_id();
    if (space_access(aspace, va, need, &word) == OK) CHECK(word == 0 || (word & 0xff) == mark);
}

static void worker_step(u64 *random) {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    u64 value = *random;
    u64 va = WINDOW + value % PAGES * PAGE_SIZE;
    u64 size = (1 + (value >> 8) % 16) * PAGE_SIZE;
    struct aspace *twin;
    struct aspace_map_args args = {
        .object = value >> 16 & 1 ? shared.memobj : nullptr,
        .address = va,
        .size = size,
        .flags = CL_MAP_READ | CL_MAP_WRITE | CL_MAP_FIXED |
                 (value >> 17 & value >> 16 & 1 ? CL_MAP_SHARED : 0u),
        .allowed_rights = ~0u,
    };
    switch (value >> 20 & 15) {
    case 0: (void)aspace_map(shared.aspace, &args, &va); break;
    case 1: (void)sys_aspace_unmap(shared.aspace, args.address, size); break;
    case 2: (void)sys_aspace_protect(shared.aspace, args.address, size, value >> 24 & 3); break;
    case 3: (void)sys_aspace_discard(shared.aspace, args.address, size); break;
    case 4:
        (void)sys_memobj_resize(shared.memobj, (1 + (value >> 24) % OBJECT_PAGES) << PAGE_SHIFT);
        break;
    case 5:
        if (aspace_copy(shared.aspace, shared.aspace->base.ns, nullptr, &twin) == OK) {
            worker_access(twin, va, value);
            object_put(&twin->base);
        }
        break;
    case 6:
        (void)sys_aspace_move(shared.aspace, args.address, PAGE_SIZE, args.address + size,
                              PAGE_SIZE, &va);
        break;
    default: worker_access(shared.aspace, va, value);
    }
}

static void worker(void *argument) {
    u64 random = (u64)argument;
    for (u64 i = 0; i < options.steps; i++) {
        worker_step(&random);
        sched_preempt_point();
    }
    __atomic_fetch_sub(&shared.running, 1, __ATOMIC_ACQ_REL);
}

static void many_begin(void) {
    shared.ns = ns_make(options.limit_pages);
    CHECK(aspace_create(shared.ns, nullptr, &shared.owner) == OK);
    CHECK(aspace_create(shared.ns, shared.owner, &shared.aspace) == OK);
    CHECK(memobj_create(shared.ns, OBJECT_PAGES, &shared.memobj) == OK);
    shared.running = options.cpus;
    for (u64 i = 0; i < options.cpus; i++)
        CHECK(thread_kernel_create(worker, (void *)((options.seed + i) * 2654435761u + 1)) == OK);
}

static void many_wait(void) {
    while (__atomic_load_n(&shared.running, __ATOMIC_ACQUIRE)) {
        sched_yield();
        sched_preempt_point();
    }
}

static void many_end(void) {
    many_wait();
    object_put(&shared.memobj->base);
    object_put(&shared.aspace->base);
    object_put(&shared.owner->base);
}

static void test_many(void) {
    many_begin();
    many_end();
    i64 left = ledger_used_pages(&shared.ns->ledger);
    kprintf("many: %ld pages left\n", left);
    CHECK(left == 0);
    object_put(&shared.ns->base);
}

// The namespace dies while all of them are at work in it; it is gone when they have let go.
static void test_kill(void) {
    many_begin();
    for (u64 i = 0; i < options.seed % 50; i++) {
        sched_yield();
        sched_preempt_point();
    }
    ns_kill(shared.ns);
    many_end();
    while (__atomic_load_n(&shared.ns->state, __ATOMIC_ACQUIRE) != NS_GONE) {
        sched_yield();
        sched_preempt_point();
    }
    object_put(&shared.ns->base);
}

// ---- the last page ----

static struct page *last_page; // atomic

// Gives back the last page of one namespace after the other, and tells nobody.
static void page_giver(void *argument) {
    for (u64 left = (u64)argument; left != 0;) {
        struct page *page = __atomic_exchange_n(&last_page, nullptr, __ATOMIC_ACQUIRE);
        if (page) {
            page_put(page);
            left--;
        }
        sched_preempt_point();
    }
    __atomic_fetch_sub(&shared.running, 1, __ATOMIC_ACQ_REL);
}

// What whoever gave back a dead namespace's last page did to its ledger is over when the reaper
// sees that the page is back: the ledger's memory is free then.
static void test_last_page(void) {
    enum : u64 { ROUNDS = 40 };
    shared.running = 1;
    CHECK(thread_kernel_create(page_giver, (void *)ROUNDS) == OK);
    for (u64 i = 0; i < ROUNDS; i++) {
        u32 seen;
        struct namespace *ns = ns_make(0);
        struct page *page = page_alloc(&ns->ledger, PAGE_KERNEL);
        CHECK(page);
        ns_kill(ns);
        __atomic_store_n(&last_page, page, __ATOMIC_RELEASE);
        u64 limit_ns = arch_time_ns() + 5'000'000'000;
        CHECK(sys_object_wait(&ns->base, SIGNAL_TERMINATED, 0, limit_ns, &seen) == OK);
        object_put(&ns->base);
    }
    many_wait();
}

// ---- pages from a disk ----

// An access to a random page of the mapped disk; once the space is dead or the object is, nothing.
static void reader(void *argument) {
    u64 random = (u64)argument;
    for (u64 i = 0; i < options.steps / 16; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        u64 page = random % DISK_PAGES;
        u64 value;
        status_t status =
            space_access(shared.aspace, WINDOW + page * PAGE_SIZE, ARCH_MAP_READ, &value);
        if (status == OK)
            CHECK(page != DISK_BAD_PAGE && value == page);
        else
            CHECK(status == ERR_NO_RESOURCES || (status == ERR_IO_ERROR && page == DISK_BAD_PAGE) ||
                  object_is_dead(&shared.memobj->base));
        sched_preempt_point();
    }
    __atomic_fetch_sub(&shared.running, 1, __ATOMIC_ACQ_REL);
}

static void test_disk(void) {
    struct block *block;
    struct aspace_map_args args = {
        .address = WINDOW,
        .size = DISK_PAGES * PAGE_SIZE,
        .flags = CL_MAP_READ | CL_MAP_SHARED | CL_MAP_EXACT,
        .allowed_rights = ~0u,
    };
    u64 mapped;
    shared.ns = ns_make(options.limit_pages);
    i64 before = ledger_used_pages(&shared.ns->ledger);
    disk_start();
    CHECK(block_create(ns_root, &disk, 0, DISK_PAGES * PAGE_SIZE, &block) == OK);
    CHECK(memobj_create_block(shared.ns, block, PAGE_SIZE, DISK_PAGES, &args.object) ==
          ERR_OUT_OF_RANGE);
    CHECK(memobj_create_block(shared.ns, block, 0, DISK_PAGES, &args.object) == OK);
    shared.memobj = args.object;
    CHECK(aspace_create(shared.ns, nullptr, &shared.owner) == OK);
    CHECK(aspace_create(shared.ns, shared.owner, &shared.aspace) == OK);
    CHECK(aspace_map(shared.aspace, &args, &mapped) == OK);
    args.flags |= CL_MAP_WRITE;
    CHECK(aspace_map(shared.aspace, &args, &mapped) == ERR_ACCESS_DENIED);
    shared.running = options.cpus;
    for (u64 i = 0; i < options.cpus; i++)
        CHECK(thread_kernel_create(reader, (void *)((options.seed + i) * 2654435761u + 1)) == OK);
    for (u32 i = 0; __atomic_load_n(&shared.running, __ATOMIC_ACQUIRE); i++) {
        if (i == 50 && options.seed % 2) object_kill(&shared.memobj->base);
        sched_yield();
        sched_preempt_point();
    }
    object_put(&shared.memobj->base);
    object_put(&shared.aspace->base);
    object_put(&shared.owner->base);
    object_put(&block->base);
    kprintf("disk: %ld pages left\n", ledger_used_pages(&shared.ns->ledger) - before);
    CHECK(ledger_used_pages(&shared.ns->ledger) == before);
    object_put(&shared.ns->base);
}

// ---- as a process, since some calls need one ----

static void user_main(u64 bootstrap, u64 argument) {
    (void)bootstrap;
    (void)argument;
    CHECK(zero_page);
    if (options.cpus == 1) {
        test_clone();
        test_model();
    } else {
        test_many();
        test_kill();
        test_last_page();
        test_disk();
    }
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
    CHECK(count == 5);
    options =
        (struct options){strtoul(arguments[1], nullptr, 0), strtoul(arguments[2], nullptr, 0),
                         strtoul(arguments[3], nullptr, 0), (u32)strtoul(arguments[4], nullptr, 0)};
    host_run(options.cpus, run, nullptr);
}
