// POSIX timers: each tells of its expiry by one signal at a time; how often it ran over until that
// was taken is counted and told with it.
#include "lib/heap.h"
#include "linux/kernel_if.h"
#include "linux/timers.h"

enum { OVERRUN_MAX = 0x7fffffff };
// A period that nobody takes a signal of is this long at least, as on Linux with its ticks: shorter
// ones would keep the event thread busy.
enum : u64 { UNTAKEN_NS_MIN = 4'000'000 };

struct posix_timer *posix_timer_find_locked(struct process_timers *timers, i32 id) {
    struct posix_timer *timer;
    list_for_each(timer, &timers->posix, node) {
        if (timer->id == id) {
            return timer;
        }
    }
    return NULL;
}

bool posix_timer_uses_cpu(const struct posix_timer *timer) {
    return timer->clock == CLOCK_PROCESS_CPUTIME || timer->clock == CLOCK_THREAD_CPUTIME;
}

// One that tells nobody only runs in thought, when it is asked for.
static int timer_arm_locked(struct posix_timer *timer) REQUIRES(&tasks.lock) {
    u64 deadline_ns = timer->times.deadline_ns;
    if (posix_timer_uses_cpu(timer) || timer->notify == SIGEV_NONE) return 0;
    return event_timer_set(&timer->event, deadline_ns ? deadline_ns : DEADLINE_NEVER);
}

static bool is_queued_locked(const struct posix_timer *timer) REQUIRES(&tasks.lock) {
    struct queued_signal *queued;
    list_for_each(queued, &timer->process->queued, node) {
        if (queued->timer == timer) {
            return true;
        }
    }
    return false;
}

// While the signal is pending the timer waits with its old deadline.
void posix_timer_expire_locked(struct posix_timer *timer, u64 now_ns) {
    if (timer->notify == SIGEV_NONE || timer->times.deadline_ns == 0 ||
        timer->times.deadline_ns > now_ns) {
        return;
    }
    signal_send_locked(timer->process, &(struct queued_signal){.signal = timer->signal,
                                                               .code = SI_TIMER,
                                                               .pid = timer->id,
                                                               .value = timer->value,
                                                               .timer = timer});
    timer->is_waiting = is_queued_locked(timer);
    if (!timer->is_waiting) {
        bool is_short = timer->times.interval_ns < UNTAKEN_NS_MIN;
        timer_times_forward(&timer->times, now_ns + (is_short ? UNTAKEN_NS_MIN : 0));
        timer_arm_locked(timer);
    }
}

void posix_timer_taken_locked(struct posix_timer *timer, struct queued_signal *signal) {
    u64 now_ns =
        posix_timer_uses_cpu(timer) ? process_cpu_ns(timer->process) : kernel_monotonic_ns();
    timer->is_waiting = false;
    timer->overrun = 0;
    u64 periods = timer_times_forward(&timer->times, now_ns);
    if (periods > 0) {
        timer->overrun = min(periods - 1, (u64)OVERRUN_MAX);
        timer_arm_locked(timer);
    }
    signal->uid = (u32)timer->overrun;
}

static void timer_fire(struct event_timer *event) {
    struct posix_timer *timer = container_of(event, struct posix_timer, event);
    mutex_lock(&tasks.lock);
    if (!timer->is_waiting) {
        posix_timer_expire_locked(timer, kernel_monotonic_ns());
    }
    mutex_unlock(&tasks.lock);
}

// A signal that is on its way comes, without a timer behind it.
static void timer_forget_locked(struct posix_timer *timer) REQUIRES(&tasks.lock) {
    struct queued_signal *queued;
    list_for_each(queued, &timer->process->queued, node) {
        if (queued->timer == timer) {
            queued->timer = NULL;
        }
    }
    timer->is_waiting = false;
}

int posix_timer_set_locked(struct posix_timer *timer, const struct timer_times *times) {
    timer_forget_locked(timer);
    timer->times = *times;
    timer->overrun = 0;
    return timer_arm_locked(timer);
}

// The signal of each is counted from the beginning, so that it can't be refused later.
int posix_timer_create(struct process *process, struct posix_timer *timer) {
    mutex_lock(&tasks.lock);
    bool is_one_more = tasks.signals_queued < process->limits[RLIMIT_SIGPENDING].current;
    struct process_timers *timers = is_one_more ? timers_need_locked(process) : NULL;
    if (timers) {
        tasks.signals_queued++;
        timer->process = process;
        timer->id = timers->next_id++;
        event_timer_init(&timer->event, timer_fire);
        list_insert_tail(&timers->posix, &timer->node);
    }
    mutex_unlock(&tasks.lock);
    return timers ? 0 : -ENOMEM;
}

static void timer_free(struct posix_timer *timer) {
    event_timer_cancel(&timer->event);
    heap_free(timer);
}

int posix_timer_delete(struct process *process, i32 id) {
    mutex_lock(&tasks.lock);
    struct posix_timer *timer =
        process->timers ? posix_timer_find_locked(process->timers, id) : NULL;
    if (timer) {
        list_remove(&timer->node);
        tasks.signals_queued--;
        timer_forget_locked(timer);
        timer->times = (struct timer_times){};
    }
    mutex_unlock(&tasks.lock);
    if (!timer) {
        return -EINVAL;
    }
    timer_free(timer);
    return 0;
}

void posix_timers_release(struct process_timers *timers) {
    struct posix_timer *timer;
    for (;;) {
        mutex_lock(&tasks.lock);
        timer = list_first(&timers->posix, struct posix_timer, node);
        i32 id = timer ? timer->id : 0;
        mutex_unlock(&tasks.lock);
        if (!timer) {
            return;
        }
        posix_timer_delete(timers->process, id);
    }
}
