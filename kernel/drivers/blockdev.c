// What all disks share: the list of disks, checking of requests, the line of requests that wait
// for room in the device. Lock: each disk's own.
#include "drivers/blockdev.h"

#include "abi/errors.h"

enum : u32 { BLOCKDEVS_MAX = 8 };

// Filled at boot, then constant.
static struct blockdev *disks[BLOCKDEVS_MAX];
static u32 disk_count;

static status_t request_check(const struct blockdev *disk, const struct block_request *request) {
    if (request->operation == BLOCK_FLUSH)
        return request->sector_count == 0 ? OK : ERR_INVALID_ARGUMENT;
    u32 count = request->sector_count;
    if (count == 0 || count > BLOCK_REQUEST_PAGES_MAX * BLOCK_PAGE_SECTORS)
        return ERR_INVALID_ARGUMENT;
    if (request->sector > disk->sectors || count > disk->sectors - request->sector)
        return ERR_OUT_OF_RANGE;
    for (u32 i = 0; i * BLOCK_PAGE_SECTORS < count; i++)
        if (request->pages[i] & PAGE_MASK) return ERR_INVALID_ARGUMENT;
    if (request->operation == BLOCK_WRITE && (disk->flags & BLOCKDEV_READ_ONLY))
        return ERR_ACCESS_DENIED;
    return OK;
}

void blockdev_pump_locked(struct blockdev *disk) {
    struct block_request *request;
    u32 started = 0;
    while ((request = list_first(&disk->waiting, struct block_request, node))) {
        if (disk->driver->start(disk, request) != OK) break;
        list_remove(&request->node);
        started++;
    }
    if (started > 0) disk->driver->kick(disk);
}

status_t blockdev_submit(struct blockdev *disk, struct block_request *request) {
    status_t status = request_check(disk, request);
    if (status != OK) return status;
    lock_acquire(&disk->lock);
    if (disk->failed) {
        status = ERR_IO_ERROR;
    } else {
        list_insert_tail(&disk->waiting, &request->node);
        blockdev_pump_locked(disk);
    }
    lock_release(&disk->lock);
    return status;
}

struct blockdev *blockdev_get(u32 index) { return index < disk_count ? disks[index] : nullptr; }

status_t blockdev_register(struct blockdev *disk, const struct blockdev_driver *driver, u64 sectors,
                           u32 flags) {
    if (disk_count == BLOCKDEVS_MAX) return ERR_LIMIT;
    *disk = (struct blockdev){.driver = driver, .sectors = sectors, .flags = flags};
    lock_init(&disk->lock, LOCK_DRIVER);
    list_init(&disk->waiting);
    disks[disk_count++] = disk;
    return OK;
}
