// Contents of tmpfs files: pages from the heap, the image's bytes below base_size where there is no
// page, holes elsewhere. Writing to a page of the image copies that page alone.
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/fs/tmpfs_node.h"

// How much of a page that is there has bytes; what follows is zeros.
static usize page_bytes(const struct tmpfs_data *data) {
    return data->height == 0 ? data->first_bytes : PAGE_SIZE;
}

// What bytes [from, to) of a page are when it is not there.
static void page_fill(const struct tmpfs_node *node, u8 *page, u64 index, usize from, usize to) {
    u64 start = index * PAGE_SIZE + from;
    if (from >= to) {
        return;
    }
    u64 lower = start < node->data.base_size ? min(node->data.base_size - start, to - from) : 0;
    if (lower > 0) {
        tmpfs_lower_read(node, page + from, lower, start);
    }
    memset(page + from + lower, 0, to - from - lower);
}

static void page_read_locked(const struct tmpfs_data *data, const u8 *page, void *buffer,
                             usize within, usize count) REQUIRES(&tmpfs_lock) {
    usize there = page_bytes(data);
    usize copied = within < there ? min(count, there - within) : 0;
    memcpy(buffer, page + within, copied);
    memset((u8 *)buffer + copied, 0, count - copied);
}

// The image's bytes are read without the lock: they may have to come from a disk.
static void data_read_locked(struct tmpfs_node *node, u8 *buffer, usize size, u64 offset)
    REQUIRES(&tmpfs_lock) {
    while (size > 0) {
        u64 index = offset / PAGE_SIZE;
        usize within = offset & PAGE_MASK;
        usize count = min(size, PAGE_SIZE - within);
        const u8 *page = tmpfs_page_find(&node->data, index);
        if (page) {
            page_read_locked(&node->data, page, buffer, within, count);
        } else if (offset < node->data.base_size) {
            mutex_unlock(&tmpfs_lock);
            page_fill(node, buffer - within, index, within, within + count);
            mutex_lock(&tmpfs_lock);
        } else {
            memset(buffer, 0, count);
        }
        buffer += count;
        offset += count;
        size -= count;
    }
}

void tmpfs_page_copy_locked(const struct tmpfs_node *node, u64 index, u8 *buffer, usize count) {
    const u8 *page = tmpfs_page_find(&node->data, index);
    if (page) {
        page_read_locked(&node->data, page, buffer, 0, count);
    } else {
        page_fill(node, buffer, index, 0, count);
    }
}

i64 tmpfs_read(struct vnode *vnode, void *buffer, usize size, u64 offset) {
    struct tmpfs_node *node = tmpfs_node(vnode);
    if (vnode->type != MODE_REGULAR) {
        return vnode_is_directory(vnode) ? -EISDIR : -EINVAL;
    }
    mutex_lock(&tmpfs_lock);
    u64 available = offset < node->size_bytes ? node->size_bytes - offset : 0;
    size = min(size, (usize)available);
    int result = 0;
    tmpfs_accessed_locked(node);
    if (node->data.object) {
        result = tmpfs_object_read_locked(node, buffer, size, offset);
    } else {
        data_read_locked(node, buffer, size, offset);
    }
    mutex_unlock(&tmpfs_lock);
    return result != 0 ? result : (i64)size;
}

static u8 *first_for_write_locked(struct tmpfs_node *node, usize from, usize to)
    REQUIRES(&tmpfs_lock) {
    struct tmpfs_data *data = &node->data;
    bool is_new = !data->root;
    if (is_new && !tmpfs_pages_charge(node, 1)) {
        return NULL;
    }
    u64 lower = is_new ? min(data->base_size, (u64)PAGE_SIZE) : 0;
    u8 *page = tmpfs_first_page(data, (u32)max(lower, (u64)to));
    if (page && is_new) {
        page_fill(node, page, 0, 0, from);
        page_fill(node, page, 0, to, data->first_bytes);
        data->count += data->base_size == 0;
    }
    tmpfs_pages_uncharge(node, !page && is_new);
    return page;
}

u8 *tmpfs_page_for_write_locked(struct tmpfs_node *node, u64 index, usize from, usize to)
    REQUIRES(&tmpfs_lock) {
    struct tmpfs_data *data = &node->data;
    if (index == 0 && data->height == 0) {
        return first_for_write_locked(node, from, to);
    }
    u8 **slot = tmpfs_page_slot(data, index);
    if (!slot || *slot) {
        return slot ? *slot : NULL;
    }
    if (!tmpfs_pages_charge(node, 1)) {
        return NULL;
    }
    u8 *page = heap_alloc(PAGE_SIZE);
    tmpfs_pages_uncharge(node, !page);
    if (page) {
        page_fill(node, page, index, 0, from);
        page_fill(node, page, index, to, PAGE_SIZE);
        data->count += index >= tmpfs_pages_of(data->base_size);
        *slot = page;
    }
    return page;
}

// What the last page had beyond the end is cleared.
void tmpfs_extend_locked(struct tmpfs_node *node, u64 size_bytes) REQUIRES(&tmpfs_lock) {
    u64 index = node->size_bytes / PAGE_SIZE;
    usize from = node->size_bytes & PAGE_MASK;
    usize to = min((u64)page_bytes(&node->data), size_bytes - index * PAGE_SIZE);
    u8 *page = from < to ? tmpfs_page_find(&node->data, index) : NULL;
    if (page) {
        memset(page + from, 0, to - from);
    }
    node->size_bytes = size_bytes;
}

static i64 data_write_locked(struct tmpfs_node *node, const u8 *buffer, usize size, u64 offset)
    REQUIRES(&tmpfs_lock) {
    usize done = 0;
    if (offset >= TMPFS_FILE_BYTES_MAX) {
        return -EFBIG;
    }
    size = min(size, (usize)(TMPFS_FILE_BYTES_MAX - offset));
    if (node->data.object) {
        return tmpfs_object_write_locked(node, buffer, size, offset);
    }
    while (done < size) {
        u64 at = offset + done;
        usize within = at & PAGE_MASK;
        usize count = min(size - done, PAGE_SIZE - within);
        u8 *page = tmpfs_page_for_write_locked(node, at / PAGE_SIZE, within, within + count);
        if (!page) {
            break;
        }
        if (at > node->size_bytes) {
            tmpfs_extend_locked(node, at);
        }
        memcpy(page + within, buffer + done, count);
        done += count;
        node->size_bytes = max(node->size_bytes, at + count);
    }
    if (done > 0) {
        tmpfs_touch_locked(node);
    }
    return done > 0 || size == 0 ? (i64)done : -ENOSPC;
}

i64 tmpfs_write(struct vnode *vnode, const void *buffer, usize size, u64 offset, u32 flags) {
    struct tmpfs_node *node = tmpfs_node(vnode);
    if (vnode->type != MODE_REGULAR) {
        return -EINVAL;
    }
    mutex_lock(&tmpfs_lock);
    u64 start = flags & IO_APPEND ? node->size_bytes : offset;
    i64 count = data_write_locked(node, buffer, size, start);
    if (count > 0 && !(flags & IO_KEEPS_SET_ID)) {
        node->mode = mode_without_set_id(node->mode);
    }
    mutex_unlock(&tmpfs_lock);
    return count;
}

static void data_cut_locked(struct tmpfs_node *node, u64 size_bytes) REQUIRES(&tmpfs_lock) {
    struct tmpfs_data *data = &node->data;
    u64 first = tmpfs_pages_of(size_bytes);
    u64 base_pages = tmpfs_pages_of(data->base_size);
    for (u64 index = max(first, base_pages); tmpfs_pages_next(data, &index); index++) {
        data->count--;
    }
    tmpfs_pages_uncharge(node, tmpfs_pages_cut(data, first));
    data->base_size = min(data->base_size, size_bytes);
    data->count -= base_pages - tmpfs_pages_of(data->base_size);
    node->size_bytes = size_bytes;
}

int tmpfs_resize_locked(struct tmpfs_node *node, u64 size_bytes) {
    if (size_bytes > TMPFS_FILE_BYTES_MAX) {
        return -EFBIG;
    }
    if (node->data.object) {
        int result = tmpfs_object_resize_locked(node, size_bytes);
        if (result != 0) {
            return result;
        }
    } else if (size_bytes < node->size_bytes) {
        data_cut_locked(node, size_bytes);
    } else {
        tmpfs_extend_locked(node, size_bytes);
    }
    tmpfs_touch_locked(node);
    return 0;
}
