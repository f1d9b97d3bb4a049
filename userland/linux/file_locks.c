// Advisory locks. One lock guards all lists and the table of who waits for whom: they are short, and
// a search for deadlocks sees them all. Whatever is given back wakes all who wait for that file, who
// look again.
#include "linux/file_locks.h"

#include "lib/heap.h"
#include "linux/abi.h"
#include "linux/kernel_if.h"
#include "linux/thread.h"
#include "linux/waiting.h"

struct held_lock {
    struct list node;
    struct lock_request lock;
};

struct file_locks {
    struct waitqueue changed;
    struct list held; // under locks_lock
};

// A process that waits for a range, and who is in its way.
struct lock_waiter {
    struct list node;
    const void *owner;
    const void *blocker;
};

static struct mutex locks_lock;
static struct list waiting GUARDED_BY(&locks_lock) = LIST_INIT(waiting);

static bool overlaps(const struct lock_request *a, const struct lock_request *b) {
    return a->kind == b->kind && a->start < b->end && b->start < a->end;
}

static bool conflicts(const struct lock_request *a, const struct lock_request *b) {
    return overlaps(a, b) && a->owner != b->owner &&
           (a->type == LOCK_WRITE || b->type == LOCK_WRITE);
}

static struct held_lock *conflict_find_locked(struct file_locks *locks,
                                              const struct lock_request *request)
    REQUIRES(&locks_lock) {
    struct held_lock *held;
    list_for_each(held, &locks->held, node) {
        if (conflicts(&held->lock, request)) {
            return held;
        }
    }
    return NULL;
}

static struct held_lock *held_alloc(const struct lock_request *lock, u64 start, u64 end) {
    struct held_lock *held = heap_alloc(sizeof(*held));
    if (held) {
        held->lock = *lock;
        held->lock.start = start;
        held->lock.end = end;
    }
    return held;
}

// Takes [start, end) of the request out of what its owner has: whole, at one side, or in the middle,
// for which the rest needs `spare`.
static void range_clear_locked(struct file_locks *locks, const struct lock_request *request,
                               struct held_lock **spare) REQUIRES(&locks_lock) {
    struct held_lock *held;
    struct held_lock *following;
    list_for_each_safe(held, following, &locks->held, node) {
        struct lock_request *own = &held->lock;
        if (own->owner != request->owner || !overlaps(own, request)) {
            continue;
        }
        if (own->start < request->start && own->end > request->end) {
            (*spare)->lock = *own;
            (*spare)->lock.start = request->end;
            own->end = request->start;
            list_insert_tail(&locks->held, &(*spare)->node);
            *spare = NULL;
        } else if (own->start < request->start) {
            own->end = request->start;
        } else if (own->end > request->end) {
            own->start = request->end;
        } else {
            list_remove(&held->node);
            heap_free(held);
        }
    }
}

// Neighbours of the same type become one.
static void range_join_locked(struct file_locks *locks, struct held_lock *added)
    REQUIRES(&locks_lock) {
    struct held_lock *held;
    struct held_lock *following;
    list_for_each_safe(held, following, &locks->held, node) {
        struct lock_request *own = &held->lock;
        if (held == added || own->owner != added->lock.owner || own->kind != added->lock.kind ||
            own->type != added->lock.type ||
            (own->end != added->lock.start && own->start != added->lock.end)) {
            continue;
        }
        added->lock.start = min(added->lock.start, own->start);
        added->lock.end = max(added->lock.end, own->end);
        list_remove(&held->node);
        heap_free(held);
    }
}

// What an owner gets before the lock is taken: nothing can fail below it.
struct prepared {
    struct held_lock *added;
    struct held_lock *spare;
};

static void commit_locked(struct file_locks *locks, const struct lock_request *request,
                          struct prepared *prepared) REQUIRES(&locks_lock) {
    range_clear_locked(locks, request, &prepared->spare);
    if (request->type != LOCK_NONE) {
        list_insert_tail(&locks->held, &prepared->added->node);
        range_join_locked(locks, prepared->added);
        prepared->added = NULL;
    }
}

static struct file_locks *vnode_locks(struct vnode *vnode) {
    return __atomic_load_n(&vnode->locks, __ATOMIC_ACQUIRE);
}

static struct file_locks *locks_of(struct vnode *vnode)
    THREAD_ANNOTATION(no_thread_safety_analysis) {
    struct file_locks *locks = vnode_locks(vnode);
    if (locks) {
        return locks;
    }
    locks = heap_alloc_zero(sizeof(*locks));
    if (!locks) {
        return NULL;
    }
    waitqueue_init(&locks->changed);
    list_init(&locks->held);
    struct file_locks *expected = NULL;
    if (!__atomic_compare_exchange_n(&vnode->locks, &expected, locks, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
        heap_free(locks);
        locks = expected;
    }
    return locks;
}

// Whether `blocker` waits, through others, for `owner`.
static bool is_deadlock_locked(const void *owner, const void *blocker) REQUIRES(&locks_lock) {
    enum { CHAIN_MAX = 10 };
    for (u32 i = 0; i < CHAIN_MAX; i++) {
        struct lock_waiter *waiter;
        const void *next = NULL;
        if (blocker == owner) {
            return true;
        }
        list_for_each(waiter, &waiting, node) {
            next = waiter->owner == blocker ? waiter->blocker : next;
        }
        if (!next) {
            return false;
        }
        blocker = next;
    }
    return false;
}

// One try. -EAGAIN: somebody is in the way, and `waiter` is in the table of who waits.
static int lock_try(struct file_locks *locks, const struct lock_request *request,
                    struct prepared *prepared, struct lock_waiter *waiter) {
    int result = 0;
    mutex_lock(&locks_lock);
    if (waiter) {
        list_remove(&waiter->node);
    }
    struct held_lock *blocker =
        request->type == LOCK_NONE ? NULL : conflict_find_locked(locks, request);
    if (!blocker) {
        commit_locked(locks, request, prepared);
    } else if (waiter && request->kind == LOCK_KIND_RANGE && request->pid > 0 &&
               is_deadlock_locked(request->owner, blocker->lock.owner)) {
        result = -EDEADLK;
    } else {
        result = -EAGAIN;
        if (waiter) {
            waiter->owner = request->owner;
            waiter->blocker = blocker->lock.owner;
            list_insert_tail(&waiting, &waiter->node);
        }
    }
    mutex_unlock(&locks_lock);
    return result;
}

// flock gives up what the owner has before it waits for the new lock.
static void flock_give_up(struct file_locks *locks, const struct lock_request *request) {
    struct held_lock *spare = NULL;
    mutex_lock(&locks_lock);
    range_clear_locked(locks, request, &spare);
    mutex_unlock(&locks_lock);
    waitqueue_wake(&locks->changed);
}

static int lock_wait(struct thread *thread, struct file_locks *locks,
                     const struct lock_request *request, struct prepared *prepared) {
    struct waiter waiter;
    struct lock_waiter in_table = {};
    int result;
    list_init(&in_table.node);
    waitqueue_add(&locks->changed, &waiter, thread);
    do {
        u32 ticket = thread_ticket(thread);
        result = lock_try(locks, request, prepared, &in_table);
        if (result == -EAGAIN) {
            result = thread_wait(thread, ticket, DEADLINE_NEVER);
            result = result == 0 ? -EAGAIN : result;
        }
    } while (result == -EAGAIN);
    waitqueue_remove(&locks->changed, &waiter);
    mutex_lock(&locks_lock);
    list_remove(&in_table.node);
    mutex_unlock(&locks_lock);
    return result;
}

int file_lock(struct thread *thread, struct vnode *vnode, const struct lock_request *request,
              u32 flags) {
    struct file_locks *locks = locks_of(vnode);
    struct prepared prepared = {held_alloc(request, request->start, request->end),
                                held_alloc(request, 0, 0)};
    int result = -ENOLCK;
    if (locks && prepared.added && prepared.spare) {
        result = lock_try(locks, request, &prepared, NULL);
        if (result == -EAGAIN && request->kind == LOCK_KIND_FLOCK) {
            flock_give_up(locks, request);
        }
        if (result == -EAGAIN && flags == LOCK_WAIT) {
            result = lock_wait(thread, locks, request, &prepared);
        }
        if (result == 0) {
            waitqueue_wake(&locks->changed);
        }
    }
    heap_free(prepared.added);
    heap_free(prepared.spare);
    return result;
}

bool file_lock_test(struct vnode *vnode, const struct lock_request *request,
                    struct lock_request *found) {
    struct file_locks *locks = vnode_locks(vnode);
    if (!locks) {
        return false;
    }
    mutex_lock(&locks_lock);
    struct held_lock *blocker = conflict_find_locked(locks, request);
    if (blocker) {
        *found = blocker->lock;
    }
    mutex_unlock(&locks_lock);
    return blocker != NULL;
}

static void owner_release(struct vnode *vnode, const void *owner) {
    struct file_locks *locks = vnode_locks(vnode);
    struct held_lock *held;
    struct held_lock *following;
    if (!locks) {
        return;
    }
    mutex_lock(&locks_lock);
    list_for_each_safe(held, following, &locks->held, node) {
        if (held->lock.owner == owner) {
            list_remove(&held->node);
            heap_free(held);
        }
    }
    mutex_unlock(&locks_lock);
    waitqueue_wake(&locks->changed);
}

void file_locks_close(struct vnode *vnode, struct descriptors *descriptors) {
    owner_release(vnode, descriptors);
}

void file_locks_release(struct vnode *vnode, struct file *file) { owner_release(vnode, file); }

void file_locks_free(struct vnode *vnode) {
    heap_free(vnode->locks);
    vnode->locks = NULL;
}
