#include "cloister.h"

#include "storage/disk.h"

enum { WINDOW_BYTES = 4 * PAGE_SIZE };

static struct {
    handle_t block;
    handle_t memobj;
    u64 size_bytes; // of the disk
    u8 *window;
} disk_here;

static const u8 *disk_read(void *context, u64 first_sector, u64 count) {
    (void)context;
    u64 start = page_round_down(first_sector * GPT_SECTOR_BYTES);
    u64 end = page_round_up((first_sector + count) * GPT_SECTOR_BYTES);
    if (count > WINDOW_BYTES / GPT_SECTOR_BYTES - PAGE_SIZE / GPT_SECTOR_BYTES ||
        end > disk_here.size_bytes ||
        block_read(disk_here.block, start, disk_here.memobj, 0, end - start) != OK) {
        return NULL;
    }
    return disk_here.window + (first_sector * GPT_SECTOR_BYTES - start);
}

status_t disk_open(struct gpt_disk *disk, handle_t block) {
    struct cl_object_info info;
    u64 window;
    status_t status = object_info(block, &info);
    if (status != OK || (status = memobj_create(0, WINDOW_BYTES, &disk_here.memobj)) != OK) {
        return status;
    }
    status =
        aspace_map(0, disk_here.memobj, 0, 0, WINDOW_BYTES, CL_MAP_READ | CL_MAP_SHARED, &window);
    if (status != OK) {
        return status;
    }
    disk_here.block = block;
    disk_here.size_bytes = info.detail[0];
    disk_here.window = (u8 *)window;
    *disk = (struct gpt_disk){.read = disk_read, .sectors = info.detail[0] / GPT_SECTOR_BYTES};
    return OK;
}
