// Contents of a file that is mapped: all of it in a memory object, which has the file's size in whole
// pages (one at least). A file gets there when somebody maps what is not the image's as it is, and
// stays. What the last page has beyond the end is cleared when the file grows over it.
#include "lib/heap.h"
#include "linux/abi.h"
#include "linux/fs/tmpfs_node.h"
#include "linux/kernel_if.h"

static u64 object_pages(u64 size_bytes) { return max(tmpfs_pages_of(size_bytes), 1UL); }

int tmpfs_object_read_locked(struct tmpfs_node *node, u8 *buffer, usize size, u64 offset) {
    return size == 0 ? 0 : kernel_memobj_read(node->data.object, offset, buffer, size);
}

int tmpfs_object_clear_locked(struct tmpfs_node *node, u64 offset, u64 end) {
    static const u8 zeros[PAGE_SIZE];
    int result = 0;
    while (result == 0 && offset < end) {
        u64 count = min((u64)PAGE_SIZE, end - offset);
        result = kernel_memobj_write(node->data.object, offset, zeros, count);
        offset += count;
    }
    return result == 0 ? 0 : -ENOSPC;
}

int tmpfs_object_resize_locked(struct tmpfs_node *node, u64 size_bytes) {
    u64 before = object_pages(node->size_bytes);
    u64 after = object_pages(size_bytes);
    if (after > before && !tmpfs_pages_charge(node, after - before)) {
        return -ENOSPC;
    }
    u64 shorter = min(size_bytes, node->size_bytes);
    u64 page_end = min(page_round_up(shorter), before * PAGE_SIZE);
    int result = tmpfs_object_clear_locked(node, shorter, page_end);
    if (result == 0 && after != before) {
        result = kernel_memobj_resize(node->data.object, after * PAGE_SIZE) == 0 ? 0 : -ENOSPC;
    }
    if (result != 0) {
        tmpfs_pages_uncharge(node, after > before ? after - before : 0);
        return result;
    }
    tmpfs_pages_uncharge(node, before > after ? before - after : 0);
    node->data.count = after;
    node->size_bytes = size_bytes;
    return 0;
}

i64 tmpfs_object_write_locked(struct tmpfs_node *node, const u8 *buffer, usize size, u64 offset) {
    if (size == 0) {
        return 0;
    }
    if (offset + size > node->size_bytes) {
        int result = tmpfs_object_resize_locked(node, offset + size);
        if (result != 0) {
            return result;
        }
    }
    if (kernel_memobj_write(node->data.object, offset, buffer, size) != 0) {
        return -ENOSPC;
    }
    tmpfs_touch_locked(node);
    return (i64)size;
}

void tmpfs_object_end(struct tmpfs_node *node) {
    if (node->data.object) {
        kernel_close(node->data.object);
        tmpfs_pages_uncharge(node, node->data.count);
    }
}

// Copies what there is of the file, page by page; holes stay holes.
static int object_fill_locked(const struct tmpfs_node *node, handle_t object, u8 *page)
    REQUIRES(&tmpfs_lock) {
    const struct tmpfs_data *data = &node->data;
    u64 base_pages = tmpfs_pages_of(data->base_size);
    u64 end = tmpfs_pages_of(node->size_bytes);
    for (u64 index = 0; index < end; index++) {
        if (index >= base_pages && !tmpfs_pages_next(data, &index)) {
            break;
        }
        u64 start = index * PAGE_SIZE;
        if (index >= end) {
            break;
        }
        usize count = min((u64)PAGE_SIZE, node->size_bytes - start);
        tmpfs_page_copy_locked(node, index, page, count);
        int result = kernel_memobj_write(object, start, page, count);
        if (result != 0) {
            return result;
        }
    }
    return 0;
}

static int object_make_locked(struct tmpfs_node *node) REQUIRES(&tmpfs_lock) {
    u64 pages = object_pages(node->size_bytes);
    handle_t object;
    if (!tmpfs_pages_charge(node, pages)) {
        return -ENOMEM;
    }
    u8 *page = heap_alloc(PAGE_SIZE);
    int result = page ? kernel_memobj_create(pages * PAGE_SIZE, &object) : -ENOMEM;
    if (result == 0) {
        result = object_fill_locked(node, object, page);
        if (result != 0) {
            kernel_close(object);
        }
    }
    heap_free(page);
    if (result != 0) {
        tmpfs_pages_uncharge(node, pages);
        return -ENOMEM;
    }
    tmpfs_pages_uncharge(node, tmpfs_pages_cut(&node->data, 0));
    node->data.base_size = 0;
    node->data.object = object;
    node->data.count = pages;
    tmpfs_pin_locked(node);
    return 0;
}

int tmpfs_share(struct vnode *vnode, u64 offset, struct page_source *out) {
    struct tmpfs_node *node = tmpfs_node(vnode);
    mutex_lock(&tmpfs_lock);
    int result = node->data.object ? 0 : object_make_locked(node);
    u64 pages = tmpfs_pages_of(node->size_bytes);
    u64 index = offset / PAGE_SIZE;
    *out = (struct page_source){
        .memobj = node->data.object,
        .offset = offset,
        .pages = pages > index ? pages - index : 0,
    };
    mutex_unlock(&tmpfs_lock);
    return result;
}
