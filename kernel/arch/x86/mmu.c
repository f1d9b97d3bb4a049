// The kernel's half of the address space: image, direct map, kernel stacks, device registers.
//
// The top-level slots are made at boot and never change, so every other top-level table copies
// them once. Below, only the stack area and the device area change, under mmu_lock. Stack pages
// are global and unmapped without a shoot-down: a CPU drops what it may remember of a stack
// before it first runs the stack's thread (thread.c).
#include "cpu.h"
#include "lib/print.h"
#include "paging.h"

enum { KSTACK_SLOTS = 65536, KERNEL_SLOTS_MAX = 8 };

extern u8 image_begin[], image_rodata[], image_data[], image_end[], boot_stack_guard[];

static struct lock mmu_lock = LOCK_INIT(LOCK_MMU);
static u64 mmio_next GUARDED_BY(&mmu_lock) = ARCH_MMIO_BASE;
static u64 kstack_used[KSTACK_SLOTS / 64] GUARDED_BY(&mmu_lock); // a bit for each slot
static u32 kstack_hint GUARDED_BY(&mmu_lock);                    // word to look at first
static u32 kernel_slots[KERNEL_SLOTS_MAX];                       // used top-level slots
static u32 kernel_slot_count;

// The entry for `va` at `level`, with the tables above made from `source`; nullptr: none left.
static u64 *mmu_entry(u64 va, u32 level, struct page_source *source) {
    u64 *table = arch_direct(mmu_kernel_top);
    for (u32 l = 3; l > level; l--) {
        u64 *entry = &table[table_index(va, l)];
        if (*entry == 0) {
            u64 page = source->alloc(source);
            if (page == 0) return nullptr;
            *entry = page | PTE_TABLE_KERNEL;
        }
        table = table_of(*entry);
    }
    return &table[table_index(va, level)];
}

static void map_image(u64 begin, u64 end, u64 flags) {
    for (u64 va = begin; va < end; va += PAGE_SIZE)
        *mmu_entry(va, 0, &boot_source) = arch_paddr((void *)va) | flags | PTE_LEAF_KERNEL;
}

// In large pages, but for those with code or constants of the image: they are read-only.
static void map_direct(u64 paddr, u64 size) {
    u64 protect_begin = arch_paddr(image_begin);
    u64 protect_end = arch_paddr(image_data);
    for (u64 large = paddr; large < paddr + size; large += MIB(2)) {
        u64 va = (u64)arch_direct(large);
        u64 *entry = mmu_entry(va, 1, &boot_source);
        if (large + MIB(2) <= protect_begin || large >= protect_end) {
            *entry = large | PTE_LEAF_KERNEL | PTE_WRITE | PTE_LARGE | PTE_NX;
            continue;
        }
        for (u64 page = large; page < large + MIB(2); page += PAGE_SIZE) {
            u64 write = page >= protect_begin && page < protect_end ? 0 : PTE_WRITE;
            *mmu_entry((u64)arch_direct(page), 0, &boot_source) =
                page | PTE_LEAF_KERNEL | write | PTE_NX;
        }
    }
}

void mmu_init(void) {
    mmu_kernel_top = boot_page_alloc();
    map_image((u64)image_begin, (u64)image_rodata, 0);
    map_image((u64)image_rodata, (u64)image_data, PTE_NX);
    map_image((u64)image_data, (u64)image_end, PTE_NX | PTE_WRITE);
    *mmu_entry((u64)boot_stack_guard, 0, &boot_source) = 0;
    boot_memory_regions(map_direct);
    mmu_entry(ARCH_KSTACK_BASE, 2, &boot_source);
    mmu_entry(ARCH_MMIO_BASE, 2, &boot_source);

    u64 *top = arch_direct(mmu_kernel_top);
    for (u32 slot = TABLE_ENTRIES / 2; slot < TABLE_ENTRIES; slot++) {
        if (top[slot] == 0) continue;
        if (kernel_slot_count == KERNEL_SLOTS_MAX) panic("more memory than the kernel can map");
        kernel_slots[kernel_slot_count++] = slot;
    }
    cr3_write(mmu_kernel_top);
}

void mmu_copy_kernel_slots(u64 *top) {
    const u64 *kernel = arch_direct(mmu_kernel_top);
    for (u32 i = 0; i < kernel_slot_count; i++)
        top[kernel_slots[i]] = kernel[kernel_slots[i]];
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
    u64 unit = size >= MIB(2) && paddr % MIB(2) == 0 ? MIB(2) : PAGE_SIZE;
    u64 begin = align_down(paddr, PAGE_SIZE);
    u64 end = align_up(paddr + size, unit);
    u64 flags = PTE_LEAF_KERNEL | PTE_WRITE | PTE_NX | PTE_CACHE_DISABLE | PTE_WRITE_THROUGH;
    void *result = nullptr;
    lock_acquire(&mmu_lock);
    u64 va = align_up(mmio_next, unit);
    if (end - begin <= GIB(512) - (va - ARCH_MMIO_BASE)) {
        result = (void *)(va + (paddr - begin));
        for (u64 page = begin; page < end; page += unit, va += unit) {
            u64 *entry = mmu_entry(va, unit == PAGE_SIZE ? 0 : 1, &boot_source);
            if (!entry) {
                result = nullptr;
                break;
            }
            *entry = page | flags | (unit == PAGE_SIZE ? 0 : PTE_LARGE);
        }
        mmio_next = va;
    }
    lock_release(&mmu_lock);
    return result;
}

// ---- Kernel stacks ------------------------------------------------------------------------------

// A free slot's number, marked used; KSTACK_SLOTS when there is none.
static u32 kstack_slot_take(void) REQUIRES(&mmu_lock) {
    for (u32 i = 0; i < ARRAY_SIZE(kstack_used); i++) {
        u32 word = (kstack_hint + i) % ARRAY_SIZE(kstack_used);
        if (kstack_used[word] == ~0ul) continue;
        u32 bit = (u32)__builtin_ctzl(~kstack_used[word]);
        kstack_used[word] |= 1ul << bit;
        kstack_hint = word;
        return word * 64 + bit;
    }
    return KSTACK_SLOTS;
}

static void kstack_slot_give(u32 slot) REQUIRES(&mmu_lock) {
    kstack_used[slot / 64] &= ~(1ul << slot % 64);
    kstack_hint = slot / 64;
}

static bool pages_take(struct page_source *source, u64 pages[ARCH_KSTACK_PAGES]) {
    for (u32 i = 0; i < ARCH_KSTACK_PAGES; i++) {
        pages[i] = source->alloc(source);
        if (pages[i] == 0) {
            while (i-- > 0)
                source->free(source, pages[i]);
            return false;
        }
    }
    return true;
}

u64 arch_kstack_alloc(struct page_source *source, struct page_source *tables) {
    u64 pages[ARCH_KSTACK_PAGES];
    if (!pages_take(source, pages)) return 0;
    u64 top = 0;
    lock_acquire(&mmu_lock);
    u32 slot = kstack_slot_take();
    if (slot < KSTACK_SLOTS) {
        u64 va = ARCH_KSTACK_BASE + slot * ARCH_KSTACK_STRIDE + PAGE_SIZE;
        u64 *entry = mmu_entry(va, 0, tables); // slots do not cross page tables
        if (entry) {
            for (u32 i = 0; i < ARCH_KSTACK_PAGES; i++)
                entry[i] = pages[i] | PTE_LEAF_KERNEL | PTE_WRITE | PTE_NX;
            top = va + ARCH_KSTACK_PAGES * PAGE_SIZE;
        } else {
            kstack_slot_give(slot);
        }
    }
    lock_release(&mmu_lock);
    for (u32 i = 0; i < ARCH_KSTACK_PAGES && top == 0; i++)
        source->free(source, pages[i]);
    return top;
}

void arch_kstack_free(u64 stack_top, struct page_source *source) {
    u64 pages[ARCH_KSTACK_PAGES];
    u64 va = stack_top - ARCH_KSTACK_PAGES * PAGE_SIZE;
    lock_acquire(&mmu_lock);
    u64 *entry = mmu_entry(va, 0, nullptr);
    for (u32 i = 0; i < ARCH_KSTACK_PAGES; i++) {
        pages[i] = entry[i] & PTE_ADDRESS;
        entry[i] = 0;
    }
    kstack_slot_give((u32)((va - ARCH_KSTACK_BASE) / ARCH_KSTACK_STRIDE));
    lock_release(&mmu_lock);
    for (u32 i = 0; i < ARCH_KSTACK_PAGES; i++)
        source->free(source, pages[i]);
}
