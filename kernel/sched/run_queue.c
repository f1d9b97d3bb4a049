// The tree of what waits on a CPU: who is next, and what it is charged for.
#include "sched/run_queue.h"

enum : u64 {
    MARGIN_NS = 1'000'000,     // how much further the current thread must be to be interrupted
    DEBT_NS_MAX = 100'000,     // what hand-overs let pass
    LEAD_NS_MAX = 100'000'000, // how far a bill can put somebody behind the others
};

struct run_queue run_queues[MAX_CPUS];

static u32 cpu_of(const struct run_queue *queue) { return (u32)(queue - run_queues); }

static struct sched_node *node_of(struct run_queue *queue, const struct sched_group *group)
    REQUIRES(&queue->lock) {
    return group && group->nodes ? &group->nodes[cpu_of(queue)] : &queue->root;
}

static struct sched_entity *first_of(const struct sched_node *node) {
    struct skew_node *first = node->ready.first;
    return first ? container_of(first, struct sched_entity, node) : nullptr;
}

void sched_group_init(struct sched_group *group, struct sched_group *parent,
                      struct sched_node *nodes) NO_THREAD_SAFETY_ANALYSIS {
    group->nodes = nodes;
    group->parent = parent;
    list_init(&group->workers);
    lock_init(&group->cap_lock, LOCK_OBJECT);
    waitq_init(&group->capped);
    group->has_first = false;
    group->sleepers = 0;
    group->weight = SCHED_WEIGHT_DEFAULT;
    for (u32 cpu = 0; nodes && cpu < arch_cpu_count(); cpu++) {
        struct sched_node *above = node_of(&run_queues[cpu], parent);
        nodes[cpu] = (struct sched_node){
            .entity.node.tag = 1, .parent = above, .group = group, .depth = above->depth + 1};
    }
}

static void start_advance(struct sched_node *node, const struct sched_entity *entity) {
    __atomic_store_n(&node->start_ns, max(node->start_ns, entity->node.key), __ATOMIC_RELAXED);
}

// ---- adding ----

static void entity_settle(const struct sched_node *node, struct sched_entity *entity) {
    u64 earliest_ns = node->start_ns - min(node->start_ns, BONUS_NS);
    u64 key = entity->node.key;
    entity->node.key = key == 0 ? node->start_ns : max(key, earliest_ns);
}

// What it has run beyond the others goes with it to another CPU. That one's virtual time is read as
// it happens to be.
static void thread_move(struct run_queue *queue, struct thread *thread) NO_THREAD_SAFETY_ANALYSIS {
    u32 from = thread->queue_cpu;
    u64 key = thread->entity.node.key;
    thread->queue_cpu = cpu_of(queue);
    if (from == thread->queue_cpu || key == 0) return;
    const struct sched_node *old = node_of(&run_queues[from], thread->group);
    u64 start_ns = __atomic_load_n(&old->start_ns, __ATOMIC_RELAXED);
    thread->entity.node.key = node_of(queue, thread->group)->start_ns + key - min(key, start_ns);
}

static void nodes_settle(struct sched_node *node) {
    for (; node->parent && !node->is_queued; node = node->parent)
        entity_settle(node->parent, &node->entity);
}

// A thread that is not queued, and what is above it and not either, in this CPU's virtual time and not
// longer behind than one may be: else what it is charged then would be forgiven when it is queued.
static struct sched_node *settle_locked(struct run_queue *queue, struct thread *thread)
    REQUIRES(&queue->lock) {
    struct sched_node *node = node_of(queue, thread->group);
    thread_move(queue, thread);
    entity_settle(node, &thread->entity);
    nodes_settle(node);
    return node;
}

static void add_locked(struct run_queue *queue, struct thread *thread) REQUIRES(&queue->lock) {
    struct sched_node *node = settle_locked(queue, thread);
    skew_insert(&node->ready, &thread->entity.node);
    for (; node->parent && !node->is_queued; node = node->parent) {
        node->is_queued = 1;
        skew_insert(&node->parent->ready, &node->entity.node);
    }
    if (queue->ready_count == 0)
        __atomic_store_n(&queue->waited_from_ns, arch_time_ns(), __ATOMIC_RELAXED);
    __atomic_store_n(&queue->ready_count, queue->ready_count + 1, __ATOMIC_RELEASE);
}

void queue_add(struct run_queue *queue, struct thread *thread) {
    lock_acquire(&queue->lock);
    add_locked(queue, thread);
    lock_release(&queue->lock);
}

// ---- charging ----

// How long the current thread has kept others waiting, since the last charge. What the switch to it
// took is its own.
static u64 current_ran_ns(const struct run_queue *queue, u64 now_ns) {
    if (queue_length(queue) == 0) return 0;
    u64 waited_ns = __atomic_load_n(&queue->waited_from_ns, __ATOMIC_RELAXED);
    u64 from_ns = max(waited_ns, queue->charged_ns);
    return now_ns - min(now_ns, from_ns);
}

static u64 current_ran_take(struct run_queue *queue) {
    u64 now_ns = arch_time_ns();
    u64 ran_ns = current_ran_ns(queue, now_ns);
    queue->charged_ns = now_ns;
    return ran_ns;
}

static i64 weighted_ns(const struct sched_group *group, i64 ran_ns) {
    i64 weight = (i64)__atomic_load_n(&group->weight, __ATOMIC_RELAXED);
    return ran_ns * (i64)SCHED_WEIGHT_DEFAULT / weight;
}

// Also less than nothing; nobody gets further behind the others than a sleeper.
static void nodes_charge(struct sched_node *node, i64 ran_ns) {
    for (; ran_ns != 0 && node->parent; node = node->parent) {
        if (node->is_queued) skew_remove(&node->parent->ready, &node->entity.node);
        i64 key = (i64)node->entity.node.key + weighted_ns(node->group, ran_ns);
        node->entity.node.key = (u64)max(key, 0l);
        entity_settle(node->parent, &node->entity);
        if (node->is_queued) skew_insert(&node->parent->ready, &node->entity.node);
    }
}

static void charge_current_locked(struct run_queue *queue) REQUIRES(&queue->lock) {
    struct thread *thread = thread_current();
    u64 ran_ns = thread->debt_ns + current_ran_take(queue);
    struct sched_node *node = settle_locked(queue, thread);
    thread->debt_ns = 0;
    thread->entity.node.key += ran_ns;
    // Who comes anew then does not start before it: one after the other they have the share of one.
    if (__atomic_load_n(&thread->state, __ATOMIC_RELAXED) == THREAD_ENDED)
        start_advance(node, &thread->entity);
    thread->charged_ns += ran_ns;
    nodes_charge(node, (i64)ran_ns);
}

// How much more can be charged to a node and those above it, up to where the way up from another meets
// theirs. Who is far behind already may have all its threads on another CPU: charging it here would
// give the time to who sends the bill, and take it from those who wait beside.
static i64 room_ns(const struct sched_node *node, const struct sched_node *other) {
    i64 room_ns = (i64)LEAD_NS_MAX;
    while (node != other) {
        if (other->depth > node->depth) {
            other = other->parent;
            continue;
        }
        i64 lead_ns = (i64)(node->entity.node.key - node->parent->start_ns);
        i64 weight = (i64)__atomic_load_n(&node->group->weight, __ATOMIC_RELAXED);
        i64 left_ns = max((i64)LEAD_NS_MAX - lead_ns, 0l);
        room_ns = min(room_ns, left_ns * weight / (i64)SCHED_WEIGHT_DEFAULT);
        node = node->parent;
    }
    return room_ns;
}

i64 queue_rebill(struct run_queue *queue, const struct sched_group *from,
                 const struct sched_group *to, i64 ran_ns) {
    lock_acquire(&queue->lock);
    struct sched_node *payer = node_of(queue, to), *server = node_of(queue, from);
    nodes_settle(payer);
    ran_ns = min(ran_ns, room_ns(payer, server));
    nodes_charge(payer, ran_ns);
    nodes_charge(server, -ran_ns);
    lock_release(&queue->lock);
    return ran_ns;
}

void queue_add_current(struct run_queue *queue) {
    __atomic_store_n(&thread_current()->state, THREAD_RUNNABLE, __ATOMIC_RELAXED);
    queue_add(queue, thread_current());
}

void queue_leave_current(struct run_queue *queue) {
    if (thread_current()->debt_ns == 0 && queue_length(queue) == 0) return;
    lock_acquire(&queue->lock);
    charge_current_locked(queue);
    lock_release(&queue->lock);
}

void queue_hand_over(struct run_queue *queue) {
    struct thread *thread = thread_current();
    if (likely(queue_length(queue) == 0)) return;
    thread->debt_ns += current_ran_take(queue);
    if (likely(thread->debt_ns <= DEBT_NS_MAX)) return;
    // Who gets the CPU may have less right to it than others.
    arch_this_cpu()->work |= CPU_WORK_RESCHED;
    queue_leave_current(queue);
}

// ---- choosing ----

// Down the tree by least virtual time.
static struct thread *first_locked(struct run_queue *queue) REQUIRES(&queue->lock) {
    struct sched_entity *entity = first_of(&queue->root);
    while (entity && entity->node.tag)
        entity = first_of(container_of(entity, struct sched_node, entity));
    return entity ? container_of(entity, struct thread, entity) : nullptr;
}

// Compared where the ways up from both threads meet.
static bool prefers_locked(struct run_queue *queue, const struct thread *other)
    REQUIRES(&queue->lock) {
    struct thread *current = thread_current();
    const struct sched_entity *theirs = &other->entity;
    const struct sched_entity *ours = &current->entity;
    struct sched_node *above_theirs = node_of(queue, other->group);
    struct sched_node *above_ours = settle_locked(queue, current);
    u64 ran_ns = current->debt_ns + current_ran_ns(queue, arch_time_ns());
    u64 weighted = ran_ns;
    while (above_theirs != above_ours) {
        if (above_theirs->depth >= above_ours->depth) {
            theirs = &above_theirs->entity;
            above_theirs = above_theirs->parent;
        } else {
            ours = &above_ours->entity;
            weighted = (u64)weighted_ns(above_ours->group, (i64)ran_ns);
            above_ours = above_ours->parent;
        }
    }
    return theirs->node.key + MARGIN_NS < ours->node.key + weighted;
}

bool queue_prefers_other(struct run_queue *queue) {
    lock_acquire(&queue->lock);
    struct thread *first = first_locked(queue);
    bool prefers = first && prefers_locked(queue, first);
    lock_release(&queue->lock);
    return prefers;
}

static void take_locked(struct run_queue *queue, struct thread *thread) REQUIRES(&queue->lock) {
    struct sched_node *node = node_of(queue, thread->group);
    const struct sched_entity *entity = &thread->entity;
    for (struct sched_node *at = node; at; at = at->parent) {
        start_advance(at, entity);
        entity = &at->entity;
    }
    skew_remove(&node->ready, &thread->entity.node);
    for (; node->parent && !node->ready.first; node = node->parent) {
        node->is_queued = 0;
        skew_remove(&node->parent->ready, &node->entity.node);
    }
    __atomic_store_n(&queue->ready_count, queue->ready_count - 1, __ATOMIC_RELAXED);
}

struct thread *queue_take(struct run_queue *queue) {
    if (queue_length(queue) == 0) return nullptr;
    lock_acquire(&queue->lock);
    struct thread *thread = first_locked(queue);
    if (thread && thread != thread_current() && arch_thread_on_cpu(thread)) thread = nullptr;
    if (thread) take_locked(queue, thread);
    lock_release(&queue->lock);
    return thread;
}
