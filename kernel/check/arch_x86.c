// The checks' view of the machine: other CPUs stand still, page tables and stacks are read.
//
// A CPU stands still in an interrupt, which comes only where the kernel lets them in: in user mode,
// idle, and between the steps of long work. There it serves the shoot-downs of those that are not
// there yet.
// The linker gives the calls of these functions to us first (--wrap, pybuild/parts.py).
#include "arch/x86/cpu.h"
#include "arch/x86/paging.h"
#include "check/check.h"
#include "drivers/apic.h"
#include "drivers/serial.h"
#include "object/aspace.h"
#include "object/boot.h"
#include "object/thread_object.h"

enum : u64 { PAUSE_NS = 10'000'000, CALL_CHECK = 0x636865636b };
enum { PROCESS_SLOT = 255, LAST_SLOT = TABLE_ENTRIES - 1 };

static u32 stop_wanted, standing;
static u64 standing_rsp[MAX_CPUS];

// ---- standing still ----

static void stand_still(void) {
    standing_rsp[arch_cpu_id()] = (u64)__builtin_frame_address(0);
    __atomic_fetch_add(&standing, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&stop_wanted, __ATOMIC_SEQ_CST))
        arch_spin_poll();
    __atomic_fetch_sub(&standing, 1, __ATOMIC_SEQ_CST);
}

// Called in each interrupt, and nowhere else. (shootdown_serve() is not the place: who spins calls it
// too, with locks held, or is the one that waits for the others to stand still.)
void __real_apic_eoi(void);
void __wrap_apic_eoi(void) {
    __real_apic_eoi();
    if (__atomic_load_n(&stop_wanted, __ATOMIC_SEQ_CST)) stand_still();
}

void check_stop_others(void) {
    while (__atomic_exchange_n(&stop_wanted, 1, __ATOMIC_SEQ_CST))
        stand_still();
    for (u32 cpu = 0; cpu < arch_cpu_count(); cpu++)
        if (cpu != arch_cpu_id()) apic_send(cpu, VECTOR_SHOOTDOWN);
    while (__atomic_load_n(&standing, __ATOMIC_SEQ_CST) != arch_cpu_count() - 1)
        arch_spin_poll();
    standing_rsp[arch_cpu_id()] = (u64)__builtin_frame_address(0);
}

void check_go_on(void) {
    __atomic_store_n(&stop_wanted, 0, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&standing, __ATOMIC_SEQ_CST))
        arch_spin_poll();
}

void check_pause(void) {
    static struct lock lock = LOCK_INIT(LOCK_OBJECT);
    static struct waitq nobody = {.threads = LIST_INIT(nobody.threads)};
    lock_acquire(&lock);
    (void)waitq_block(&nobody, &lock, arch_time_ns() + PAUSE_NS, 0);
}

// ---- page tables ----

static bool has_structure(u64 paddr) { return page_from_paddr(paddr)->refs != 0; }

struct walk {
    void *argument;
    void (*entry)(void *argument, u64 va, struct page *page, u32 rights);
};

static u32 rights_of(u64 entry) {
    if (!(entry & PTE_PRESENT)) return 0;
    return ARCH_MAP_READ | (entry & PTE_WRITE ? ARCH_MAP_WRITE : 0) |
           (entry & PTE_NX ? 0 : ARCH_MAP_EXECUTE);
}

// What is below an entry of a table of `level`. Recursion is as deep as tables are.
static void walk_tables(const struct walk *walk, u64 entry, u32 level, u64 va) {
    if (entry == 0) return;
    if (level == 0) {
        walk->entry(walk->argument, va, page_from_paddr(entry & PTE_ADDRESS), rights_of(entry));
        return;
    }
    found_page(page_from_paddr(entry & PTE_ADDRESS));
    u64 *table = table_of(entry);
    const u64 *last = table + TABLE_ENTRIES;
    for (u64 *at = pmap_entry_next(table, last); at < last; at = pmap_entry_next(at + 1, last))
        walk_tables(walk, *at, level - 1,
                    va + ((u64)(at - table) << (PAGE_SHIFT + 9 * (level - 1))));
}

void check_pmap(struct arch_pmap *pmap, void *argument,
                void (*entry)(void *argument, u64 va, struct page *page, u32 rights)) {
    const struct walk walk = {argument, entry};
    const u64 *top = table_of(pmap->top);
    bool is_restricted = pmap->top_restricted != 0;
    found_page(page_from_paddr(pmap->top));
    if (is_restricted) found_page(page_from_paddr(pmap->top_restricted));
    for (u32 slot = is_restricted ? 0 : PROCESS_SLOT; slot < PROCESS_SLOT + !is_restricted;
         slot++) {
        walk_tables(&walk, top[slot], 3, (u64)slot << (PAGE_SHIFT + 27));
        const struct aspace *aspace = container_of(pmap, struct aspace, pmap);
        if (is_restricted)
            check_equal(&aspace->base, "an entry of the two top-level tables", top[slot],
                        table_of(pmap->top_restricted)[slot]);
    }
}

// ---- stacks ----

static u64 *kernel_entry(u64 va) {
    u64 *table = arch_direct(mmu_kernel_top);
    for (u32 level = 3; level > 0; level--)
        table = table_of(table[table_index(va, level)]);
    return &table[table_index(va, 0)];
}

// From where on a thread's stack is used.
static u64 stack_from(const struct thread *thread) {
    for (u32 cpu = 0; cpu < arch_cpu_count(); cpu++)
        if (arch_cpu(cpu)->current == thread) return standing_rsp[cpu];
    return thread->arch.rsp;
}

void check_stack(struct thread_object *object) {
    u64 top = object->thread.arch.stack_top;
    if (!top) return;
    u64 bottom = top - ARCH_KSTACK_PAGES * PAGE_SIZE;
    for (u32 i = 0; i < ARCH_KSTACK_PAGES; i++)
        found_page(page_from_paddr(*kernel_entry(bottom + i * PAGE_SIZE) & PTE_ADDRESS));
    u64 from = stack_from(&object->thread);
    if (from < bottom || from > top) from = bottom;
    for (const u64 *word = (const u64 *)from; word < (const u64 *)top; word++) {
        struct found *found = found_find(*word);
        if (found) found->words++;
    }
}

// The tables of the area of stacks; those made at boot have no structure.
void check_machine_pages(void) {
    const u64 *top = arch_direct(mmu_kernel_top);
    const u64 *second = table_of(top[LAST_SLOT]);
    for (u64 va = ARCH_KSTACK_BASE; va < ARCH_KSTACK_BASE + GIB(1); va += MIB(2)) {
        u64 entry = second[table_index(va, 2)];
        if (va == ARCH_KSTACK_BASE && has_structure(entry & PTE_ADDRESS))
            found_page(page_from_paddr(entry & PTE_ADDRESS));
        entry = entry ? table_of(entry)[table_index(va, 1)] : 0;
        if (entry && has_structure(entry & PTE_ADDRESS))
            found_page(page_from_paddr(entry & PTE_ADDRESS));
    }
}

// What a TLB remembers is its own; no sanitizer hears of freed memory.
bool check_tlbs(struct arch_pmap *) { return true; }

void check_hide(const void *, usize) {}

void check_show(const void *, usize) {}

// ---- when ----

// What is in use now is the drivers'.
void __real_boot_start_init(void);
void __wrap_boot_start_init(void) {
    u64 frames = arch_memory_end() >> PAGE_SHIFT;
    for (u64 i = 0; i < frames; i++)
        if (page_array[i].refs) page_array[i].flags |= FOUND_AT_BOOT;
    __real_boot_start_init();
}

// Freed memory looks like a lock that somebody holds for ever.
void __real_lock_debug_acquire(const struct lock *lock, enum lock_order order);
void __wrap_lock_debug_acquire(const struct lock *lock, enum lock_order order) {
    if (lock->rank == LOCK_NONE || lock->rank > LOCK_SERIAL || lock->word > 1)
        panic("check: what is at %p is no lock (any more)", (const void *)lock);
    __real_lock_debug_acquire(lock, order);
}

// A CPU whose page tables are none any more can't even say so.
CHANGES_ALL void __real_arch_context_switch(struct thread *prev, struct thread *next);
CHANGES_ALL void __wrap_arch_context_switch(struct thread *prev, struct thread *next) {
    u64 top = next->arch.cr3;
    if (next->arch.pmap && (!has_structure(top & PTE_ADDRESS) ||
                            table_of(top)[LAST_SLOT] != table_of(mmu_kernel_top)[LAST_SLOT]))
        panic("check: what is at %lx is no top-level table (any more)", top);
    __real_arch_context_switch(prev, next);
}

// Saves what its callers keep in registers, so that it is found on the stack.
[[gnu::noinline]] static void check_with_registers(void) {
    asm volatile("" ::: "rbx", "r12", "r13", "r14", "r15", "memory");
    object_check_or_panic();
    asm volatile("" ::: "rbx", "r12", "r13", "r14", "r15", "memory");
}

void __real_arch_poweroff(enum arch_poweroff_kind kind);
void __wrap_arch_poweroff(enum arch_poweroff_kind kind) {
    if (!panic_running()) check_with_registers();
    serial_drain();
    __real_arch_poweroff(kind);
}

// A system call that no released kernel has: for tests.
void __real_syscall_unknown(struct syscall_args *args);
void __wrap_syscall_unknown(struct syscall_args *args) {
    if (args->number != CALL_CHECK) {
        __real_syscall_unknown(args);
        return;
    }
    check_with_registers();
    args->status = OK;
}
