// The heap. Small objects are of a size class and have a word before them that says which; freed
// ones wait in a list per class, new ones are cut from the page that is being filled, whatever their
// class, so that a program that needs little touches few pages. Larger ones are runs of whole pages
// in chunks of 1 MiB, each with a header page. Freed pages keep their memory until there are many:
// then all of them are discarded, as few ranges, for each discard may interrupt every processor.
//
// One lock for everything; what happens under it is short.
#include "lib/heap.h"

#include "lib/mutex.h"
#include "lib/string.h"

enum {
    CHUNK_BYTES = 1 << 20,
    CHUNK_PAGES = CHUNK_BYTES / PAGE_SIZE,
    CHUNKS_MAX = 4096,
    CLASS_STEP = 16, // up to CLASS_FINE_BYTES; above it quarters of a power of two
    CLASS_FINE_BYTES = 256,
    CLASSES = 16 + 12,
    SMALL_MAX = 2048,
    KEPT_MAX = 64, // free pages that are not discarded
    KEPT_IDLE = 4, // the same after heap_trim
};

static u8 *const other_chunks = (u8 *)0x7fa000000000;

struct chunk {
    u64 free[CHUNK_PAGES / 64]; // a set bit is a free page
    u64 kept[CHUNK_PAGES / 64]; // of those, the ones that still have memory
    u8 run_pages[CHUNK_PAGES];  // at the first page of a run: how long it is
    u32 free_pages;
};
static_assert(sizeof(struct chunk) <= PAGE_SIZE);

// Before each small object; the list link is where the object is.
struct small {
    u64 class;
    struct small *next;
};

enum { SMALL_HEADER_BYTES = 8 };

static struct {
    struct mutex lock;
    // under lock:
    u32 chunks GUARDED_BY(&lock);
    u32 kept_pages GUARDED_BY(&lock); // in all chunks
    u8 *fresh GUARDED_BY(&lock);      // what is not cut yet of the page that is being filled
    u32 fresh_bytes GUARDED_BY(&lock);
    struct small *free[CLASSES] GUARDED_BY(&lock);
} heap;

static struct chunk *chunk_at(u32 index) {
    return (struct chunk *)(index == 0 ? heap_first_chunk
                                       : other_chunks + (usize)(index - 1) * CHUNK_BYTES);
}

static struct chunk *chunk_of(const void *memory) {
    return (struct chunk *)((u64)memory & ~(u64)(CHUNK_BYTES - 1));
}

static u32 page_of(const void *memory) {
    return (u32)(((u64)memory & (CHUNK_BYTES - 1)) / PAGE_SIZE);
}

static bool page_is_free(const struct chunk *chunk, u32 page) {
    return chunk->free[page / 64] >> (page % 64) & 1;
}

static void pages_keep_locked(struct chunk *chunk, u32 page, u32 count) REQUIRES(&heap.lock) {
    for (u32 i = page; i < page + count; i++)
        chunk->kept[i / 64] |= 1UL << (i % 64);
    heap.kept_pages += count;
}

static void pages_use_locked(struct chunk *chunk, u32 page, u32 count) REQUIRES(&heap.lock) {
    for (u32 i = page; i < page + count; i++) {
        heap.kept_pages -= (u32)(chunk->kept[i / 64] >> (i % 64) & 1);
        chunk->kept[i / 64] &= ~(1UL << (i % 64));
    }
}

// Each range of pages that are kept in one call.
static void chunk_discard_locked(struct chunk *chunk) REQUIRES(&heap.lock) {
    for (u32 page = 1; page < CHUNK_PAGES; page++) {
        u32 count = 0;
        while (page + count < CHUNK_PAGES &&
               (chunk->kept[(page + count) / 64] >> ((page + count) % 64) & 1))
            count++;
        if (count == 0) continue;
        heap_discard((u8 *)chunk + (usize)page * PAGE_SIZE, (usize)count * PAGE_SIZE);
        pages_use_locked(chunk, page, count);
        page += count;
    }
}

static void kept_discard_locked(void) REQUIRES(&heap.lock) {
    for (u32 i = 0; i < heap.chunks && heap.kept_pages > 0; i++)
        chunk_discard_locked(chunk_at(i));
}

static void pages_flip(struct chunk *chunk, u32 page, u32 count) {
    for (u32 i = page; i < page + count; i++) {
        chunk->free[i / 64] ^= 1UL << (i % 64);
    }
}

// First fit; 0 (the header) for none.
static u32 chunk_find(const struct chunk *chunk, u32 count) {
    if (chunk->free_pages < count) {
        return 0;
    }
    u32 run = 0;
    for (u32 page = 1; page < CHUNK_PAGES; page++) {
        u64 word = chunk->free[page / 64] >> (page % 64);
        if (word == 0) {
            run = 0;
            page |= 63;
            continue;
        }
        if (run == 0) {
            page += (u32)__builtin_ctzl(word);
        }
        run = page_is_free(chunk, page) ? run + 1 : 0;
        if (run == count) {
            return page + 1 - count;
        }
    }
    return 0;
}

static struct chunk *chunk_add_locked(void) REQUIRES(&heap.lock) {
    if (heap.chunks == CHUNKS_MAX || heap_map(chunk_at(heap.chunks), CHUNK_BYTES) != 0) {
        return NULL;
    }
    struct chunk *chunk = chunk_at(heap.chunks);
    if (page_touch(chunk) != 0) return NULL;
    heap.chunks++;
    memset(chunk->free, 0xff, sizeof(chunk->free));
    memset(chunk->kept, 0, sizeof(chunk->kept));
    chunk->free[0] &= ~1UL;
    chunk->free_pages = CHUNK_PAGES - 1;
    return chunk;
}

// Pages are paid when they are handed out: a later fault could not be refused.
static bool pages_pay(u8 *memory, u32 count) {
    for (u32 i = 0; i < count; i++) {
        if (page_touch(memory + (usize)i * PAGE_SIZE) != 0) {
            heap_discard(memory, (usize)count * PAGE_SIZE);
            return false;
        }
    }
    return true;
}

static void *pages_alloc_locked(u32 count) REQUIRES(&heap.lock) {
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
    u8 *memory = (u8 *)chunk + (usize)page * PAGE_SIZE;
    if (!pages_pay(memory, count)) {
        kept_discard_locked(); // what is kept may be what is missing
        if (!pages_pay(memory, count)) return NULL;
    }
    pages_flip(chunk, page, count);
    chunk->run_pages[page] = (u8)count;
    chunk->free_pages -= count;
    pages_use_locked(chunk, page, count);
    return memory;
}

static void pages_free_locked(void *memory) REQUIRES(&heap.lock) {
    struct chunk *chunk = chunk_of(memory);
    u32 page = page_of(memory);
    u32 count = chunk->run_pages[page];
    pages_flip(chunk, page, count);
    chunk->free_pages += count;
    pages_keep_locked(chunk, page, count);
    if (heap.kept_pages > KEPT_MAX) kept_discard_locked();
}

// Sizes up to 256 in steps of 16; then 320, 384, 448, 512, 640 ... 2048.
static u32 class_of(usize size) {
    if (size <= CLASS_FINE_BYTES) {
        return size == 0 ? 0 : (u32)(size - 1) / CLASS_STEP;
    }
    u32 power = 63 - (u32)__builtin_clzl(size - 1); // size in (2^power, 2^(power + 1)]
    u32 quarter = (u32)((size - 1) >> (power - 2)) & 3;
    return CLASS_FINE_BYTES / CLASS_STEP + (power - 8) * 4 + quarter;
}

static usize class_bytes(u32 class) {
    if (class < CLASS_FINE_BYTES / CLASS_STEP) {
        return (usize)(class + 1) * CLASS_STEP;
    }
    u32 above = class - CLASS_FINE_BYTES / CLASS_STEP;
    return (usize)(5 + above % 4) << (6 + above / 4);
}

// What is left of the page that was being filled goes to the lists, in the largest pieces.
static void fresh_retire_locked(void) REQUIRES(&heap.lock) {
    u32 class = CLASSES;
    while (class > 0) {
        usize bytes = class_bytes(class - 1) + SMALL_HEADER_BYTES;
        if (heap.fresh_bytes < bytes) {
            class--;
            continue;
        }
        struct small *piece = (struct small *)heap.fresh;
        piece->class = class - 1;
        piece->next = heap.free[class - 1];
        heap.free[class - 1] = piece;
        heap.fresh += bytes;
        heap.fresh_bytes -= (u32)bytes;
    }
}

static struct small *small_cut_locked(u32 class) REQUIRES(&heap.lock) {
    usize bytes = class_bytes(class) + SMALL_HEADER_BYTES;
    if (heap.fresh_bytes < bytes) {
        u8 *page = pages_alloc_locked(1);
        if (!page) {
            return NULL;
        }
        fresh_retire_locked();
        heap.fresh = page;
        heap.fresh_bytes = PAGE_SIZE;
    }
    struct small *small = (struct small *)heap.fresh;
    small->class = class;
    heap.fresh += bytes;
    heap.fresh_bytes -= (u32)bytes;
    return small;
}

static void *small_alloc_locked(usize size) REQUIRES(&heap.lock) {
    u32 class = class_of(size);
    struct small *small = heap.free[class];
    if (small) {
        heap.free[class] = small->next;
    } else {
        small = small_cut_locked(class);
    }
    return small ? (u8 *)small + SMALL_HEADER_BYTES : NULL;
}

void *heap_alloc(usize size) {
    if (size > HEAP_ALLOC_MAX) {
        return NULL;
    }
    mutex_lock(&heap.lock);
    void *memory = size > SMALL_MAX ? pages_alloc_locked((u32)((size + PAGE_MASK) / PAGE_SIZE))
                                    : small_alloc_locked(size);
    mutex_unlock(&heap.lock);
    return memory;
}

void *heap_alloc_zero(usize size) {
    void *memory = heap_alloc(size);
    if (memory) {
        memset(memory, 0, size);
    }
    return memory;
}

// A run is aligned to a page, a small object never: its header comes before it.
void heap_free(void *memory) {
    if (!memory) {
        return;
    }
    mutex_lock(&heap.lock);
    if (((u64)memory & PAGE_MASK) == 0) {
        pages_free_locked(memory);
    } else {
        struct small *small = (struct small *)((u8 *)memory - SMALL_HEADER_BYTES);
        small->next = heap.free[small->class];
        heap.free[small->class] = small;
    }
    mutex_unlock(&heap.lock);
}

void heap_trim(void) {
    mutex_lock(&heap.lock);
    if (heap.kept_pages > KEPT_IDLE) kept_discard_locked();
    mutex_unlock(&heap.lock);
}
