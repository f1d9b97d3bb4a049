// Block ranges. A transfer is a heap structure with two owners, the waiting thread and the disk:
// the second to let go of it frees it, and with it the pages' references. It is charged to the
// namespace of the block object.
#include "device/block.h"
#include "device/turns.h"

#include "kernel/handlers.h"
#include "object/memobj.h"
#include "object/namespace.h"
#include "object/trace.h"

struct transfer {
    struct block_request request;
    struct block *block; // with a reference
    struct lock lock;    // rank LOCK_OBJECT
    struct waitq waiting GUARDED_BY(&lock);
    bool is_done GUARDED_BY(&lock);
    status_t status GUARDED_BY(&lock);
    u32 owners;         // atomic
    struct block_io io; // constant, of the pages below
    struct page *pages[BLOCK_REQUEST_PAGES_MAX];
};

static void transfer_put(struct transfer *transfer) {
    if (__atomic_sub_fetch(&transfer->owners, 1, __ATOMIC_ACQ_REL) != 0) return;
    struct block *block = transfer->block;
    for (u32 i = 0; i < transfer->io.count; i++)
        page_put(transfer->pages[i]);
    heap_free(transfer);
    object_put(&block->base);
}

static void io_tell(const struct block_io *io, status_t status) {
    if (io->memobj) memobj_filled(io->memobj, io->first, io->pages, io->count, status);
}

// Once: by the disk, or by the waiting thread, which has a reference to the object, if that leaves
// before.
static void transfer_end(struct transfer *transfer, status_t status) REQUIRES(&transfer->lock) {
    if (transfer->is_done) return;
    transfer->is_done = true;
    transfer->status = status;
    io_tell(&transfer->io, status);
    waitq_wake_all(&transfer->waiting, OK);
}

// From the disk's interrupt.
static void transfer_done(struct block_request *request, status_t status) {
    struct transfer *transfer = container_of(request, struct transfer, request);
    if (status != OK) trace_event(TRACE_IO_ERROR, request->sector, request->operation);
    lock_acquire(&transfer->lock);
    transfer_end(transfer, status);
    lock_release(&transfer->lock);
    turn_done(request->operation);
    transfer_put(transfer);
}

static struct transfer *transfer_create(struct block *block, const struct block_io *io) {
    struct transfer *transfer = heap_alloc(&block->base.ns->ledger, sizeof(*transfer));
    if (!transfer) return nullptr;
    object_get(&block->base);
    transfer->block = block;
    lock_init(&transfer->lock, LOCK_OBJECT);
    waitq_init(&transfer->waiting);
    transfer->owners = 2;
    transfer->io = *io;
    transfer->io.pages = transfer->pages;
    transfer->request = (struct block_request){
        .operation = io->operation,
        .sector = (block->offset_bytes + io->offset) / BLOCK_SECTOR_SIZE,
        .sector_count = io->count * BLOCK_PAGE_SECTORS,
        .done = transfer_done,
    };
    list_init(&transfer->request.node);
    for (u32 i = 0; i < io->count; i++) {
        page_get(io->pages[i]);
        transfer->pages[i] = io->pages[i];
        transfer->request.pages[i] = page_paddr(io->pages[i]);
    }
    return transfer;
}

static status_t transfer_wait(struct transfer *transfer) {
    lock_acquire(&transfer->lock);
    while (!transfer->is_done) {
        bool is_killed =
            waitq_block(&transfer->waiting, &transfer->lock, CL_DEADLINE_NEVER, 0) == ERR_DEAD;
        lock_acquire(&transfer->lock);
        if (is_killed) transfer_end(transfer, ERR_DEAD);
    }
    status_t status = transfer->status;
    lock_release(&transfer->lock);
    return status;
}

static status_t transfer_begin(struct block *block, const struct block_io *io,
                               struct transfer **out) {
    u64 size = io->count * PAGE_SIZE;
    *out = nullptr;
    if (io->offset > block->size_bytes || size > block->size_bytes - io->offset)
        return ERR_OUT_OF_RANGE;
    if (object_is_dead(&block->base)) return ERR_DEAD;
    *out = transfer_create(block, io);
    return *out ? blockdev_submit(block->dev, &(*out)->request) : ERR_NO_RESOURCES;
}

status_t block_transfer(struct block *block, const struct block_io *io) {
    struct transfer *transfer;
    status_t status = transfer_begin(block, io, &transfer);
    if (status != OK) {
        turn_done(io->operation);
        io_tell(io, status);
        if (transfer) transfer_put(transfer); // the disk never had it
    } else {
        status = transfer_wait(transfer);
    }
    if (transfer) transfer_put(transfer);
    return status;
}

status_t block_create(struct namespace *ns, struct blockdev *dev, u64 offset_bytes, u64 size_bytes,
                      struct block **out) {
    u64 end_bytes = dev->sectors * BLOCK_SECTOR_SIZE;
    if (offset_bytes > end_bytes || size_bytes > end_bytes - offset_bytes) return ERR_OUT_OF_RANGE;
    struct block *block = object_alloc(ns, OBJ_BLOCK, sizeof(*block));
    if (!block) return ERR_NO_RESOURCES;
    block->dev = dev;
    block->offset_bytes = offset_bytes;
    block->size_bytes = align_down(size_bytes, PAGE_SIZE);
    object_publish(&block->base);
    *out = block;
    return OK;
}

static void block_describe(struct object *object, u64 detail[4]) {
    detail[0] = ((struct block *)object)->size_bytes;
}

const struct object_ops block_object_ops = {.describe = block_describe};

// ---- system calls ----

status_t sys_block_range(const struct handle_info *handle, struct namespace *ns, u64 offset,
                         u64 size, struct handle_info *out) {
    struct block *block = (struct block *)handle->object;
    if (offset > block->size_bytes || size > block->size_bytes - offset) return ERR_OUT_OF_RANGE;
    struct block *part;
    status_t status = block_create(ns, block->dev, block->offset_bytes + offset, size, &part);
    if (status != OK) return status;
    // A part never gives more than the whole did, and goes when that is taken back.
    u32 rights = handle->rights & object_rights[OBJ_BLOCK];
    struct handle_info made = {.object = &part->base, .rights = rights, .revoker = handle->revoker};
    status = sys_handle_duplicate(&made, CL_RIGHTS_SAME, out);
    object_put(&part->base);
    return status;
}

// One step of at most BLOCK_REQUEST_PAGES_MAX pages between the range and the memory object.
static status_t copy_step(struct block *block, enum block_operation operation, u64 offset,
                          struct memobj *memobj, u64 first_page, u32 count) {
    struct page *pages[BLOCK_REQUEST_PAGES_MAX];
    struct turn turn;
    u32 have = 0;
    status_t status = OK;
    while (status == OK && have < count) {
        status = memobj_get_page(memobj, first_page + have, &pages[have]);
        if (status == OK) have++;
    }
    if (status == OK) status = turn_begin(operation, &turn);
    if (status == OK) {
        turn_end(operation, &turn, count);
        struct block_io io = {operation, count, offset, pages, nullptr, 0};
        status = block_transfer(block, &io);
    }
    while (have > 0)
        page_put(pages[--have]);
    return status;
}

static status_t copy_all(struct block *block, enum block_operation operation, u64 offset,
                         struct memobj *memobj, u64 memobj_offset, u64 size) {
    if (offset > block->size_bytes || size > block->size_bytes - offset) return ERR_OUT_OF_RANGE;
    u64 done = 0;
    while (done < size) {
        u32 count = (u32)min((size - done) >> PAGE_SHIFT, (u64)BLOCK_REQUEST_PAGES_MAX);
        status_t status = copy_step(block, operation, offset + done, memobj,
                                    (memobj_offset + done) >> PAGE_SHIFT, count);
        if (status != OK) return status;
        done += (u64)count << PAGE_SHIFT;
        sched_preempt_point();
    }
    return OK;
}

status_t sys_block_read(struct block *block, u64 offset, struct memobj *memobj, u64 memobj_offset,
                        u64 size) {
    if (memobj->block) return ERR_NOT_SUPPORTED;
    return copy_all(block, BLOCK_READ, offset, memobj, memobj_offset, size);
}

status_t sys_block_write(struct block *block, u64 offset, struct memobj *memobj, u64 memobj_offset,
                         u64 size) {
    return copy_all(block, BLOCK_WRITE, offset, memobj, memobj_offset, size);
}

status_t sys_block_flush(struct block *block) {
    struct turn turn;
    status_t status = turn_begin(BLOCK_FLUSH, &turn);
    if (status != OK) return status;
    turn_end(BLOCK_FLUSH, &turn, 0);
    return block_transfer(block, &(struct block_io){.operation = BLOCK_FLUSH});
}
