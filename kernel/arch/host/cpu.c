// CPUs: each is a pthread to begin with (its idle thread); from then on a CPU is wherever the
// thread is that runs on it. Interrupts (a wanted look at the run queue, the timer) wait until the
// CPU lets them in.
#include "host.h"
#include "lib/print.h"
#include "os.h"
#include "sched/thread.h"

_Thread_local struct cpu *host_cpu;

static struct host_cpu_state {
    struct cpu cpu;
    struct host_gate *gate; // posted to end arch_idle()
    u32 interrupted;        // atomic
    u64 deadline_ns;        // own CPU only
} cpus[MAX_CPUS];
static u32 cpu_count;

static struct host_cpu_state *state_of(struct cpu *cpu) {
    return container_of(cpu, struct host_cpu_state, cpu);
}

u32 arch_cpu_count(void) { return cpu_count; }

struct cpu *arch_cpu(u32 id) { return &cpus[id].cpu; }

void host_cpus_init(u32 count) {
    cpu_count = count;
    for (u32 i = 0; i < count; i++) {
        cpus[i].cpu.self = &cpus[i].cpu;
        cpus[i].cpu.id = i;
        cpus[i].gate = host_gate_create();
        cpus[i].deadline_ns = ARCH_TIMER_OFF;
    }
    host_cpu = &cpus[0].cpu;
}

static void cpu_main(void *argument) {
    host_cpu = argument;
    cpu_start();
}

void arch_smp_start(void) {
    for (u32 i = 1; i < cpu_count; i++)
        host_os_thread_start(cpu_main, &cpus[i].cpu);
}

void arch_interrupts_open(void) {
    struct host_cpu_state *state = state_of(host_cpu);
    if (__atomic_exchange_n(&state->interrupted, 0, __ATOMIC_ACQUIRE))
        state->cpu.work |= CPU_WORK_RESCHED;
    if (arch_time_ns() >= state->deadline_ns) {
        state->deadline_ns = ARCH_TIMER_OFF;
        timer_interrupt();
    }
}

void arch_idle(void) {
    struct host_cpu_state *state = state_of(host_cpu);
    host_gate_wait(state->gate, state->deadline_ns);
    arch_interrupts_open();
}

void arch_ipi_resched(u32 cpu_id) {
    __atomic_store_n(&cpus[cpu_id].interrupted, 1, __ATOMIC_RELEASE);
    host_gate_post(cpus[cpu_id].gate);
}

void arch_timer_set_ns(u64 deadline_ns) { state_of(host_cpu)->deadline_ns = deadline_ns; }

void arch_timer_sooner_ns(u64 deadline_ns) {
    if (deadline_ns < state_of(host_cpu)->deadline_ns) arch_timer_set_ns(deadline_ns);
}

void arch_spin_poll(void) { host_os_relax(); }

u64 arch_time_ns(void) { return host_os_time_ns(); }

void host_time_stop(void) { host_os_time_stop(); }

u64 arch_boot_wall_s(void) { return 0; }

void arch_time_scale(u64 *tsc_base, u64 *ns_per_tsc) { *tsc_base = *ns_per_tsc = 0; }

u64 arch_entropy(void) { return host_os_random(); }

void host_user_return(void) {
    arch_interrupts_open();
    while (host_cpu->work & CPU_WORK_RESCHED)
        sched_return_work();
}

// ---- locks ----

void lock_wait(struct lock *lock) {
    do {
        while (__atomic_load_n(&lock->word, __ATOMIC_RELAXED))
            arch_spin_poll();
    } while (__atomic_exchange_n(&lock->word, 1, __ATOMIC_ACQUIRE));
}

void lock_debug_acquire(const struct lock *lock, enum lock_order order) {
    struct cpu *cpu = host_cpu;
    // Freed memory looks like a lock that somebody holds for ever.
    if (lock->rank == LOCK_NONE || lock->rank > LOCK_SERIAL)
        panic("what is at %p is no lock (any more)", (const void *)lock);
    for (u32 i = 0; i < cpu->held_count && order != LOCK_TRIED; i++) {
        u32 held = cpu->held[i]->rank;
        if (cpu->held[i] == lock || held > lock->rank ||
            (held == lock->rank && order != LOCK_SAME_RANK))
            panic("lock of rank %u taken while holding one of rank %u", lock->rank, held);
    }
    ASSERT(cpu->held_count < CPU_HELD_LOCKS);
    cpu->held[cpu->held_count++] = lock;
}

void lock_debug_release(const struct lock *lock) {
    struct cpu *cpu = host_cpu;
    for (u32 i = cpu->held_count; i-- > 0;) {
        if (cpu->held[i] != lock) continue;
        cpu->held[i] = cpu->held[--cpu->held_count];
        return;
    }
    panic("lock of rank %u released by a CPU that does not hold it", lock->rank);
}
