// Physical pages. Free pages: first a stack of pages that were used before, then the untouched
// rest of RAM range by range (so that booting touches nothing). Each CPU keeps a few at hand, and
// apart a few that came back all zeros (page tables do), for whoever wants zeros next.
// Lock: free_lock, for the stack and the untouched ranges. CPUs' own caches need none: the kernel
// runs with interrupts off.
#include "mm/page.h"

#include "abi/errors.h"
#include "lib/string.h"

enum { CACHE_MAX = 32, CACHE_BATCH = 16, ZEROED_MAX = 32, RANGES_MAX = 32 };

struct page *page_array, *zero_page;

struct page_stack {
    struct page *first;
    u64 count;
};

static struct lock free_lock = LOCK_INIT(LOCK_PAGES);
static struct page_stack used_before GUARDED_BY(&free_lock);
static struct arch_range untouched[RANGES_MAX] GUARDED_BY(&free_lock);
static u32 untouched_count GUARDED_BY(&free_lock);
static struct page_stack caches[MAX_CPUS], zeroed[MAX_CPUS];

static void push(struct page_stack *stack, struct page *page) {
    page->next = stack->first;
    stack->first = page;
    stack->count++;
}

static struct page *pop(struct page_stack *stack) {
    struct page *page = stack->first;
    if (!page) return nullptr;
    stack->first = page->next;
    stack->count--;
    return page;
}

// Boot, one CPU, as the next two.
static void range_add(u64 paddr, u64 size) NO_THREAD_SAFETY_ANALYSIS {
    if (untouched_count == RANGES_MAX || size == 0) return;
    untouched[untouched_count++] = (struct arch_range){paddr, size};
}

// Cuts the page array itself out of the last range that holds it. The pages above it are used first:
// they, and what the array says of them, are close to the bundle, so that booting touches few of the
// large pages that a hypervisor has yet to clear.
static void array_place(u64 bytes) NO_THREAD_SAFETY_ANALYSIS {
    enum : u64 { ABOVE = MIB(1) };
    for (u32 i = untouched_count; i-- > 0;) {
        struct arch_range *range = &untouched[i];
        if (range->size < bytes + ABOVE) continue;
        range->size -= bytes + ABOVE;
        page_array = arch_direct(range->paddr + range->size);
        range_add(range->paddr + range->size + bytes, ABOVE);
        return;
    }
    panic("no range of RAM can hold the page array (%lu KiB)", bytes >> 10);
}

void page_init(struct ledger *root) NO_THREAD_SAFETY_ANALYSIS {
    arch_boot_memory(range_add);
    array_place(align_up((arch_memory_end() >> PAGE_SHIFT) * sizeof(struct page), PAGE_SIZE));
    u64 count = 0;
    for (u32 i = 0; i < untouched_count; i++)
        count += untouched[i].size >> PAGE_SHIFT;
    // Pages in one CPU's cache are out of the others' reach: they are nobody's to charge.
    ledger_root_add(root, (i64)(count - page_withheld_count()));
    zero_page = page_alloc(root, 0);
}

static struct page *take_locked(void) REQUIRES(&free_lock) {
    if (used_before.first) return pop(&used_before);
    if (untouched_count == 0) return nullptr;
    struct arch_range *range = &untouched[untouched_count - 1];
    struct page *page = page_from_paddr(range->paddr);
    *page = (struct page){};
    range->paddr += PAGE_SIZE;
    range->size -= PAGE_SIZE;
    if (range->size == 0) untouched_count--;
    return page;
}

static void cache_refill(struct page_stack *cache) {
    struct page *page;
    lock_acquire(&free_lock);
    while (cache->count < CACHE_BATCH && (page = take_locked()))
        push(cache, page);
    lock_release(&free_lock);
}

static void cache_spill(struct page_stack *cache) {
    lock_acquire(&free_lock);
    for (u32 i = 0; i < CACHE_BATCH; i++)
        push(&used_before, pop(cache));
    lock_release(&free_lock);
}

// Zeros for who wants them; for others only when there is nothing else.
static struct page *frame_take(u32 *flags) {
    struct page_stack *cache = &caches[arch_cpu_id()];
    struct page_stack *zeros = &zeroed[arch_cpu_id()];
    if (*flags & PAGE_DIRTY || !zeros->first) {
        if (!cache->first) cache_refill(cache);
        if (cache->first) return pop(cache);
    }
    *flags |= PAGE_DIRTY;
    return pop(zeros);
}

struct page *page_alloc_paid(struct ledger *payer, u32 flags) {
    struct page *page = frame_take(&flags);
    // page_init withheld what other CPUs' caches can hold, so a charge that passed finds a page.
    ASSERT(page);
    if (DEBUG) page_check_free(page);
    page->payer = payer;
    page->flags = flags & PAGE_KERNEL;
    __atomic_store_n(&page->refs, 1, __ATOMIC_RELAXED);
    if (flags & PAGE_KERNEL) __atomic_fetch_add(&payer->kernel_pages, 1, __ATOMIC_RELAXED);
    if (!(flags & PAGE_DIRTY)) page_zero(page_address(page));
    return page;
}

struct page *page_alloc(struct ledger *payer, u32 flags) {
    if (ledger_charge(payer, 1) != OK) return nullptr;
    return page_alloc_paid(payer, flags);
}

// The last reference is gone: the frame goes to `cache`, its credit to the payer.
static void page_release(struct page *page, struct page_stack *cache) {
    struct ledger *payer = page->payer;
    if (page->flags & PAGE_KERNEL) __atomic_fetch_sub(&payer->kernel_pages, 1, __ATOMIC_RELAXED);
    // The frame is free before its credit is, so that credit never exceeds free frames.
    push(cache, page);
    if (cache->count > CACHE_MAX) cache_spill(cache);
    ledger_uncharge(payer, 1);
}

static bool drops_last(struct page *page) {
    u32 before = __atomic_fetch_sub(&page->refs, 1, __ATOMIC_ACQ_REL);
    ASSERT(before != 0);
    return before == 1;
}

void page_put(struct page *page) {
    if (!drops_last(page)) return;
    if (DEBUG) page_poison(page);
    page_release(page, &caches[arch_cpu_id()]);
}

void page_put_zeroed(struct page *page) {
    if (DEBUG) page_mark_zeroed(page);
    bool has_room = zeroed[arch_cpu_id()].count < ZEROED_MAX;
    if (drops_last(page)) page_release(page, &(has_room ? zeroed : caches)[arch_cpu_id()]);
}

u64 page_withheld_count(void) { return (u64)arch_cpu_count() * (CACHE_MAX + 1 + ZEROED_MAX); }
