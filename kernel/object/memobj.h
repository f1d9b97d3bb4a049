// Memory objects: pages that are mapped, shared or private.
//
// Rules:
// - The namespace that made it pays for its pages, once, however often they are mapped.
// - Pages are filled on first use: with zeros, or from a block range (then the object is
//   read-only, and a page that is being read is awaited by all who want it).
// - Every mapping of an object is on its list, so that a page that goes (resize, kill) is unmapped
//   everywhere first. Order of locks: aspace → memobj. To unmap from the object's side, take a
//   reference to the mapping's aspace, drop the memobj's lock, lock the aspace, look again.
#ifndef OBJECT_MEMOBJ_H
#define OBJECT_MEMOBJ_H

#include "mm/page.h"
#include "object/object.h"

struct block;

struct memobj {
    struct object base;
    struct block *block; // with a reference; nullptr for anonymous; constant
    u64 block_offset;    // bytes; constant
    struct lock lock;    // rank LOCK_MEMORY
    u64 size_pages GUARDED_BY(&lock);
    u64 resident GUARDED_BY(&lock);
    void *root GUARDED_BY(&lock); // page index tree: 512-way nodes, depth by size
    u32 depth GUARDED_BY(&lock);
    struct list mappings GUARDED_BY(&lock); // struct mapping.object_link
    struct waitq filling GUARDED_BY(&lock); // threads that wait for a page to come from disk
};

status_t memobj_create(struct namespace *ns, u64 size_pages, struct memobj **out);
status_t memobj_create_block(struct namespace *ns, struct block *block, u64 offset, u64 size_pages,
                             struct memobj **out);
// The page at `index`, referenced; made or read if it is not there (may block: no locks held).
// OUT_OF_RANGE, NO_RESOURCES, IO_ERROR, DEAD.
status_t memobj_get_page(struct memobj *memobj, u64 index, struct page **out);
// The page if it is there, referenced, else nullptr. Never blocks.
struct page *memobj_find_page(struct memobj *memobj, u64 index);
// Kernel copies, for the boot bundle and system calls: `bytes` is kernel memory.
status_t memobj_write_kernel(struct memobj *memobj, u64 offset, const void *bytes, usize size);
// Boot: an object over pages that exist already (the boot bundle), paid by nobody.

#endif
