// See disk.h.
#include "disk.h"
#include "abi/errors.h"
#include "model.h"
#include "object/thread_object.h"
#include "sched/thread.h"

enum { WORK_MAX = 8 };

static struct lock work_lock = LOCK_INIT(LOCK_DRIVER);
static struct block_request *work[WORK_MAX] GUARDED_BY(&work_lock);
static u32 work_count GUARDED_BY(&work_lock);
static struct waitq idle = {.threads = LIST_INIT(idle.threads)};

static status_t disk_take(struct blockdev *dev, struct block_request *request) {
    (void)dev;
    status_t status = ERR_SHOULD_WAIT;
    lock_acquire_same_rank(&work_lock); // the disk's is held
    if (work_count < WORK_MAX) {
        work[work_count++] = request;
        status = OK;
    }
    waitq_wake_one(&idle, OK);
    lock_release(&work_lock);
    return status;
}

static void disk_kick(struct blockdev *dev) { (void)dev; }

static const struct blockdev_driver driver = {.start = disk_take, .kick = disk_kick};

struct blockdev disk = {
    .lock = LOCK_INIT(LOCK_DRIVER),
    .driver = &driver,
    .sectors = DISK_PAGES * BLOCK_PAGE_SECTORS,
    .waiting = LIST_INIT(disk.waiting),
};

static void carry_out(struct block_request *request) {
    status_t status = OK;
    u64 first = request->sector / BLOCK_PAGE_SECTORS;
    for (u64 i = 0; i < request->sector_count / BLOCK_PAGE_SECTORS; i++) {
        u64 *page = arch_direct(request->pages[i]);
        __builtin_memset(page, 0x55, PAGE_SIZE);
        page[0] = first + i;
        if (first + i == DISK_BAD_PAGE) status = ERR_IO_ERROR;
    }
    request->done(request, status);
}

// One of them, not the oldest.
static struct block_request *request_take(void) {
    lock_acquire(&work_lock);
    while (work_count == 0) {
        (void)waitq_block(&idle, &work_lock, ~0ul, 0);
        lock_acquire(&work_lock);
    }
    struct block_request *request = work[work_count / 2];
    work_count--;
    work[(work_count + 1) / 2] = work[work_count];
    lock_release(&work_lock);
    return request;
}

static void disk_main(void *argument) {
    (void)argument;
    for (;;) {
        struct block_request *request = request_take();
        // As an interrupt does: whoever submits has let go of the request.
        lock_acquire(&disk.lock);
        blockdev_pump_locked(&disk);
        lock_release(&disk.lock);
        carry_out(request);
        sched_preempt_point();
    }
}

void disk_start(void) { CHECK(thread_kernel_create(disk_main, nullptr) == OK); }
