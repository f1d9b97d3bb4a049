// Contents of tmpfs files: whole pages from the heap, holes where nothing was written.
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/fs/tmpfs_node.h"

// What a table in one allocation can hold.
enum : u64 { FILE_PAGES_MAX = HEAP_ALLOC_MAX / sizeof(u8 *) };

i64 tmpfs_read(struct vnode *vnode, void *buffer, usize size, u64 offset) {
    struct tmpfs_node *node = tmpfs_node(vnode);
    usize done = 0;
    mutex_lock(&tmpfs_lock);
    u64 available = offset < node->size_bytes ? node->size_bytes - offset : 0;
    size = min(size, (usize)available);
    while (done < size) {
        u64 page = (offset + done) / PAGE_SIZE;
        u64 within = (offset + done) & PAGE_MASK;
        usize count = min(size - done, (usize)(PAGE_SIZE - within));
        if (page < node->data.capacity && node->data.pages[page]) {
            memcpy((u8 *)buffer + done, node->data.pages[page] + within, count);
        } else {
            memset((u8 *)buffer + done, 0, count);
        }
        done += count;
    }
    mutex_unlock(&tmpfs_lock);
    return (i64)done;
}

static bool table_grow_locked(struct tmpfs_data *data, u64 pages) REQUIRES(&tmpfs_lock) {
    if (pages <= data->capacity) {
        return true;
    }
    u64 capacity = max((u64)8, (u64)data->capacity);
    while (capacity < pages) {
        capacity *= 2;
    }
    u8 **table = heap_alloc_zero(capacity * sizeof(*table));
    if (!table) {
        return false;
    }
    if (data->pages) {
        memcpy(table, data->pages, data->capacity * sizeof(*table));
    }
    heap_free(data->pages);
    data->pages = table;
    data->capacity = (u32)capacity;
    return true;
}

static u8 *page_for_write_locked(struct tmpfs_data *data, u64 page) REQUIRES(&tmpfs_lock) {
    if (!table_grow_locked(data, page + 1)) {
        return NULL;
    }
    if (!data->pages[page]) {
        data->pages[page] = heap_alloc_zero(PAGE_SIZE);
        data->count += data->pages[page] != NULL;
    }
    return data->pages[page];
}

static i64 data_write_locked(struct tmpfs_node *node, const void *buffer, usize size, u64 offset)
    REQUIRES(&tmpfs_lock) {
    usize done = 0;
    if (offset >= FILE_PAGES_MAX * PAGE_SIZE) {
        return -EFBIG;
    }
    size = min(size, (usize)(FILE_PAGES_MAX * PAGE_SIZE - offset));
    while (done < size) {
        u64 within = (offset + done) & PAGE_MASK;
        usize count = min(size - done, (usize)(PAGE_SIZE - within));
        u8 *page = page_for_write_locked(&node->data, (offset + done) / PAGE_SIZE);
        if (!page) {
            break;
        }
        memcpy(page + within, (const u8 *)buffer + done, count);
        done += count;
    }
    if (done > 0) {
        node->size_bytes = max(node->size_bytes, offset + done);
        tmpfs_touch_locked(node);
    }
    return done > 0 || size == 0 ? (i64)done : -ENOSPC;
}

i64 tmpfs_write(struct vnode *vnode, const void *buffer, usize size, u64 offset, u32 flags) {
    struct tmpfs_node *node = tmpfs_node(vnode);
    mutex_lock(&tmpfs_lock);
    u64 start = flags & IO_APPEND ? node->size_bytes : offset;
    i64 count = data_write_locked(node, buffer, size, start);
    mutex_unlock(&tmpfs_lock);
    return count;
}

// Frees the pages beyond the new end; what is left of the last one is cleared, so that growing
// again shows zeros.
int tmpfs_resize_locked(struct tmpfs_node *node, u64 size_bytes) {
    struct tmpfs_data *data = &node->data;
    if (size_bytes > FILE_PAGES_MAX * PAGE_SIZE) {
        return -EFBIG;
    }
    for (u64 page = (size_bytes + PAGE_MASK) / PAGE_SIZE; page < data->capacity; page++) {
        if (data->pages[page]) {
            heap_free(data->pages[page]);
            data->pages[page] = NULL;
            data->count--;
        }
    }
    u64 last = size_bytes / PAGE_SIZE;
    if (last < data->capacity && data->pages[last]) {
        memset(data->pages[last] + (size_bytes & PAGE_MASK), 0,
               PAGE_SIZE - (size_bytes & PAGE_MASK));
    }
    node->size_bytes = size_bytes;
    tmpfs_touch_locked(node);
    return 0;
}

void tmpfs_data_free(struct tmpfs_data *data) {
    for (u32 page = 0; page < data->capacity; page++) {
        heap_free(data->pages[page]);
    }
    heap_free(data->pages);
}
