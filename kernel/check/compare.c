// What was found, against what is recorded: of objects, ledgers, pages.
#include "check/check.h"
#include "object/aspace.h"
#include "object/port.h"

// ---- objects ----

static void compare_handles(const struct object *object, const struct found *found) {
    const struct list *node;
    u32 listed = check_list(object, "list of handles", &object->handles);
    check_equal(object, "handles", object->handle_count, found->handles);
    check_equal(object, "handles that are listed", listed, found->handles);
    for (node = object->handles.next; node != &object->handles; node = node->next)
        check_rule(object, "a handle that is listed is one of it",
                   container_of(node, struct handle, object_link)->object == object);
}

static void compare_references(const struct object *object, const struct found *found) {
    u32 least = found->refs, refs = object->refs;
    if (refs < least)
        check_equal(object, "references", refs, least);
    else if (refs > least + found->words)
        check_equal(object, "references (those on stacks are found)", refs, least + found->words);
}

static void compare_revoker(const struct revoker *revoker, const struct found *found) {
    const struct object *object = &revoker->base;
    u32 handles = check_list(object, "list of handles through it", &revoker->handles);
    u32 revocables = check_list(object, "list of what depends on it", &revoker->revocables) +
                     check_list(object, "list of what leaves it", &revoker->leaving);
    check_equal(object, "handles through it", handles, found->through);
    check_equal(object, "mappings and registrations through it", revocables, found->revocable);
}

void compare_object(struct object *object) {
    if (object->refs == 0) return;
    const struct found *found = found_of(object);
    compare_references(object, found);
    compare_handles(object, found);
    check_equal(object, "registrations", check_list(object, "registrations", &object->observers),
                found->observers);
    if (object->type == OBJ_MEMOBJ) {
        const struct memobj *memobj = (const struct memobj *)object;
        check_equal(object, "mappings", check_list(object, "list of mappings", &memobj->mappings),
                    found->mappings);
        check_equal(object, "mappings, as counted", memobj->mapping_count, found->mappings);
    }
    if (object->type == OBJ_REVOKER) compare_revoker((const struct revoker *)object, found);
    check_rule(object, "it is dead and has handles",
               !object_is_dead(object) || list_empty(&object->handles));
}

// ---- ledgers ----

static const char *const counted[LEDGER_COUNTS] = {
    [LEDGER_OBJECTS] = "objects", [LEDGER_HANDLES] = "handles that it pays for",
    [LEDGER_THREADS] = "threads", [LEDGER_NAMES] = "names",
    [LEDGER_TIMERS] = "timers",   [LEDGER_MESSAGE_BYTES] = "bytes of messages",
};

static i64 children_drawn(const struct ledger *ledger) {
    const struct ledger *child;
    i64 drawn = 0;
    list_for_each(child, &ledger->children, sibling)
        drawn += child->drawn_pages;
    return drawn;
}

static u64 children_cached(const struct ledger *ledger) {
    const struct ledger *child;
    u64 cached = 0;
    list_for_each(child, &ledger->children, sibling)
        cached += (u64)child->cached_pages;
    return cached;
}

// All objects with pages of a disk are listed, and no others.
static void compare_caches(const struct namespace *ns, u64 found) {
    const struct memobj *memobj;
    u64 cached = 0;
    (void)check_list(&ns->base, "list of caches", &ns->ledger.caches);
    list_for_each(memobj, &ns->ledger.caches, cache_link) {
        check_rule(&ns->base, "a cache that it lists is of another, or empty",
                   memobj->base.ns == ns && memobj->resident != 0);
        cached += memobj->resident;
    }
    check_equal(&ns->base, "cached pages that are listed", cached, found);
    check_equal(&ns->base, "cached pages here and below", (u64)ns->ledger.cached_pages,
                found + children_cached(&ns->ledger));
}

void compare_ledger(const struct namespace *ns) {
    const struct object *object = &ns->base;
    const struct ledger *ledger = &ns->ledger;
    const struct found_ns *found = found_ns_of(ledger);
    check_equal(object, "pages in use", (u64)ledger_used_pages(ledger), (u64)found->pages);
    check_equal(object, "pages of the kernel", (u64)ledger->kernel_pages, (u64)found->kernel_pages);
    check_equal(object, "pages that its children have drawn", (u64)ledger->children_pages,
                (u64)children_drawn(ledger));
    check_rule(object, "idle credit is not negative", ledger->idle_pages >= 0);
    compare_caches(ns, found->cached);
    for (u32 i = 0; i < LEDGER_COUNTS; i++)
        check_equal(object, counted[i], (u64)ledger->counters[i].used, (u64)found->counted[i]);
}

// ---- pages ----

// A page of the heap has one reference, and as many blocks as were given out.
static void compare_page(const struct page *page) {
    u32 found = found_count(page);
    if (page->flags & FOUND_BLOCKS) {
        const struct slab *slab = page_address(page);
        check_page_equal(page, "references to a page of the heap", page->refs, 1);
        check_page_equal(page, "blocks in use of a page of the heap", slab->used, found);
        check_page_equal(page, "payer of a page of the heap", (u64)slab->payer, (u64)page->payer);
    } else if (!(page->flags & FOUND_AT_BOOT) || found != 0) {
        check_page_equal(page, "references", page->refs, found);
    }
}

static void compare_payer(const struct page *page, bool is_boot) {
    struct found_ns *payer = found_ns_of(page->payer);
    payer->pages += !is_boot;
    payer->kernel_pages += !is_boot && page->flags & PAGE_KERNEL;
    if (!payer->ns) check_unknown("a page in use is paid by no namespace", page_address(page));
}

// Pages of the boot bundle have a reference that is never put, and are paid by nobody.
void compare_pages(void) {
    u64 size;
    const void *bundle = arch_boot_bundle(&size);
    const struct page *first = bundle ? page_from_paddr(arch_paddr(bundle)) : nullptr;
    const struct page *last = first ? first + ((size + PAGE_MASK) >> PAGE_SHIFT) : nullptr;
    const struct page *end = page_array + (arch_memory_end() >> PAGE_SHIFT);
    found_page(zero_page);
    for (struct page *page = page_array; page < end; page++) {
        if (page->refs == 0) {
            check_page_equal(page, "references to a free page", 0, found_count(page));
            continue;
        }
        bool is_boot = page >= first && page < last;
        if (is_boot) found_page(page);
        compare_page(page);
        compare_payer(page, is_boot);
    }
}
