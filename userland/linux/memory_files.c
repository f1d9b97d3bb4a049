// Files in Linux memory: pages that come to a mapping after it was made.
#include "linux/abi.h"
#include "linux/kernel_if.h"
#include "linux/memory.h"

int memory_overlay(struct memory *memory, u64 address, u64 size, handle_t memobj, u64 offset,
                   u32 flags) {
    u64 unused;
    mutex_lock(&memory->lock);
    int result =
        kernel_map(memory->aspace, memobj, offset, address, size, flags | CL_MAP_FIXED, &unused);
    mutex_unlock(&memory->lock);
    return result;
}

// The region around the address, with its file counted; false: there is none with a file that may be
// used so.
static bool region_take(struct memory *memory, u64 address, u32 access, struct region *out) {
    mutex_lock(&memory->lock);
    const struct region *region = regions_find(memory->regions, address);
    bool is_found = region && region->start <= address && region->file && (region->access & access);
    if (is_found) {
        *out = *region;
        file_get(region->file);
    }
    mutex_unlock(&memory->lock);
    return is_found;
}

int memory_resolve(struct memory *memory, u64 address, u32 access) {
    struct region region;
    struct page_source source = {};
    u64 page = page_round_down(address);
    if (!region_take(memory, address, access, &region)) {
        return -ENOENT;
    }
    u64 offset = region.offset + (page - region.start);
    struct vnode *vnode = region.file->vnode;
    int result = vnode->ops->share ? vnode->ops->share(vnode, offset, &source) : 0;
    if (result == 0 && source.pages > 0) {
        u32 shared = region.traits & REGION_SHARED ? CL_MAP_SHARED : 0;
        result = memory_overlay(memory, page, PAGE_SIZE, source.memobj, source.offset,
                                region.access | shared);
    } else {
        result = -EFAULT;
    }
    file_put(region.file);
    return result == 0 ? 0 : -EFAULT;
}
