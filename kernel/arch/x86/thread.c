// Threads as the CPU sees them: first entry, switch, which page table is loaded.
//
// A CPU keeps the page tables of the thread that it ran last while it is idle; destroying them
// makes it leave (shootdown.c). A pmap's `cpus` names every CPU that may have entries of it in
// its TLB: set before the table is loaded, cleared after another one is.
#include "abi/errors.h"
#include "abi/types.h"
#include "cpu.h"
#include "lib/print.h"
#include "lib/string.h"

NORETURN void user_enter(struct arch_trap *trap);

struct arch_pmap kernel_pmap = {.process = &kernel_pmap};

void pmap_load(struct arch_cpu *cpu, struct arch_pmap *pmap, u64 cr3) {
    struct arch_pmap *old = cpu->pmap;
    __atomic_fetch_or(&pmap->cpus, cpu->bit, __ATOMIC_SEQ_CST);
    __atomic_fetch_or(&pmap->process->cpus, cpu->bit, __ATOMIC_SEQ_CST);
    cr3_write(cr3);
    cpu->cr3 = cr3;
    cpu->pmap = pmap;
    // Each may be freed as soon as its bit is clear.
    struct arch_pmap *old_process = old->process;
    if (old != pmap && old != pmap->process)
        __atomic_fetch_and(&old->cpus, ~cpu->bit, __ATOMIC_SEQ_CST);
    if (old_process != old && old_process != pmap->process)
        __atomic_fetch_and(&old_process->cpus, ~cpu->bit, __ATOMIC_SEQ_CST);
}

void arch_thread_set_pmap(struct thread *thread, struct arch_pmap *pmap) {
    struct arch_thread *t = arch_thread_of(thread);
    t->pmap = pmap;
    t->cr3 = t->normal_cr3 = pmap->top;
    t->restricted_cr3 = pmap->top_restricted;
    if (thread == arch_current_thread()) pmap_load(arch_cpu_self(), pmap, t->cr3);
}

// What this CPU remembers of a former stack in the same slot goes.
static void stack_clean(struct arch_thread *t) {
    for (u32 i = 1; i <= ARCH_KSTACK_PAGES; i++)
        tlb_flush_page(t->stack_top - i * PAGE_SIZE);
    t->stack_clean_cpus |= arch_cpu_self()->bit;
}

void arch_thread_init(struct thread *thread, u64 stack_top, void *vector,
                      void (*entry)(void *argument), void *argument) {
    struct arch_thread *t = arch_thread_of(thread);
    *t = (struct arch_thread){.stack_top = stack_top, .vector = vector, .cr3 = mmu_kernel_top};
    stack_clean(t);
    // What stack_switch returns to, and takes; and two words for alignment.
    u64 *sp = (u64 *)stack_top - 5;
    sp[0] = (u64)thread_start;
    sp[1] = (u64)argument;
    sp[2] = (u64)entry;
    t->rsp = (u64)sp;
}

void arch_thread_init_idle(struct thread *idle) {
    struct arch_cpu *cpu = arch_cpu_self();
    *arch_thread_of(idle) = (struct arch_thread){
        .stack_top = cpu->cpu.syscall_stack,
        .cr3 = mmu_kernel_top,
        .stack_clean_cpus = ~0ul,
        .on_cpu = 1,
    };
    cpu->cpu.current = idle;
}

static void vector_switch(struct arch_thread *prev, struct arch_thread *next) {
    if (prev->vector)
        asm volatile("xsave64 (%0)" ::"r"(prev->vector), "a"(~0u), "d"(~0u) : "memory");
    if (next->vector)
        asm volatile("xrstor64 (%0)" ::"r"(next->vector), "a"(~0u), "d"(~0u) : "memory");
}

// FS and GS of user mode; the user's GS base is the inactive one in the kernel. What one process left
// in the data selectors is not for the next to read; loading FS and GS touches their bases.
static void bases_switch(struct arch_thread *prev, const struct arch_thread *next) {
    asm volatile("rdfsbase %0\n\t"
                 "movl %4, %%ds\n\t"
                 "movl %4, %%es\n\t"
                 "movl %4, %%fs\n\t"
                 "wrfsbase %2\n\t"
                 "swapgs\n\t"
                 "rdgsbase %1\n\t"
                 "movl %4, %%gs\n\t"
                 "wrgsbase %3\n\t"
                 "swapgs"
                 : "=&r"(prev->fs_base), "=&r"(prev->gs_base)
                 : "r"(next->fs_base), "r"(next->gs_base), "r"(0));
}

// Goes on where `to` was switched away from, on its stack. Returns, one day, in `from`; whom this
// CPU ran before that is the result.
static inline struct arch_thread *stack_switch(struct arch_thread *from, struct arch_thread *to) {
    asm volatile("pushq %%rbp\n\t"
                 "pushq $1f\n\t"
                 "movq %%rsp, %c[rsp](%%rdi)\n\t"
                 "movq %c[rsp](%%rsi), %%rsp\n\t"
                 "ret\n"
                 "1:\n\t"
                 "popq %%rbp"
                 : "+D"(from), "+S"(to)
                 : [rsp] "i"(offsetof(struct arch_thread, rsp))
                 : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
                   "memory", "cc");
    return from;
}

// Restricted runs that were armed or go on belong to their thread.
static void restricted_work_switch(struct cpu *cpu, const struct arch_thread *to) {
    cpu->work &= ~CPU_WORK_RESTRICTED;
    if (to->armed) cpu->work |= CPU_WORK_RESTRICTED;
}

CHANGES_ALL void arch_context_switch(struct thread *prev, struct thread *next) {
    struct arch_thread *from = arch_thread_of(prev);
    struct arch_thread *to = arch_thread_of(next);
    struct arch_cpu *cpu = arch_cpu_self();
    DASSERT(!arch_interrupts_enabled() && prev == cpu->cpu.current && prev != next);
    if (unlikely(!(to->stack_clean_cpus & cpu->bit))) stack_clean(to);
    // Before looking for kicks and kills: who sets one looks here afterwards, for an interrupt.
    __atomic_store_n(&to->on_cpu, 1, __ATOMIC_SEQ_CST);
    vector_switch(from, to);
    bases_switch(from, to);
    if (from->pmap) cpu->cr3 = from->cr3; // restricted mode switches without telling
    if (to->pmap && to->cr3 != cpu->cr3) pmap_load(cpu, to->pmap, to->cr3);
    cpu->cpu.current = next;
    cpu->cpu.syscall_stack = to->stack_top;
    cpu->tss.rsp[0] = to->stack_top - sizeof(struct restricted_frame);
    cpu->cpu.restricted = to->restricted;
    if (unlikely(from->armed | to->armed)) restricted_work_switch(&cpu->cpu, to);
    thread_switched((struct thread *)stack_switch(from, to));
}

bool arch_thread_on_cpu(const struct thread *thread) {
    return __atomic_load_n(&((const struct arch_thread *)thread)->on_cpu, __ATOMIC_ACQUIRE);
}

void arch_user_enter(const struct arch_user_start *start) {
    struct arch_trap trap = {
        .rip = start->ip,
        .cs = SELECTOR_USER_CODE,
        .rflags = RFLAGS_FIXED,
        .rsp = start->sp,
        .ss = SELECTOR_USER_DATA,
        .rdi = start->arg[0],
        .rsi = start->arg[1],
        .rdx = start->arg[2],
        .rcx = start->arg[3],
        .r8 = start->arg[4],
    };
    user_enter(&trap);
}
