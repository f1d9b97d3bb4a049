// The kernel heap. A slab is one page: a header, then slots of one size. A slab with a free slot
// is on its class's list of partial slabs; a slab that becomes empty goes back at once. A block
// larger than the largest class is a whole page, told from a slab slot by its alignment.
#include "mm/heap.h"

#include "lib/print.h"
#include "lib/string.h"
#include "mm/page.h"

enum : u32 { SLAB_HEADER = 64 };
static_assert(sizeof(struct slab) <= SLAB_HEADER);

static const u16 class_sizes[HEAP_CLASSES] = {64, 128, 192, 320, 576, 960, 1984};
static_assert((PAGE_SIZE - SLAB_HEADER) / 1984 == 2);

static u32 class_of(usize size) {
    u32 i = 0;
    while (i < HEAP_CLASSES && class_sizes[i] < size)
        i++;
    return i;
}

static struct slab *slab_create(struct ledger *payer, struct heap_class *class)
    REQUIRES(&class->lock) {
    u32 class_index = (u32)(class - payer->heap);
    struct page *page = page_alloc(payer, PAGE_KERNEL | PAGE_DIRTY);
    if (!page) return nullptr;
    struct slab *slab = page_address(page);
    *slab = (struct slab){
        .payer = payer,
        .class_index = class_index,
        .slots = (PAGE_SIZE - SLAB_HEADER) / class_sizes[class_index],
    };
    list_insert_head(&class->partial, &slab->link);
    return slab;
}

static void *slab_take(struct slab *slab) {
    void *slot = slab->free_first;
    if (DEBUG && slot) heap_check_free(slot, class_sizes[slab->class_index]);
    if (slot)
        slab->free_first = *(void **)slot;
    else
        slot = (u8 *)slab + SLAB_HEADER + (usize)slab->fresh++ * class_sizes[slab->class_index];
    if (++slab->used == slab->slots) list_remove(&slab->link);
    return slot;
}

void *heap_alloc(struct ledger *payer, usize size) {
    u32 index = class_of(size);
    if (index == HEAP_CLASSES) {
        ASSERT(size <= HEAP_MAX);
        struct page *page = page_alloc(payer, PAGE_KERNEL);
        return page ? page_address(page) : nullptr;
    }
    struct heap_class *class = &payer->heap[index];
    lock_acquire(&class->lock);
    struct slab *slab = list_first(&class->partial, struct slab, link);
    if (!slab) slab = slab_create(payer, class);
    void *slot = slab ? slab_take(slab) : nullptr;
    lock_release(&class->lock);
    return slot ? memset(slot, 0, class_sizes[index]) : nullptr;
}

void heap_free(void *memory) {
    if (!memory) return;
    if (((u64)memory & PAGE_MASK) == 0) {
        page_put(page_from_paddr(arch_paddr(memory)));
        return;
    }
    struct slab *slab = (struct slab *)align_down(memory, PAGE_SIZE);
    struct heap_class *class = &slab->payer->heap[slab->class_index];
    if (DEBUG) heap_poison(memory, class_sizes[slab->class_index]);
    lock_acquire(&class->lock);
    ASSERT(slab->used != 0);
    *(void **)memory = slab->free_first;
    slab->free_first = memory;
    if (slab->used-- == slab->slots) list_insert_head(&class->partial, &slab->link);
    bool empty = slab->used == 0;
    if (empty) list_remove(&slab->link);
    lock_release(&class->lock);
    if (empty) page_put(page_from_paddr(arch_paddr(slab)));
}
