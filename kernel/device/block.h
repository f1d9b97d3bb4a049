// Block ranges: a part of a disk.
//
// Rules:
// - A request and the pages in it live until the disk is done with them, whatever becomes of the
//   thread that waits: the request holds a reference to each page and to the block object.
// - Whoever transfers has had its turn (turns.h).
#pragma once

#include "drivers/blockdev.h"
#include "mm/page.h"
#include "object/object.h"

struct block {
    struct object base;
    struct blockdev *dev; // constant; nullptr never
    u64 offset_bytes;     // constant, page-aligned
    u64 size_bytes;       // constant, whole pages
};

// A range of a disk, within [0, its end). OUT_OF_RANGE, NO_RESOURCES.
status_t block_create(struct namespace *ns, struct blockdev *dev, u64 offset_bytes, u64 size_bytes,
                      struct block **out);
// Reads or writes whole pages at `offset` of the range, waiting; consumes the turn. The pages are
// referenced while that lasts. IO_ERROR, DEAD (the waiting thread is being killed; it goes on by itself),
// OUT_OF_RANGE, NO_RESOURCES.
status_t block_transfer(struct block *block, enum block_operation operation, u64 offset,
                        struct page **pages, u32 count);
