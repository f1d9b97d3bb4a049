// See turns.h. A namespace owes time for what it has transferred: bytes or requests, whichever takes
// longer at its limits. It may owe as much as BURST_NS when its next request starts; the request
// itself is paid afterwards, as only then its size is known. The disk has few places, so that who
// comes finds few before it, and so does who waits for a page that another reads.
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
    turns->bytes_limit = bytes_limit;
    turns->requests_limit = requests_limit;
    turns->free_at_ns = 0;
    waitq_wake_all(&turns->first, OK);
}

// ---- one namespace ----

static status_t line_wait(struct namespace *ns, struct turns *turns) {
    lock_acquire(&ns->lock);
    if (turns->is_taken) return waitq_block(&turns->line, &ns->lock, CL_DEADLINE_NEVER, 0);
    turns->is_taken = true;
    lock_release(&ns->lock);
    return OK;
}

static void line_leave(struct namespace *ns, struct turns *turns) REQUIRES(&ns->lock) {
    turns->is_taken = waitq_wake_one(&turns->line, OK) != nullptr;
}

static status_t time_wait(struct namespace *ns, struct turns *turns) {
    for (;;) {
        lock_acquire(&ns->lock);
        if (turns->free_at_ns <= arch_time_ns()) break;
        status_t status = waitq_block(&turns->first, &ns->lock, turns->free_at_ns, 0);
        if (status != ERR_DEAD) continue;
        lock_acquire(&ns->lock);
        line_leave(ns, turns);
        lock_release(&ns->lock);
        return ERR_DEAD;
    }
    lock_release(&ns->lock);
    return OK;
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

static status_t place_take(enum turn_kind kind) {
    struct places *disk = &places[kind];
    lock_acquire(&disk->lock);
    while (disk->taken == PLACES_MAX) {
        if (waitq_block(&disk->first, &disk->lock, CL_DEADLINE_NEVER, 0) == ERR_DEAD)
            return ERR_DEAD;
        lock_acquire(&disk->lock);
    }
    disk->taken++;
    lock_release(&disk->lock);
    return OK;
}

// Of all from `ns` up to, and without, `end`.
static void levels_leave(struct namespace *ns, const struct namespace *end, enum turn_kind kind) {
    for (; ns != end; ns = ns->parent) {
        lock_acquire(&ns->lock);
        line_leave(ns, &ns->turns[kind]);
        lock_release(&ns->lock);
    }
}

status_t turn_begin(enum block_operation operation) {
    enum turn_kind kind = kind_of(operation);
    for (struct namespace *ns = payer(); ns; ns = ns->parent) {
        status_t status = line_wait(ns, &ns->turns[kind]);
        if (status == OK) status = time_wait(ns, &ns->turns[kind]);
        if (status == OK) continue;
        levels_leave(payer(), ns, kind);
        return status;
    }
    status_t status = place_take(kind);
    if (status != OK) levels_leave(payer(), nullptr, kind);
    return status;
}

void turn_end(enum block_operation operation, u32 pages) {
    enum turn_kind kind = kind_of(operation);
    bool is_used = pages > 0 || operation == BLOCK_FLUSH;
    for (struct namespace *ns = payer(); ns; ns = ns->parent) {
        lock_acquire(&ns->lock);
        if (is_used) charge(&ns->turns[kind], pages * PAGE_SIZE);
        line_leave(ns, &ns->turns[kind]);
        lock_release(&ns->lock);
    }
    if (!is_used) turn_done(operation);
}

void turn_done(enum block_operation operation) {
    struct places *disk = &places[kind_of(operation)];
    lock_acquire(&disk->lock);
    disk->taken--;
    waitq_wake_one(&disk->first, OK);
    lock_release(&disk->lock);
}
