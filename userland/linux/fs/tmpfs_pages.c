// The pages of a file in memory: a tree with 64 slots at each level, as high as the last page needs.
// Height 0 is page 0 alone, without a table, and as long as has been asked for: small files need
// less than a page.
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/fs/tmpfs_node.h"

enum {
    SLOT_BITS = 6,
    SLOTS = 1 << SLOT_BITS,
    HEIGHT_MAX = 9, // 2^54 pages
    FIRST_BYTES_MIN = 64,
    FIRST_BYTES_MAX = 2048, // above it, a whole page
};

struct table {
    void *slots[SLOTS]; // tables of the next level, or pages
};

static bool index_is_in(u32 height, u64 index) {
    return height >= HEIGHT_MAX || index >> (height * SLOT_BITS) == 0;
}

static u32 slot_of(u32 level, u64 index) { return (u32)(index >> (level * SLOT_BITS)) % SLOTS; }

u8 *tmpfs_page_find(const struct tmpfs_data *data, u64 index) {
    void *at = data->root;
    if (!index_is_in(data->height, index)) {
        return NULL;
    }
    for (u32 level = data->height; level > 0 && at; level--) {
        at = ((struct table *)at)->slots[slot_of(level - 1, index)];
    }
    return at;
}

static bool tree_raise(struct tmpfs_data *data) {
    if (data->root) {
        struct table *table = heap_alloc_zero(sizeof(*table));
        if (!table) {
            return false;
        }
        table->slots[0] = data->root;
        data->root = table;
    }
    data->height++;
    return true;
}

u8 *tmpfs_first_page(struct tmpfs_data *data, u32 size) {
    if (data->root && data->first_bytes >= size) {
        return data->root;
    }
    u32 bytes = size > FIRST_BYTES_MAX ? PAGE_SIZE : FIRST_BYTES_MIN;
    while (bytes < size) {
        bytes *= 2;
    }
    u8 *page = heap_alloc(bytes);
    if (page && data->root) {
        memcpy(page, data->root, data->first_bytes);
        memset(page + data->first_bytes, 0, bytes - data->first_bytes);
        heap_free(data->root);
    }
    if (page) {
        data->root = page;
        data->first_bytes = bytes;
    }
    return page;
}

// Page 0 at its full length.
static bool first_complete(struct tmpfs_data *data) {
    return data->height > 0 || !data->root || tmpfs_first_page(data, PAGE_SIZE) != NULL;
}

u8 **tmpfs_page_slot(struct tmpfs_data *data, u64 index) {
    if (!first_complete(data)) {
        return NULL;
    }
    while (!index_is_in(data->height, index)) {
        if (!tree_raise(data)) {
            return NULL;
        }
    }
    void **at = &data->root;
    for (u32 level = data->height; level > 0; level--) {
        if (!*at) {
            *at = heap_alloc_zero(sizeof(struct table));
        }
        if (!*at) {
            return NULL;
        }
        at = &((struct table *)*at)->slots[slot_of(level - 1, index)];
    }
    return (u8 **)at;
}

void tmpfs_page_drop(struct tmpfs_data *data, u64 index) {
    u8 **slot = tmpfs_page_slot(data, index);
    heap_free(*slot);
    *slot = NULL;
}

// The first page from *index on below a table, whose first page has the index `base`.
static u8 *next_below(void *at, u32 level, u64 base, u64 *index) {
    if (!at || level == 0) {
        *index = at ? base : *index;
        return at;
    }
    u32 shift = (level - 1) * SLOT_BITS;
    u64 slot = *index > base ? (*index - base) >> shift : 0;
    for (; slot < SLOTS; slot++) {
        void *below = ((struct table *)at)->slots[slot];
        u8 *found = next_below(below, level - 1, base + (slot << shift), index);
        if (found) {
            return found;
        }
    }
    return NULL;
}

u8 *tmpfs_pages_next(const struct tmpfs_data *data, u64 *index) {
    return index_is_in(data->height, *index) ? next_below(data->root, data->height, 0, index)
                                             : NULL;
}

// Frees the pages from `first` on; returns whether nothing is left below.
static bool cut_below(void *at, u32 level, u64 base, u64 first, u64 *freed) {
    if (level == 0) {
        if (base < first) {
            return false;
        }
        heap_free(at);
        ++*freed;
        return true;
    }
    bool is_empty = true;
    struct table *table = at;
    u32 shift = (level - 1) * SLOT_BITS;
    for (u32 slot = 0; slot < SLOTS; slot++) {
        u64 start = base + ((u64)slot << shift);
        if (!table->slots[slot]) {
            continue;
        }
        bool is_kept = start + (1UL << shift) <= first;
        if (!is_kept && cut_below(table->slots[slot], level - 1, start, first, freed)) {
            table->slots[slot] = NULL;
        } else {
            is_empty = false;
        }
    }
    if (is_empty) {
        heap_free(table);
    }
    return is_empty;
}

u64 tmpfs_pages_cut(struct tmpfs_data *data, u64 first) {
    u64 freed = 0;
    if (data->root && cut_below(data->root, data->height, 0, first, &freed)) {
        data->root = NULL;
        data->height = 0;
        data->first_bytes = 0;
    }
    return freed;
}
