// System calls on memory objects.
#include "kernel/handlers.h"
#include "object/aspace.h"
#include "object/namespace.h"

enum { COPY_PAGES = 16 }; // between preemption points

status_t sys_memobj_create(struct namespace *ns, u64 size, handle_t *handle) {
    struct memobj *memobj;
    status_t status = memobj_create(ns_or_current(ns), size >> PAGE_SHIFT, &memobj);
    if (status != OK) return status;
    return handle_for_new(&memobj->base, handle);
}

status_t sys_memobj_create_block(struct namespace *ns, struct block *block, u64 offset, u64 size,
                                 handle_t *handle) {
    struct memobj *memobj;
    status_t status =
        memobj_create_block(ns_or_current(ns), block, offset, size >> PAGE_SHIFT, &memobj);
    if (status != OK) return status;
    u32 rights = handle_full_rights(OBJ_MEMOBJ) & ~(RIGHT_WRITE | RIGHT_MANAGE);
    status = handle_create(&memobj->base, rights, CL_USER_ROOT, nullptr, handle);
    object_put(&memobj->base);
    return status;
}

static status_t range_check(struct memobj *memobj, u64 offset, u64 size) {
    lock_acquire(&memobj->lock);
    u64 end = memobj->size_pages << PAGE_SHIFT;
    lock_release(&memobj->lock);
    return offset <= end && size <= end - offset ? OK : ERR_OUT_OF_RANGE;
}

// What a reader of `index` sees: nothing is made for a page that was never touched.
static status_t page_to_read(struct memobj *memobj, u64 index, struct page **page) {
    *page = memobj_find_page(memobj, index);
    if (!*page && !memobj->block && zero_page()) {
        *page = zero_page();
        page_get(*page);
    }
    return *page ? OK : memobj_get_page(memobj, index, page);
}

status_t sys_memobj_read(struct memobj *memobj, u64 offset, struct user_out bytes) {
    status_t status = range_check(memobj, offset, bytes.size);
    for (u64 done = 0; status == OK && done < bytes.size;) {
        u64 at = offset + done;
        u64 in_page = at & PAGE_MASK;
        u64 part = min(bytes.size - done, PAGE_SIZE - in_page);
        struct page *page;
        status = page_to_read(memobj, at >> PAGE_SHIFT, &page);
        if (status != OK) break;
        const u8 *from = page_address(page);
        status = arch_copy_to_user(bytes.address + done, from + in_page, part);
        page_put(page);
        done += part;
        if ((done >> PAGE_SHIFT) % COPY_PAGES == 0) sched_preempt_point();
    }
    return status;
}

status_t sys_memobj_write(struct memobj *memobj, u64 offset, struct user_in bytes) {
    if (memobj->block) return ERR_NOT_SUPPORTED;
    status_t status = range_check(memobj, offset, bytes.size);
    for (u64 done = 0; status == OK && done < bytes.size;) {
        u64 at = offset + done;
        u64 in_page = at & PAGE_MASK;
        u64 part = min(bytes.size - done, PAGE_SIZE - in_page);
        struct page *page;
        status = memobj_get_page(memobj, at >> PAGE_SHIFT, &page);
        if (status != OK) break;
        u8 *to = page_address(page);
        status = arch_copy_from_user(to + in_page, bytes.address + done, part);
        page_put(page);
        done += part;
        if ((done >> PAGE_SHIFT) % COPY_PAGES == 0) sched_preempt_point();
    }
    return status;
}

status_t sys_memobj_resize(struct memobj *memobj, u64 size) {
    return memobj_resize(memobj, size >> PAGE_SHIFT);
}
