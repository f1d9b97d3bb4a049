// The event thread waits at a port, until the first timer's deadline at most. Whoever sets an
// earlier deadline kicks it.
#include "linux/events.h"

#include "lib/mutex.h"
#include "linux/abi.h"
#include "linux/kernel_if.h"
#include "linux/thread.h"

static struct {
    struct mutex lock;
    // under lock:
    handle_t port GUARDED_BY(&lock);         // 0: nothing was needed yet
    struct thread *thread GUARDED_BY(&lock); // NULL: not yet
    struct list timers GUARDED_BY(&lock);    // by deadline
    struct list watches GUARDED_BY(&lock);   // the armed ones
    const void *running GUARDED_BY(&lock);   // whose function runs just now
    u32 runs;                                // atomic; functions that have returned
} events = {
    .timers = LIST_INIT(events.timers),
    .watches = LIST_INIT(events.watches),
};

static void function_begin_locked(struct list *node, const void *owner) REQUIRES(&events.lock) {
    list_remove(node);
    events.running = owner;
}

static void function_end(void) {
    mutex_lock(&events.lock);
    events.running = NULL;
    mutex_unlock(&events.lock);
    __atomic_fetch_add(&events.runs, 1, __ATOMIC_SEQ_CST);
    kernel_futex_wake(&events.runs, ~0U);
}

// Returns when the owner's function does not run, at once in that function itself.
static void function_await(const void *owner) {
    for (;;) {
        u32 runs = __atomic_load_n(&events.runs, __ATOMIC_SEQ_CST);
        mutex_lock(&events.lock);
        bool is_running = events.running == owner && events.thread != thread_current();
        mutex_unlock(&events.lock);
        if (!is_running) return;
        kernel_futex_wait(&events.runs, runs, WAIT_PLAIN, DEADLINE_NEVER);
    }
}

static struct event_timer *timer_first_locked(void) REQUIRES(&events.lock) {
    return list_first(&events.timers, struct event_timer, node);
}

static void timers_fire(void) {
    u64 now_ns = kernel_monotonic_ns();
    mutex_lock(&events.lock);
    struct event_timer *timer;
    while ((timer = timer_first_locked()) && timer->deadline_ns <= now_ns) {
        function_begin_locked(&timer->node, timer);
        mutex_unlock(&events.lock);
        timer->fire(timer);
        function_end();
        mutex_lock(&events.lock);
    }
    mutex_unlock(&events.lock);
}

// The key is the watch's address, if it is armed still.
static void watch_report(u64 key, u32 observed) {
    struct event_watch *watch;
    mutex_lock(&events.lock);
    list_for_each(watch, &events.watches, node) {
        if ((u64)watch != key) continue;
        function_begin_locked(&watch->node, watch);
        mutex_unlock(&events.lock);
        watch->ready(watch, observed);
        function_end();
        return;
    }
    mutex_unlock(&events.lock);
}

static u64 deadline_next(handle_t *port) {
    mutex_lock(&events.lock);
    struct event_timer *timer = timer_first_locked();
    u64 deadline_ns = timer ? timer->deadline_ns : DEADLINE_NEVER;
    *port = events.port;
    mutex_unlock(&events.lock);
    return deadline_ns;
}

[[noreturn]] static void event_thread(void *) {
    for (;;) {
        u64 key;
        u32 observed;
        handle_t port;
        u64 deadline_ns = deadline_next(&port);
        int result = kernel_port_wait(port, deadline_ns, &key, &observed);
        if (result == 0) watch_report(key, observed);
        if (deadline_ns != DEADLINE_NEVER) timers_fire();
    }
}

static int thread_need_locked(void) REQUIRES(&events.lock) {
    if (events.thread) return 0;
    int result = events.port ? 0 : kernel_port_create(&events.port);
    struct thread *thread = result == 0 ? thread_alloc() : NULL;
    if (!thread) return -ENOMEM;
    // Set first: the new thread looks at it.
    events.thread = thread;
    result = kernel_thread_start(event_thread, thread_stack_top(thread), thread, &thread->handle);
    if (result != 0) {
        events.thread = NULL;
        thread_free(thread);
    }
    return result;
}

void event_timer_init(struct event_timer *timer, void (*fire)(struct event_timer *timer)) {
    list_init(&timer->node);
    timer->fire = fire;
}

static void timer_insert_locked(struct event_timer *timer) REQUIRES(&events.lock) {
    struct event_timer *later;
    list_for_each(later, &events.timers, node) {
        if (later->deadline_ns > timer->deadline_ns) break;
    }
    list_insert_tail(&later->node, &timer->node);
}

int event_timer_set(struct event_timer *timer, u64 deadline_ns) {
    int result = 0;
    mutex_lock(&events.lock);
    list_remove(&timer->node);
    timer->deadline_ns = deadline_ns;
    if (deadline_ns != DEADLINE_NEVER) result = thread_need_locked();
    if (deadline_ns != DEADLINE_NEVER && result == 0) {
        timer_insert_locked(timer);
        if (timer_first_locked() == timer && events.thread != thread_current())
            kernel_thread_kick(events.thread->handle);
    }
    mutex_unlock(&events.lock);
    return result;
}

void event_timer_stop(struct event_timer *timer) {
    mutex_lock(&events.lock);
    list_remove(&timer->node);
    mutex_unlock(&events.lock);
}

void event_timer_cancel(struct event_timer *timer) {
    do {
        event_timer_stop(timer); // again after a wait: fire may have set it anew
        function_await(timer);
        mutex_lock(&events.lock);
        bool is_set = !list_is_empty(&timer->node);
        mutex_unlock(&events.lock);
        if (!is_set) return;
    } while (true);
}

void event_watch_init(struct event_watch *watch,
                      void (*ready)(struct event_watch *watch, u32 observed)) {
    list_init(&watch->node);
    watch->ready = ready;
}

static int watch_arm_locked(struct event_watch *watch, handle_t object, u32 signals)
    REQUIRES(&events.lock) {
    int result = thread_need_locked();
    if (result != 0) return result;
    list_insert_tail(&events.watches, &watch->node);
    result = kernel_port_watch(events.port, object, signals, (u64)watch);
    if (result != 0) list_remove(&watch->node);
    return result;
}

int event_watch_arm(struct event_watch *watch, handle_t object, u32 signals) {
    mutex_lock(&events.lock);
    bool is_armed = !list_is_empty(&watch->node);
    int result = is_armed ? 0 : watch_arm_locked(watch, object, signals);
    mutex_unlock(&events.lock);
    return result;
}

void event_unwatch(struct event_watch *watch) {
    bool is_armed;
    do {
        mutex_lock(&events.lock);
        if (!list_is_empty(&watch->node)) {
            list_remove(&watch->node);
            kernel_port_unwatch(events.port, (u64)watch);
        }
        mutex_unlock(&events.lock);
        function_await(watch);
        mutex_lock(&events.lock);
        is_armed = !list_is_empty(&watch->node);
        mutex_unlock(&events.lock);
    } while (is_armed);
}
