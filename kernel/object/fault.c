// Page faults. Under the address space's lock a fault is resolved with what is there; a page that
// its object must make or read first is awaited without the lock, and the fault looked at anew.
// Which page gets in:
//   private, anonymous   read: the zero page; write: a new page
//   private, of object   read: the object's page; write: a copy of it
//   shared               the object's page, with all rights of the mapping
// A write to a private page that is there makes it writable if nobody else has it, else copies it.
#include "object/aspace_steps.h"
#include "mm/relief.h"
#include "object/namespace.h"
#include "object/process.h"

static_assert(CL_MAP_READ == ARCH_MAP_READ && CL_MAP_WRITE == ARCH_MAP_WRITE &&
              CL_MAP_EXECUTE == ARCH_MAP_EXECUTE);

enum : u32 { ZERO_PAGE_REFS_MAX = 1u << 30, WINDOW_PAGES = WINDOW_SIZE >> PAGE_SHIFT };

struct fault {
    u64 va;     // of the page
    u32 access; // one of MAPPING_RIGHTS
    // Filled in when the status is SHOULD_WAIT: the page to be made or read.
    struct memobj *object; // referenced
    u64 index;
};

static bool page_is_own(const struct mapping *mapping, const struct page *page) {
    return page_refs(page) == 1 && page->payer == &mapping->aspace->base.ns->ledger;
}

u32 mapping_page_rights(const struct mapping *mapping, const struct page *page) {
    u32 rights = mapping->flags & MAPPING_RIGHTS;
    bool is_writable = (mapping->flags & CL_MAP_SHARED) || page_is_own(mapping, page);
    return is_writable ? rights : rights & ~CL_MAP_WRITE;
}

static u64 mapping_index(const struct mapping *mapping, u64 va) {
    return (mapping->offset + (va - mapping->start)) >> PAGE_SHIFT;
}

// ---- entering pages ----

// Gives the reference to `page` to a new page-table entry, with all rights but for the page of zeros.
static status_t enter(struct aspace *aspace, const struct mapping *mapping, u64 va,
                      struct page *page) REQUIRES(&aspace->lock) {
    u32 rights = mapping->flags & MAPPING_RIGHTS;
    if (page == zero_page) rights &= ~CL_MAP_WRITE;
    status_t status = arch_pmap_map(&aspace->pmap, va, page_paddr(page), rights);
    if (status != OK) page_put(page);
    return status;
}

status_t aspace_map_window(struct aspace *aspace, const struct mapping *mapping, u64 va) {
    struct page *pages[WINDOW_PAGES];
    u64 start = max(align_down(va, WINDOW_SIZE), mapping->start);
    u64 end = min(align_down(va, WINDOW_SIZE) + WINDOW_SIZE, mapping->end);
    u32 count = (u32)((end - start) >> PAGE_SHIFT);
    if (!memobj_find_pages(mapping->object, mapping_index(mapping, start), count, pages)) return OK;
    u32 rights = mapping->flags & MAPPING_RIGHTS;
    if (!(mapping->flags & CL_MAP_SHARED)) rights &= ~CL_MAP_WRITE;
    status_t status = arch_pmap_map_window(&aspace->pmap, start, count, pages, rights);
    for (u32 i = 0; i < count; i++) {
        if (pages[i]) page_put(pages[i]);
    }
    return status;
}

// ---- private copies ----

static struct page *page_duplicate(struct aspace *aspace, struct page *original) {
    bool is_zero = original == zero_page;
    struct page *copy = page_alloc(&aspace->base.ns->ledger, is_zero ? 0 : PAGE_DIRTY);
    if (copy && !is_zero) page_copy(page_address(copy), page_address(original));
    return copy;
}

// Puts a copy in the place of a page that others have too. The entry's table is there already.
static status_t entry_copy(struct aspace *aspace, const struct fault *fault,
                           const struct mapping *mapping, struct page *original)
    REQUIRES(&aspace->lock) {
    struct page *copy = page_duplicate(aspace, original);
    if (!copy) return ERR_NO_RESOURCES;
    struct arch_gather gather;
    arch_gather_init(&gather, &aspace->pmap);
    (void)arch_pmap_unmap(&aspace->pmap, fault->va, fault->va + PAGE_SIZE, &gather);
    arch_gather_flush(&gather);
    status_t status = enter(aspace, mapping, fault->va, copy);
    page_put(original);
    return status;
}

// ---- the cases ----

static status_t fault_present(struct aspace *aspace, const struct fault *fault,
                              const struct mapping *mapping, struct page *page, u32 entry_rights)
    REQUIRES(&aspace->lock) {
    if (entry_rights & fault->access) return OK; // somebody else was quicker
    u32 rights = mapping_page_rights(mapping, page);
    if (!(rights & fault->access)) return entry_copy(aspace, fault, mapping, page);
    return arch_pmap_map(&aspace->pmap, fault->va, page_paddr(page), rights);
}

static status_t fault_anonymous(struct aspace *aspace, const struct fault *fault,
                                const struct mapping *mapping) REQUIRES(&aspace->lock) {
    struct page *page = fault->access == CL_MAP_WRITE ? nullptr : zero_page;
    if (page && page_refs(page) < ZERO_PAGE_REFS_MAX)
        page_get(page);
    else
        page = page_alloc(&aspace->base.ns->ledger, 0);
    return page ? enter(aspace, mapping, fault->va, page) : ERR_NO_RESOURCES;
}

static status_t fault_object(struct aspace *aspace, struct fault *fault,
                             const struct mapping *mapping) REQUIRES(&aspace->lock) {
    u64 index = mapping_index(mapping, fault->va);
    struct page *page = memobj_find_page(mapping->object, index);
    if (!page) {
        fault->object = mapping->object;
        object_get(&fault->object->base);
        fault->index = index;
        return ERR_SHOULD_WAIT;
    }
    struct page *copy = nullptr;
    bool is_copied = fault->access == CL_MAP_WRITE && !(mapping->flags & CL_MAP_SHARED);
    if (is_copied) copy = page_duplicate(aspace, page);
    page_put(page);
    if (!is_copied) return aspace_map_window(aspace, mapping, fault->va);
    return copy ? enter(aspace, mapping, fault->va, copy) : ERR_NO_RESOURCES;
}

static status_t fault_locked(struct aspace *aspace, struct fault *fault) REQUIRES(&aspace->lock) {
    const struct mapping *mapping = mapping_at(&aspace->mappings, fault->va);
    if (!mapping) return ERR_BAD_POINTER;
    if (!(mapping->flags & fault->access)) return ERR_ACCESS_DENIED;
    u64 paddr;
    u32 rights;
    if (arch_pmap_query(&aspace->pmap, fault->va, &paddr, &rights))
        return fault_present(aspace, fault, mapping, page_from_paddr(paddr), rights);
    return mapping->object ? fault_object(aspace, fault, mapping)
                           : fault_anonymous(aspace, fault, mapping);
}

status_t aspace_fault(struct aspace *aspace, u64 address, u32 access) {
    struct fault fault = {.va = align_down(address, PAGE_SIZE), .access = access};
    for (u32 tries = 0;;) {
        lock_acquire(&aspace->lock);
        status_t status = fault_locked(aspace, &fault);
        lock_release(&aspace->lock);
        if (status == ERR_NO_RESOURCES && tries++ < RELIEF_TRIES &&
            relief_for(&aspace->base.ns->ledger, RELIEF_PAGES))
            continue;
        if (status != ERR_SHOULD_WAIT) return status;
        struct page *page;
        status = memobj_get_page(fault.object, fault.index, &page);
        object_put(&fault.object->base);
        if (status != OK) return status;
        page_put(page);
    }
}

// The address space that an address means to the current thread.
static struct aspace *fault_aspace(u64 address) {
    const struct thread_object *thread = thread_object_current();
    if (!thread) return nullptr;
    if (address < ARCH_USER_SPLIT) return thread->restricted;
    // Restricted code runs without slot 255, whatever is mapped there.
    return arch_this_cpu()->restricted || !thread->process ? nullptr : thread->process->aspace;
}

status_t fault_handle(u64 address, u32 access) {
    struct aspace *aspace = fault_aspace(address);
    return aspace ? aspace_fault(aspace, address, access) : ERR_BAD_POINTER;
}
