// The kernel's half of the address space: image, direct map, kernel stacks, device registers.
//
// The top-level slots are made at boot and never change, so every other top-level table copies
// them once. Below, only the stack area and the device area change, under mmu_lock. Stack pages
// are global and unmapped without a shoot-down: a CPU drops what it may remember of a stack
// before it first runs the stack's thread (thread.c).
#include "cpu.h"
#include "lib/print.h"
#include "mm/page.h"
#include "paging.h"

// As many slots as 192 GiB of memory are stacks: threads pay for theirs, so memory ends first.
enum : u64 { KSTACK_END = ARCH_MMIO_BASE, MMIO_END = ARCH_MMIO_BASE + GIB(1) };
enum { DIRECT_SLOT = TABLE_ENTRIES / 2, LAST_SLOT = TABLE_ENTRIES - 1 };

extern u8 image_begin[], image_rodata[], image_data[], image_end[], boot_stack_guard[];

static struct lock mmu_lock = LOCK_INIT(LOCK_MMU);
static u64 mmio_next GUARDED_BY(&mmu_lock) = ARCH_MMIO_BASE;
// Where in their slots stacks begin, above the guard page: those given back, each with the next
// one in its first page-table entry, then those never used.
static u64 kstack_free GUARDED_BY(&mmu_lock);
static u64 kstack_next GUARDED_BY(&mmu_lock) = ARCH_KSTACK_BASE + PAGE_SIZE;
static u32 kernel_slots_end; // of the direct map

static u64 page_take_paid(struct ledger *payer, u32 flags) {
    return payer ? page_paddr(page_alloc_paid(payer, PAGE_KERNEL | flags)) : boot_page_alloc();
}

SLOW_PATH u64 mmu_table_alloc(struct ledger *payer) {
    return !payer || ledger_charge(payer, 1) == OK ? page_take_paid(payer, 0) : 0;
}

static u64 *mmu_entry(u64 va, u32 level, struct ledger *payer) {
    return table_entry_make(arch_direct(mmu_kernel_top), nullptr, va, level, payer);
}

static void map_image(u64 begin, u64 end, u64 flags) {
    for (u64 va = begin; va < end; va += PAGE_SIZE)
        *mmu_entry(va, 0, nullptr) = arch_paddr((void *)va) | flags | PTE_LEAF_KERNEL;
}

// In large pages, but where code or constants of the image are: they are read-only.
static void map_direct(u64 paddr, u64 size) {
    u64 protect_begin = arch_paddr(image_begin);
    u64 protect_end = arch_paddr(image_data);
    u64 unit;
    for (u64 page = paddr; page < paddr + size; page += unit) {
        u64 large = align_down(page, MIB(2));
        bool is_large = large + MIB(2) <= protect_begin || large >= protect_end;
        bool is_protected = page >= protect_begin && page < protect_end;
        unit = is_large ? MIB(2) : PAGE_SIZE;
        *mmu_entry((u64)arch_direct(page), is_large ? 1 : 0, nullptr) =
            page | PTE_LEAF_KERNEL | PTE_NX | (is_protected ? 0 : PTE_WRITE) |
            (is_large ? PTE_LARGE : 0);
    }
}

void mmu_init(void) {
    mmu_kernel_top = boot_page_alloc();
    map_image((u64)image_begin, (u64)image_rodata, 0);
    map_image((u64)image_rodata, (u64)image_data, PTE_NX);
    map_image((u64)image_data, (u64)image_end, PTE_NX | PTE_WRITE);
    *mmu_entry((u64)boot_stack_guard, 0, nullptr) = 0;
    boot_memory_regions(map_direct);
    mmu_entry(ARCH_KSTACK_BASE, 2, nullptr);
    mmu_entry(ARCH_MMIO_BASE, 2, nullptr);
    kernel_slots_end = DIRECT_SLOT + (u32)((arch_memory_end() - 1) / GIB(512)) + 1;
    if (kernel_slots_end > LAST_SLOT) panic("more memory than the kernel can map");
    cr3_write(mmu_kernel_top);
}

void mmu_copy_kernel_slots(u64 *top) {
    const u64 *kernel = arch_direct(mmu_kernel_top);
    for (u32 slot = DIRECT_SLOT; slot < kernel_slots_end; slot++)
        top[slot] = kernel[slot];
    top[LAST_SLOT] = kernel[LAST_SLOT];
}

void mmu_clear_kernel_slots(u64 *top) {
    for (u32 slot = DIRECT_SLOT; slot < kernel_slots_end; slot++)
        top[slot] = 0;
    top[LAST_SLOT] = 0;
}

bool arch_kernel_mapped(u64 va) {
    u64 *table = arch_direct(mmu_kernel_top);
    for (u32 level = 3;; level--) {
        u64 entry = table[table_index(va, level)];
        if (!(entry & PTE_PRESENT)) return false;
        if (level == 0 || entry & PTE_LARGE) return true;
        table = table_of(entry);
    }
}

void *arch_mmio_map(u64 paddr, u64 size) {
    u64 flags = PTE_LEAF_KERNEL | PTE_WRITE | PTE_NX | PTE_CACHE_DISABLE | PTE_WRITE_THROUGH;
    u64 page = align_down(paddr, PAGE_SIZE);
    u64 end = align_up(paddr + size, PAGE_SIZE);
    lock_acquire(&mmu_lock);
    u64 result = end - page > MMIO_END - mmio_next ? 0 : mmio_next + (paddr - page);
    for (; result && page < end; page += PAGE_SIZE, mmio_next += PAGE_SIZE)
        *mmu_entry(mmio_next, 0, nullptr) = page | flags;
    lock_release(&mmu_lock);
    return (void *)result;
}

// ---- Kernel stacks ------------------------------------------------------------------------------

u64 arch_kstack_alloc(struct ledger *payer, struct ledger *tables) {
    if (payer && ledger_charge(payer, ARCH_KSTACK_PAGES) != OK) return 0;
    lock_acquire(&mmu_lock);
    u64 va = kstack_free ? kstack_free : kstack_next;
    // Slots do not cross page tables.
    u64 *entry = va < KSTACK_END ? mmu_entry(va, 0, tables) : nullptr;
    if (entry) {
        if (kstack_free)
            kstack_free = *entry;
        else
            kstack_next += ARCH_KSTACK_STRIDE;
        for (u32 i = 0; i < ARCH_KSTACK_PAGES; i++)
            entry[i] = page_take_paid(payer, PAGE_DIRTY) | PTE_LEAF_KERNEL | PTE_WRITE | PTE_NX;
    }
    lock_release(&mmu_lock);
    if (entry) return va + ARCH_KSTACK_PAGES * PAGE_SIZE;
    ledger_uncharge(payer, ARCH_KSTACK_PAGES);
    return 0;
}

void arch_kstack_free(u64 stack_top) {
    u64 va = stack_top - ARCH_KSTACK_PAGES * PAGE_SIZE;
    lock_acquire(&mmu_lock);
    u64 *entry = mmu_entry(va, 0, nullptr);
    for (u32 i = 0; i < ARCH_KSTACK_PAGES; i++) {
        page_put(page_from_paddr(entry[i] & PTE_ADDRESS));
        entry[i] = 0;
    }
    *entry = kstack_free;
    kstack_free = va;
    lock_release(&mmu_lock);
}
