// System calls on memory objects.
#include "kernel/handlers.h"
#include "object/aspace.h"
#include "object/namespace.h"

enum { COPY_PAGES = 16 }; // between preemption points

status_t sys_memobj_create(struct namespace *ns, u64 size, struct memobj **memobj) {
    return memobj_create(ns, size >> PAGE_SHIFT, memobj);
}

status_t sys_memobj_create_block(struct namespace *ns, struct block *block, u64 offset, u64 size,
                                 struct handle_info *out) {
    struct memobj *memobj;
    status_t status = memobj_create_block(ns, block, offset, size >> PAGE_SHIFT, &memobj);
    if (status != OK) return status;
    out->object = &memobj->base;
    out->rights = object_rights[OBJ_MEMOBJ] & ~(RIGHT_WRITE | RIGHT_MANAGE);
    return OK;
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
    if (!*page && !memobj->block) {
        *page = zero_page;
        page_get(*page);
    }
    return *page ? OK : memobj_get_page(memobj, index, page);
}

enum transfer { FROM_USER, TO_USER };

// Up to the end of a page.
static status_t transfer_part(struct memobj *memobj, u64 offset, u64 address, u64 size,
                              enum transfer transfer) {
    struct page *page;
    status_t status = transfer == TO_USER ? page_to_read(memobj, offset >> PAGE_SHIFT, &page)
                                          : memobj_get_page(memobj, offset >> PAGE_SHIFT, &page);
    if (status != OK) return status;
    u8 *bytes = (u8 *)page_address(page) + (offset & PAGE_MASK);
    if (transfer == FROM_USER)
        status = arch_copy_from_user(bytes, address, size);
    else
        status = arch_copy_to_user(address, bytes, size);
    page_put(page);
    return status;
}

static status_t memobj_transfer(struct memobj *memobj, u64 offset, u64 address, u64 size,
                                enum transfer transfer) {
    status_t status = range_check(memobj, offset, size);
    for (u64 done = 0; status == OK && done < size;) {
        u64 part = min(size - done, PAGE_SIZE - ((offset + done) & PAGE_MASK));
        status = transfer_part(memobj, offset + done, address + done, part, transfer);
        done += part;
        if ((done >> PAGE_SHIFT) % COPY_PAGES == 0) sched_preempt_point();
    }
    return status;
}

status_t sys_memobj_read(struct memobj *memobj, u64 offset, struct user_out bytes) {
    return memobj_transfer(memobj, offset, bytes.address, bytes.size, TO_USER);
}

status_t sys_memobj_write(struct memobj *memobj, u64 offset, struct user_in bytes) {
    if (memobj->block) return ERR_NOT_SUPPORTED;
    return memobj_transfer(memobj, offset, bytes.address, bytes.size, FROM_USER);
}
