// Where a file of tmpfs has bytes: room that is asked for, holes, and what the image still has.
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/fs/tmpfs_node.h"

// Pages that are not there are made, of zeros or with the image's bytes.
static int fill_locked(struct tmpfs_node *node, u64 offset, u64 end) REQUIRES(&tmpfs_lock) {
    struct usage usage;
    if (node->data.object) {
        return 0;
    }
    // What can't be there is refused before any of it is made.
    tmpfs_statfs(&node->base, &usage);
    u64 there = tmpfs_pages_of(node->size_bytes);
    if (tmpfs_pages_of(end) - offset / PAGE_SIZE > usage.blocks_free + there) {
        return -ENOSPC;
    }
    for (u64 index = offset / PAGE_SIZE; index < tmpfs_pages_of(end); index++) {
        bool is_lower = index < tmpfs_pages_of(node->data.base_size);
        if (!is_lower && !tmpfs_page_for_write_locked(node, index, PAGE_SIZE, PAGE_SIZE)) {
            return -ENOSPC;
        }
    }
    return 0;
}

static int page_clear_locked(struct tmpfs_node *node, u64 index, usize from, usize to)
    REQUIRES(&tmpfs_lock) {
    bool is_lower = index * PAGE_SIZE < node->data.base_size;
    if (!is_lower && !tmpfs_page_find(&node->data, index)) {
        return 0;
    }
    u8 *page = tmpfs_page_for_write_locked(node, index, from, to);
    if (!page) {
        return -ENOSPC;
    }
    memset(page + from, 0, to - from);
    return 0;
}

// A page of the image is hidden by one of zeros; one of our own is given back.
static int hole_page_locked(struct tmpfs_node *node, u64 index) REQUIRES(&tmpfs_lock) {
    if (index * PAGE_SIZE < node->data.base_size || node->data.height == 0) {
        return page_clear_locked(node, index, 0, PAGE_SIZE);
    }
    if (tmpfs_page_find(&node->data, index)) {
        tmpfs_page_drop(&node->data, index);
        node->data.count--;
        tmpfs_pages_uncharge(node, 1);
    }
    return 0;
}

static int punch_locked(struct tmpfs_node *node, u64 offset, u64 end) REQUIRES(&tmpfs_lock) {
    end = min(end, node->size_bytes);
    if (node->data.object) {
        return offset < end ? tmpfs_object_clear_locked(node, offset, end) : 0;
    }
    int result = 0;
    while (result == 0 && offset < end) {
        u64 index = offset / PAGE_SIZE;
        usize from = offset & PAGE_MASK;
        usize to = min((u64)PAGE_SIZE, end - index * PAGE_SIZE);
        bool is_whole = from == 0 && (to == PAGE_SIZE || end == node->size_bytes);
        result =
            is_whole ? hole_page_locked(node, index) : page_clear_locked(node, index, from, to);
        offset = index * PAGE_SIZE + to;
        u64 next = index + 1;
        // Nothing of our own and nothing of the image's: straight to the next page that there is.
        if (result == 0 && next * PAGE_SIZE >= node->data.base_size) {
            offset = tmpfs_pages_next(&node->data, &next) ? max(offset, next * PAGE_SIZE) : end;
        }
    }
    return result;
}

int tmpfs_allocate(struct vnode *vnode, u32 flags, u64 offset, u64 size) {
    struct tmpfs_node *node = tmpfs_node(vnode);
    u64 end = offset + size;
    if (end < offset || end > TMPFS_FILE_BYTES_MAX) {
        return -EFBIG;
    }
    mutex_lock(&tmpfs_lock);
    int result =
        flags & ALLOCATE_PUNCH ? punch_locked(node, offset, end) : fill_locked(node, offset, end);
    if (result == 0) {
        if (!(flags & ALLOCATE_KEEP_SIZE) && end > node->size_bytes) {
            result = tmpfs_resize_locked(node, end);
        }
        tmpfs_touch_locked(node);
    }
    mutex_unlock(&tmpfs_lock);
    return result;
}

static i64 seek_hole_locked(const struct tmpfs_node *node, u64 index) REQUIRES(&tmpfs_lock) {
    u64 next = max(index, tmpfs_pages_of(node->data.base_size));
    u64 found = next;
    while (tmpfs_pages_next(&node->data, &found) && found == next) {
        found = ++next;
    }
    return (i64)min(next * PAGE_SIZE, node->size_bytes);
}

i64 tmpfs_seek(struct vnode *vnode, u64 offset, u32 wanted) {
    struct tmpfs_node *node = tmpfs_node(vnode);
    i64 result = -ENXIO;
    mutex_lock(&tmpfs_lock);
    u64 index = offset / PAGE_SIZE;
    if (offset >= node->size_bytes) {
        result = -ENXIO;
    } else if (node->data.object) {
        result = (i64)(wanted == SEEK_FOR_HOLE ? node->size_bytes : offset);
    } else if (wanted == SEEK_FOR_HOLE) {
        result = max((i64)offset, seek_hole_locked(node, index));
    } else if (offset < node->data.base_size) {
        result = (i64)offset;
    } else if (tmpfs_pages_next(&node->data, &index) && index * PAGE_SIZE < node->size_bytes) {
        result = (i64)max(offset, index * PAGE_SIZE);
    }
    mutex_unlock(&tmpfs_lock);
    return result;
}

// What the image still has of the file from there on, up to the first page of our own.
int tmpfs_map(struct vnode *vnode, u64 offset, struct page_source *out) {
    struct tmpfs_node *node = tmpfs_node(vnode);
    *out = (struct page_source){};
    if (!node->lower) {
        return 0;
    }
    mutex_lock(&tmpfs_lock);
    tmpfs_lower_map(node, offset, out);
    u64 index = offset / PAGE_SIZE;
    u64 own = index;
    u64 seen = node->data.base_size < node->lower->size_bytes
                   ? node->data.base_size / PAGE_SIZE
                   : tmpfs_pages_of(node->data.base_size);
    if (tmpfs_pages_next(&node->data, &own)) {
        seen = min(seen, own);
    }
    out->pages = min(out->pages, seen > index ? seen - index : 0);
    mutex_unlock(&tmpfs_lock);
    return 0;
}
