// The reaper. Deepest first: a dying namespace is only finished when it has no children. An
// object is killed once (object_kill marks it); what keeps it afterwards are threads that are on
// their way out of the kernel, and they end by themselves. object_free() wakes the reaper for
// each object that goes. A page can go after the last object, from the hands of a stranger who
// copies a message out of it, and without a word: while something is dying, the reaper looks again.
// Lock: dying_lock, for the list and the wait of the reaper.
#include "object/reaper.h"

#include "object/name.h"
#include "object/thread_object.h"
#include "object/trace.h"

enum : u64 { LOOK_AGAIN_NS = 5'000'000 };
enum : u32 { STEP_OBJECTS = 64 };

static struct lock dying_lock = LOCK_INIT(LOCK_OBJECT);
static struct list dying GUARDED_BY(&dying_lock) = LIST_INIT(dying);
static struct waitq reaper_wait = {.threads = LIST_INIT(reaper_wait.threads)};
static bool has_work GUARDED_BY(&dying_lock);

void reaper_wake(void) {
    lock_acquire(&dying_lock);
    has_work = true;
    waitq_wake_one(&reaper_wait, OK);
    lock_release(&dying_lock);
}

void ns_reap_hint(struct namespace *ns) {
    if (!ns_is_alive(ns)) reaper_wake();
}

// Children are found by the reaper, as objects of this one.
void ns_kill(struct namespace *ns) {
    u32 alive = NS_ALIVE;
    lock_acquire(&ns->lock);
    bool marked = __atomic_compare_exchange_n(&ns->state, &alive, NS_DYING, false, __ATOMIC_ACQ_REL,
                                              __ATOMIC_RELAXED);
    lock_release(&ns->lock);
    if (!marked) return;
    trace_event(TRACE_NS_KILL, ns->base.koid, 0);
    object_get(&ns->base);
    lock_acquire(&dying_lock);
    list_insert_tail(&dying, &ns->dying_link);
    lock_release(&dying_lock);
    reaper_wake();
}

// The next object that was not killed yet, referenced; those taken go to the end of the list. A child
// namespace that is dying is left alone.
static struct object *object_to_kill(struct namespace *ns) {
    struct object *found = nullptr;
    struct object *object;
    lock_acquire(&ns->objects_lock);
    list_for_each(object, &ns->objects, ns_link) {
        const struct namespace *child = (const struct namespace *)object;
        bool is_dying = object->type == OBJ_NAMESPACE && !ns_is_alive(child) && !ns_is_gone(child);
        if (is_dying || object_is_dead(object) || !object_tryget(object)) continue;
        found = object;
        list_remove(&object->ns_link);
        list_insert_tail(&ns->objects, &object->ns_link);
        break;
    }
    lock_release(&ns->objects_lock);
    return found;
}

// A child namespace dies by itself first, then what is left of it, which is its struct.
static void kill_one(struct object *object) {
    struct namespace *child = (struct namespace *)object;
    if (object->type == OBJ_NAMESPACE && ns_is_alive(child))
        ns_kill(child);
    else
        object_kill(object);
    object_put(object);
}

// What is on the list of objects is counted.
static bool ns_is_empty(struct namespace *ns) {
    return ns_counted(ns, LEDGER_OBJECTS) == 0 && ns_counted(ns, LEDGER_NAMES) == 0 &&
           ledger_used_pages(&ns->ledger) == 0;
}

// Cuts a finished namespace out of the tree and drops the reaper's reference.
static void ns_finish(struct namespace *ns) {
    struct namespace *parent = ns->parent;
    sched_group_end(&ns->group);
    __atomic_fetch_add(&parent->group.run_ns, ns->group.run_ns, __ATOMIC_RELAXED);
    ledger_destroy(&ns->ledger);
    name_unbind_child(parent, ns);
    __atomic_store_n(&ns->state, NS_GONE, __ATOMIC_RELEASE);
    ns_reap_hint(parent);
    object_signal_put(&ns->base, SIGNAL_TERMINATED);
}

// One step for one dying namespace; true when it is gone, also for the reaper.
static bool ns_reap_step(struct namespace *ns) {
    struct object *object;
    for (u32 killed = 0; (object = object_to_kill(ns)) != nullptr; sched_preempt_point()) {
        kill_one(object);
        if (++killed < STEP_OBJECTS) continue;
        reaper_wake(); // the others first
        return false;
    }
    names_drop(ns);
    if (!ns_is_empty(ns)) return false;
    ns_finish(ns);
    return true;
}

// Goes once round the list. Children were put there after their parents: from the tail.
static void reap_round(void) {
    struct list waiting = LIST_INIT(waiting);
    lock_acquire(&dying_lock);
    has_work = false;
    while (!list_empty(&dying)) {
        struct namespace *ns = list_entry(dying.prev, struct namespace, dying_link);
        list_remove(&ns->dying_link);
        lock_release(&dying_lock);
        sched_work_begin(&ns->parent->group);
        if (!ns_reap_step(ns)) list_insert_head(&waiting, &ns->dying_link);
        sched_work_end(nullptr, ~0ul);
        lock_acquire(&dying_lock);
    }
    list_splice_tail(&dying, &waiting);
    lock_release(&dying_lock);
}

static void reaper_main(void *) {
    for (;; reap_round()) {
        sched_preempt_point();
        lock_acquire(&dying_lock);
        u64 limit_ns = list_empty(&dying) ? CL_DEADLINE_NEVER : arch_time_ns() + LOOK_AGAIN_NS;
        if (has_work)
            lock_release(&dying_lock);
        else
            (void)waitq_block(&reaper_wait, &dying_lock, limit_ns, 0);
    }
}

void reaper_init(void) { ASSERT(thread_kernel_create(reaper_main, nullptr) == OK); }

// ---- the namespace as an object ----

// Killing the namespace object is killing the namespace; the object itself is charged to the
// parent and dies with it.
static void namespace_kill(struct object *object) { ns_kill((struct namespace *)object); }

static void namespace_free(struct object *object) {
    struct namespace *ns = (struct namespace *)object;
    if (ns_is_alive(ns)) ledger_destroy(&ns->ledger); // its making failed
    object_put(&ns->parent->base);
}

const struct object_ops namespace_object_ops = {.kill = namespace_kill, .free = namespace_free};
