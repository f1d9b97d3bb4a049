// Memory objects: pages that are mapped, shared or private.
//
// Rules:
// - The namespace that made it pays for its pages, once, however often they are mapped.
// - Pages are filled on first use: with zeros, or from a block range (then the object is
//   read-only, and a page that is being read is awaited by all who want it).
// - Every mapping of an object is on its list, so that a page that goes (resize, kill) is unmapped
//   everywhere first. Order of locks: aspace → memobj. To unmap from the object's side, take a
//   reference to the mapping's aspace, drop the memobj's lock, lock the aspace, look again.
// - A dead object is in no mapping any more: killing it removes the mappings.
#pragma once

#include "mm/page.h"
#include "object/object.h"
#include "object/page_tree.h"

struct block;
struct mapping;

struct memobj {
    struct object base;
    struct block *block; // with a reference; nullptr for anonymous; constant
    u64 block_offset;    // bytes; constant
    struct lock lock;    // rank LOCK_MEMORY
    u64 size_pages GUARDED_BY(&lock);
    u64 resident GUARDED_BY(&lock); // pages in the tree, but those that are being read
    struct page_tree pages GUARDED_BY(&lock);
    struct list mappings GUARDED_BY(&lock); // struct mapping.object_link
    struct waitq waiters GUARDED_BY(&lock); // for a page from disk, or the end of a resize
    u32 mapping_count GUARDED_BY(&lock);
    u32 resizes GUARDED_BY(&lock); // mappings with another number are yet to be cut
    bool is_resizing GUARDED_BY(&lock);
    // Of a block range:
    u64 hand GUARDED_BY(&lock);  // where pages are given back next (memobj_evict.c)
    u64 round GUARDED_BY(&lock); // how often the hand has come round
    struct list cache_link;      // while it has pages; under the payer's ledger's lock
};

// OUT_OF_RANGE when the block range does not hold it all; without one (nullptr) it is anonymous.
status_t memobj_create_block(struct namespace *ns, struct block *block, u64 offset, u64 size_pages,
                             struct memobj **out);
static inline status_t memobj_create(struct namespace *ns, u64 size_pages, struct memobj **out) {
    return memobj_create_block(ns, nullptr, 0, size_pages, out);
}
// Boot: over pages of RAM that no one else manages (the boot bundle), for ever and paid by nobody.
status_t memobj_create_boot(struct namespace *ns, u64 paddr, u64 size_pages, struct memobj **out);

// The page at `index`, referenced; made or read if it is not there (may block: no locks held).
// OUT_OF_RANGE, NO_RESOURCES, IO_ERROR, DEAD.
status_t memobj_get_page(struct memobj *memobj, u64 index, struct page **out);
// The page if it is there, referenced, else nullptr. Never blocks.
struct page *memobj_find_page(struct memobj *memobj, u64 index);
// The same for `count` pages from `index` on, into `pages`. Returns how many it found.
u32 memobj_find_pages(struct memobj *memobj, u64 index, u32 count, struct page **pages);
// (The system call memobj_resize: pages beyond the new end are unmapped everywhere and given back. It
// waits for other resizes.)

// ---- for address spaces; the aspace's lock is held ----
// Puts a mapping, whose object, range and offset are set, on its object's list. DEAD, and
// OUT_OF_RANGE when the object is smaller.
status_t memobj_attach(struct mapping *mapping);
// The same for a part that was split or copied off `whole`, on the list already.
void memobj_attach_part(struct mapping *part, const struct mapping *whole);
void memobj_detach(struct mapping *mapping);
// The mapping has no pages any more that the resize of this number took away.
void memobj_mark_cut(struct mapping *mapping, u32 resizes);

// ---- internal ----
// Reads a missing page from the block range; as get_page, but OK means: look again.
// memobj_block.c
status_t memobj_fill_block(struct memobj *memobj, u64 index);
// Pages that were marked as being read are there, or (not OK) have their slots empty again and are
// given back. From interrupts too; the caller's or the reading thread's reference keeps the object.
void memobj_filled(struct memobj *memobj, u64 first, struct page **pages, u32 count,
                   status_t status);
// Counts pages that got in or out.
void memobj_count(struct memobj *memobj, i64 pages) REQUIRES(&memobj->lock);

// Gives back pages of a block range that are in use by nobody else, and takes the next ones away from
// address spaces: what is not used again until it is their turn goes then. memobj_evict.c
struct memobj_eviction {
    u32 mappings;      // so many are looked at, at the most
    const void *asker; // the ledger that nothing is spared for
    u64 given, seen;   // out: pages
    bool came_round;   // out: the end of the object has been reached
};
void memobj_evict(struct memobj *memobj, struct memobj_eviction *eviction);
