// The heap: chunks of 4 MiB at fixed addresses, mapped when they are first needed and touched only
// where they are used. Each chunk's first page is its header: which pages are free, and what each
// page is cut into. Small objects are cut from pages of one size class, with a free list per class;
// such pages are not given back. Larger ones are runs of whole pages, discarded when freed.
//
// One lock for everything; what happens under it is short.
#include "lib/heap.h"

#include "lib/mutex.h"
#include "lib/string.h"

enum {
    CHUNK_BYTES = 4 << 20,
    CHUNK_PAGES = CHUNK_BYTES / PAGE_SIZE,
    CHUNKS_MAX = 1024,
    CLASSES = 12,
    KEPT_MAX = 16,        // free single pages that are not discarded: they come back soon
    PAGE_RUN = 0xfe,      // first page of a run; run_pages says how long
    PAGE_RUN_TAIL = 0xff, // the others
};
static u8 *const heap_base = (u8 *)0x7fa000000000;

static const u16 class_bytes[CLASSES] = {16, 32, 48, 64, 96, 128, 192, 256, 512, 1024, 1344, 2048};

struct chunk {
    u64 free[CHUNK_PAGES / 64]; // a set bit is a free page
    u8 kind[CHUNK_PAGES];       // size class, or PAGE_RUN...
    u8 run_pages[CHUNK_PAGES];
    u32 free_pages;
};
static_assert(sizeof(struct chunk) <= PAGE_SIZE);

struct free_object {
    struct free_object *next;
};

static struct {
    struct mutex lock;
    // under lock:
    u32 chunks GUARDED_BY(&lock);
    u32 kept_pages GUARDED_BY(&lock);
    struct free_object *free[CLASSES] GUARDED_BY(&lock);
} heap;

static struct chunk *chunk_at(u32 index)
{
    return (struct chunk *)(heap_base + (usize)index * CHUNK_BYTES);
}

static struct chunk *chunk_of(const void *memory)
{
    return (struct chunk *)((u64)memory & ~(u64)(CHUNK_BYTES - 1));
}

static u32 page_of(const void *memory)
{
    return (u32)(((u64)memory & (CHUNK_BYTES - 1)) / PAGE_SIZE);
}

static bool page_is_free(const struct chunk *chunk, u32 page)
{
    return chunk->free[page / 64] >> (page % 64) & 1;
}

static void pages_mark(struct chunk *chunk, u32 page, u32 count, u8 kind)
{
    for (u32 i = 0; i < count; i++) {
        chunk->free[(page + i) / 64] ^= 1UL << ((page + i) % 64);
        chunk->kind[page + i] = i == 0 ? kind : PAGE_RUN_TAIL;
    }
    chunk->run_pages[page] = (u8)count;
}

// First fit; 0 (the header) for none.
static u32 chunk_find(const struct chunk *chunk, u32 count)
{
    if (chunk->free_pages < count) {
        return 0;
    }
    u32 run = 0;
    for (u32 page = 1; page < CHUNK_PAGES; page++) {
        if (page % 64 == 0 && chunk->free[page / 64] == 0) {
            run = 0;
            page += 63;
            continue;
        }
        run = page_is_free(chunk, page) ? run + 1 : 0;
        if (run == count) {
            return page + 1 - count;
        }
    }
    return 0;
}

static struct chunk *chunk_add_locked(void) REQUIRES(&heap.lock)
{
    if (heap.chunks == CHUNKS_MAX || heap_map(chunk_at(heap.chunks), CHUNK_BYTES) != 0) {
        return NULL;
    }
    struct chunk *chunk = chunk_at(heap.chunks++);
    memset(chunk->free, 0xff, sizeof(chunk->free));
    chunk->free[0] &= ~1UL;
    chunk->free_pages = CHUNK_PAGES - 1;
    return chunk;
}

static void *pages_alloc_locked(u32 count, u8 kind) REQUIRES(&heap.lock)
{
    struct chunk *chunk = NULL;
    u32 page = 0;
    for (u32 i = 0; i < heap.chunks && page == 0; i++) {
        chunk = chunk_at(i);
        page = chunk_find(chunk, count);
    }
    if (page == 0) {
        chunk = chunk_add_locked();
        page = 1;
    }
    if (!chunk) {
        return NULL;
    }
    pages_mark(chunk, page, count, kind);
    chunk->free_pages -= count;
    if (count == 1 && heap.kept_pages > 0) {
        heap.kept_pages--;
    }
    return (u8 *)chunk + (usize)page * PAGE_SIZE;
}

static u32 class_for(usize size)
{
    u32 class = 0;
    while (class_bytes[class] < size) {
        class++;
    }
    return class;
}

static bool class_refill_locked(u32 class) REQUIRES(&heap.lock)
{
    u8 *page = pages_alloc_locked(1, (u8)class);
    if (!page) {
        return false;
    }
    u32 bytes = class_bytes[class];
    for (u32 i = PAGE_SIZE / bytes; i > 0; i--) {
        struct free_object *object = (struct free_object *)(page + (i - 1) * bytes);
        object->next = heap.free[class];
        heap.free[class] = object;
    }
    return true;
}

void *heap_alloc(usize size)
{
    void *memory = NULL;
    if (size > HEAP_ALLOC_MAX) {
        return NULL;
    }
    mutex_lock(&heap.lock);
    if (size > class_bytes[CLASSES - 1]) {
        memory = pages_alloc_locked((u32)((size + PAGE_MASK) / PAGE_SIZE), PAGE_RUN);
    } else {
        u32 class = class_for(size);
        if (heap.free[class] || class_refill_locked(class)) {
            memory = heap.free[class];
            heap.free[class] = heap.free[class]->next;
        }
    }
    mutex_unlock(&heap.lock);
    return memory;
}

void *heap_alloc_zero(usize size)
{
    void *memory = heap_alloc(size);
    if (memory) {
        memset(memory, 0, size);
    }
    return memory;
}

void heap_free(void *memory)
{
    if (!memory) {
        return;
    }
    struct chunk *chunk = chunk_of(memory);
    u32 page = page_of(memory);
    mutex_lock(&heap.lock);
    u8 kind = chunk->kind[page];
    if (kind == PAGE_RUN) {
        u32 count = chunk->run_pages[page];
        if (count == 1 && heap.kept_pages < KEPT_MAX) {
            heap.kept_pages++;
        } else {
            heap_discard(memory, (usize)count * PAGE_SIZE);
        }
        pages_mark(chunk, page, count, 0);
        chunk->free_pages += count;
    } else {
        struct free_object *object = memory;
        object->next = heap.free[kind];
        heap.free[kind] = object;
    }
    mutex_unlock(&heap.lock);
}

usize heap_size(const void *memory)
{
    const struct chunk *chunk = chunk_of(memory);
    u32 page = page_of(memory);
    u8 kind = chunk->kind[page];
    return kind == PAGE_RUN ? (usize)chunk->run_pages[page] * PAGE_SIZE : class_bytes[kind];
}
