// Threads: a pthread each. A switch lets the next one run, as this CPU, and then waits to be let
// run again.
#include "host.h"
#include "lib/print.h"
#include "mm/page.h"
#include "os.h"
#include "sched/thread.h"

struct host_thread {
    struct host_gate *gate; // posted when it is switched to
    struct cpu *cpu;        // which it is then, and after whom; set by who switches
    struct thread *prev;
    void (*entry)(void *argument);
    void *argument;
    bool is_started;
};

static struct host_thread *host_thread_create(void (*entry)(void *), void *argument) {
    struct host_thread *host = host_os_alloc(sizeof(*host));
    host->gate = host_gate_create();
    host->entry = entry;
    host->argument = argument;
    return host;
}

void arch_thread_init(struct thread *thread, u64 stack_top, void *vector,
                      void (*entry)(void *argument), void *argument) {
    (void)vector;
    thread->arch.stack_top = stack_top;
    thread->arch.entry = entry;
    thread->arch.argument = argument;
}

void arch_thread_init_idle(struct thread *idle) {
    idle->arch.host = host_thread_create(nullptr, nullptr);
    idle->arch.host->is_started = true;
    __atomic_store_n(&idle->arch.on_cpu, 1, __ATOMIC_RELAXED);
    host_cpu->current = idle;
}

static void thread_main(void *argument) {
    struct host_thread *host = argument;
    host_cpu = host->cpu;
    thread_switched(host->prev);
    host->entry(host->argument);
    panic("a thread's entry returned");
}

void arch_context_switch(struct thread *prev, struct thread *next) {
    struct host_thread *leaving = prev->arch.host;
    if (!next->arch.host)
        next->arch.host = host_thread_create(next->arch.entry, next->arch.argument);
    struct host_thread *coming = next->arch.host;
    bool has_ended = __atomic_load_n(&prev->state, __ATOMIC_RELAXED) == THREAD_ENDED;
    coming->cpu = host_cpu;
    coming->prev = prev;
    host_cpu->current = next;
    __atomic_store_n(&next->arch.on_cpu, 1, __ATOMIC_RELAXED);
    // From here on `next` runs, and may free prev if it has ended.
    if (coming->is_started) {
        host_gate_post(coming->gate);
    } else {
        coming->is_started = true;
        host_os_thread_start(thread_main, coming);
    }
    if (has_ended) {
        host_gate_destroy(leaving->gate);
        host_os_free(leaving);
        host_os_thread_exit();
    }
    host_gate_wait(leaving->gate, ARCH_TIMER_OFF);
    host_cpu = leaving->cpu;
    thread_switched(leaving->prev);
}

bool arch_thread_on_cpu(const struct thread *thread) {
    return __atomic_load_n(&thread->arch.on_cpu, __ATOMIC_ACQUIRE) != 0;
}

void arch_thread_set_pmap(struct thread *thread, struct arch_pmap *pmap) {
    thread->arch.pmap = pmap;
}

// "User mode" is a function of the process, never returning, in the entry's place.
host_user_entry host_user_code;

void arch_user_enter(const struct arch_user_start *start) {
    bool is_user = start->ip >= ARCH_USER_SPLIT;
    host_user_entry entry = is_user ? host_user_code : (host_user_entry)start->ip;
    host_user_return();
    entry(start->arg[0], start->arg[1]);
    panic("a user's entry returned");
}

// The pages are counted, and not used: a pthread has a stack of its own.
u64 arch_kstack_alloc(struct ledger *payer, struct ledger *) {
    struct page *page = page_alloc(payer, PAGE_KERNEL | PAGE_DIRTY);
    return page ? (u64)page_address(page) + PAGE_SIZE : 0;
}

void arch_kstack_free(u64 stack_top) {
    page_put(page_from_paddr(arch_paddr((void *)(stack_top - PAGE_SIZE))));
}

usize arch_vector_size(void) { return 64; }

void arch_vector_init(void *area) { (void)area; }
