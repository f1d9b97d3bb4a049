// TLB shoot-down: making other CPUs forget translations.
//
// Each CPU has one request of its own (shoot_start ... in struct arch_cpu), and a word with a bit
// for each CPU whose request it has yet to serve. A sender fills its request, sets shoot_pending
// to the CPUs concerned, sets its bit at each of them, interrupts them, and waits until
// shoot_pending is empty, serving the requests of others meanwhile. So no order of locks or
// interrupt state can make two of them wait for each other: whoever spins serves.
#include "cpu.h"
#include "drivers/apic.h"
#include "paging.h"

enum { FLUSH_ALL_PAGES = 32 }; // more than this: reload CR3

static void forget(u64 start, u64 end) {
    if ((end - start) / PAGE_SIZE > FLUSH_ALL_PAGES) {
        cr3_write(cr3_read());
        return;
    }
    for (u64 va = start; va < end; va += PAGE_SIZE)
        tlb_flush_page(va);
}

static void request_serve(struct arch_cpu *cpu, const struct arch_cpu *sender) {
    const struct arch_pmap *leave = sender->shoot_leave;
    if (!leave)
        forget(sender->shoot_start, sender->shoot_end);
    else if (cpu->pmap == leave || cpu->pmap->process == leave)
        pmap_load(cpu, &kernel_pmap, mmu_kernel_top);
}

void shootdown_serve(void) {
    struct arch_cpu *cpu = arch_cpu_self();
    u64 senders = __atomic_exchange_n(&cpu->shoot_senders, 0, __ATOMIC_ACQUIRE);
    while (senders) {
        struct arch_cpu *sender = cpu_table[__builtin_ctzl(senders)];
        senders &= senders - 1;
        request_serve(cpu, sender);
        __atomic_fetch_and(&sender->shoot_pending, ~cpu->bit, __ATOMIC_RELEASE);
    }
}

void arch_spin_poll(void) {
    if (unlikely(__atomic_load_n(&arch_cpu_self()->shoot_senders, __ATOMIC_RELAXED)))
        shootdown_serve();
    cpu_pause();
}

// The request is filled in; has `cpus` serve it, this one first, and waits for all.
static void request(struct arch_cpu *cpu, u64 cpus) {
    if (cpus & cpu->bit) request_serve(cpu, cpu);
    cpus &= ~cpu->bit;
    if (likely(cpus == 0)) return;
    __atomic_store_n(&cpu->shoot_pending, cpus, __ATOMIC_SEQ_CST);
    for (u64 rest = cpus; rest; rest &= rest - 1) {
        u32 target = (u32)__builtin_ctzl(rest);
        if (__atomic_fetch_or(&cpu_table[target]->shoot_senders, cpu->bit, __ATOMIC_SEQ_CST) == 0)
            apic_send(target, VECTOR_SHOOTDOWN);
    }
    while (__atomic_load_n(&cpu->shoot_pending, __ATOMIC_ACQUIRE))
        arch_spin_poll();
}

void shootdown_range(u64 cpus, u64 start, u64 end) {
    struct arch_cpu *cpu = arch_cpu_self();
    cpu->shoot_start = start;
    cpu->shoot_end = end;
    cpu->shoot_leave = nullptr;
    request(cpu, cpus);
}

void shootdown_leave(struct arch_pmap *pmap) {
    struct arch_cpu *cpu = arch_cpu_self();
    cpu->shoot_leave = pmap;
    request(cpu, __atomic_load_n(&pmap->cpus, __ATOMIC_SEQ_CST));
}
