// See turns.h. A namespace owes time for what it has transferred: bytes or requests, whichever takes
// longer at its limits. It may owe as much as BURST_NS when its next request starts; the request
// itself is paid afterwards, as only then its size is known. The disk has few places, so that who
// comes finds few before it, and so does who waits for a page that another reads.
// Who is next may be long in coming, if it has to wait for a processor. So whoever finds a place takes
// it, and who has waited for one is promised it in addition: for a while there are more.
// Locks: each namespace's own, one at a time; the disk's places have theirs.
#include "device/turns.h"

#include "abi/errors.h"
#include "object/namespace.h"
#include "object/thread_object.h"

enum : u64 { BURST_NS = 50'000'000, NS_PER_S = 1'000'000'000 };
enum : u32 { PLACES_MAX = 4 };

static struct places {
    struct lock lock;
    u32 taken GUARDED_BY(&lock);
    u32 promised GUARDED_BY(&lock); // to who has been woken and has not come yet
    struct waitq first GUARDED_BY(&lock);
} places[TURN_KINDS] = {
    {.lock = LOCK_INIT(LOCK_OBJECT), .first = {LIST_INIT(places[TURN_READ].first.threads)}},
    {.lock = LOCK_INIT(LOCK_OBJECT), .first = {LIST_INIT(places[TURN_WRITE].first.threads)}},
};

static enum turn_kind kind_of(enum block_operation operation) {
    return operation == BLOCK_READ ? TURN_READ : TURN_WRITE;
}

// The kernel's own threads are the root's.
static struct namespace *payer(void) { return thread_object_current() ? ns_current() : ns_root; }

void turns_init(struct turns *turns) {
    waitq_init(&turns->line);
    waitq_init(&turns->first);
}

void turns_limit(struct turns *turns, u64 bytes_limit, u64 requests_limit) {
    __atomic_store_n(&turns->bytes_limit, bytes_limit, __ATOMIC_RELAXED);
    __atomic_store_n(&turns->requests_limit, requests_limit, __ATOMIC_RELAXED);
    turns->free_at_ns = 0;
    waitq_wake_all(&turns->first, OK);
}

// ---- one namespace ----

static bool is_limited(const struct turns *turns) {
    return __atomic_load_n(&turns->bytes_limit, __ATOMIC_RELAXED) != 0 ||
           __atomic_load_n(&turns->requests_limit, __ATOMIC_RELAXED) != 0;
}

static status_t line_wait(struct namespace *ns, struct turns *turns) {
    lock_acquire(&ns->lock);
    if (turns->is_taken) return waitq_block(&turns->line, &ns->lock, CL_DEADLINE_NEVER, 0);
    turns->is_taken = true;
    lock_release(&ns->lock);
    return OK;
}

// The current thread's levels from `ns` up to, and without, `end`.
static void levels_leave(struct namespace *ns, const struct namespace *end, enum turn_kind kind) {
    for (; ns != end; ns = ns->parent) {
        lock_acquire(&ns->lock);
        struct turns *turns = &ns->turns[kind];
        turns->is_taken = waitq_wake_one(&turns->line, OK) != nullptr;
        lock_release(&ns->lock);
    }
}

// In turn at one level more; if not, at none.
static status_t level_enter(struct turn *turn) {
    struct namespace *ns = turn->next;
    status_t status = line_wait(ns, &ns->turns[turn->kind]);
    if (status == OK)
        turn->next = ns->parent;
    else
        levels_leave(payer(), ns, turn->kind);
    return status;
}

static status_t time_wait(struct namespace *ns, struct turns *turns) {
    status_t status = OK;
    lock_acquire(&ns->lock);
    while (status != ERR_DEAD && turns->free_at_ns > arch_time_ns()) {
        status = waitq_block(&turns->first, &ns->lock, turns->free_at_ns, 0);
        lock_acquire(&ns->lock);
    }
    lock_release(&ns->lock);
    return status == ERR_DEAD ? ERR_DEAD : OK;
}

static u64 cost_ns(const struct turns *turns, u64 bytes) {
    u64 by_bytes = turns->bytes_limit ? bytes * NS_PER_S / turns->bytes_limit : 0;
    u64 by_requests = turns->requests_limit ? NS_PER_S / turns->requests_limit : 0;
    return max(by_bytes, by_requests);
}

static void charge(struct turns *turns, u64 bytes) {
    turns->bytes += bytes;
    turns->requests++;
    u64 from_ns = max(turns->free_at_ns + BURST_NS, arch_time_ns()) - BURST_NS;
    turns->free_at_ns = from_ns + cost_ns(turns, bytes);
}

// ---- all that are around ----

static bool place_take(enum turn_kind kind) {
    struct places *disk = &places[kind];
    lock_acquire(&disk->lock);
    bool is_free = disk->taken < PLACES_MAX;
    if (is_free) disk->taken++;
    lock_release(&disk->lock);
    return is_free;
}

static status_t place_wait(enum turn_kind kind) {
    struct places *disk = &places[kind];
    lock_acquire(&disk->lock);
    if (disk->taken >= PLACES_MAX) {
        if (waitq_block(&disk->first, &disk->lock, CL_DEADLINE_NEVER, 0) != OK) return ERR_DEAD;
        lock_acquire(&disk->lock);
        disk->promised--;
    }
    disk->taken++;
    lock_release(&disk->lock);
    return OK;
}

// The places are all taken: of each namespace below the root one thread waits for one.
static status_t queue_for_place(struct turn *turn) {
    struct namespace *first = turn->next;
    status_t status = OK;
    while (status == OK && turn->next && turn->next->parent)
        status = level_enter(turn);
    if (status != OK) return status;
    status = place_wait(turn->kind);
    levels_leave(status == OK ? first : payer(), turn->next, turn->kind);
    turn->next = first;
    return status;
}

// Up to the highest level that has a limit.
static status_t limits_wait(struct turn *turn) {
    const struct namespace *end = payer();
    for (const struct namespace *ns = end; ns; ns = ns->parent)
        if (is_limited(&ns->turns[turn->kind])) end = ns->parent;
    while (turn->next != end) {
        struct namespace *ns = turn->next;
        status_t status = level_enter(turn);
        if (status == OK && time_wait(ns, &ns->turns[turn->kind]) != OK) {
            levels_leave(payer(), turn->next, turn->kind);
            status = ERR_DEAD;
        }
        if (status != OK) return status;
    }
    return OK;
}

status_t turn_begin(enum block_operation operation, struct turn *turn) {
    *turn = (struct turn){.kind = kind_of(operation), .next = payer()};
    status_t status = limits_wait(turn);
    return status != OK || place_take(turn->kind) ? status : queue_for_place(turn);
}

void turn_end(enum block_operation operation, const struct turn *turn, u32 pages) {
    bool is_used = pages > 0 || operation == BLOCK_FLUSH;
    for (struct namespace *ns = payer(); ns && is_used; ns = ns->parent) {
        lock_acquire(&ns->lock);
        charge(&ns->turns[turn->kind], pages * PAGE_SIZE);
        lock_release(&ns->lock);
    }
    levels_leave(payer(), turn->next, turn->kind);
    if (!is_used) turn_done(operation);
}

void turn_done(enum block_operation operation) {
    struct places *disk = &places[kind_of(operation)];
    lock_acquire(&disk->lock);
    disk->taken--;
    if (disk->taken + disk->promised < PLACES_MAX && waitq_wake_one(&disk->first, OK))
        disk->promised++;
    lock_release(&disk->lock);
}
