// What was found: a table of objects by address, one of namespaces, and counts in page->flags.
#include "check/check.h"

enum : u32 { OBJECTS = 1 << 16, OBJECTS_MOST = OBJECTS / 4 * 3, NAMESPACES = 1 << 12 };

static struct found objects[OBJECTS], nobody;
static u32 objects_used;
static struct found_ns namespaces[NAMESPACES], no_namespace;
static u32 namespaces_used;
static bool is_full;

static u32 hash(const void *address) { return (u32)((u64)address / 64 * 0x9e3779b97f4a7c15 >> 40); }

static struct found *place_of(const void *object) {
    u32 at = hash(object) % OBJECTS;
    while (objects[at].object && objects[at].object != object)
        at = (at + 1) % OBJECTS;
    return &objects[at];
}

static struct found_ns *ns_place_of(const struct namespace *ns) {
    u32 at = hash(ns) % NAMESPACES;
    while (namespaces[at].ns && namespaces[at].ns != ns)
        at = (at + 1) % NAMESPACES;
    return &namespaces[at];
}

// Once too many objects were there, the counts mean nothing any more.
bool found_clear(void) {
    if (is_full) return false;
    memset(objects, 0, sizeof(objects));
    memset(namespaces, 0, sizeof(namespaces));
    objects_used = namespaces_used = 0;
    const struct page *end = page_array + (arch_memory_end() >> PAGE_SHIFT);
    for (struct page *page = page_array; page < end; page++)
        if (page->flags >= FOUND_BLOCKS) page->flags &= FOUND_BLOCKS - 1;
    return true;
}

void found_add_object(const struct object *object) {
    bool is_ns = object->type == OBJ_NAMESPACE;
    if (objects_used++ == OBJECTS_MOST || (is_ns && namespaces_used++ == NAMESPACES / 2)) {
        is_full = true;
        klog(LOG_ERROR,
             "check: more objects than can be checked; nothing is checked from now on\n");
    }
    if (is_full) return;
    place_of(object)->object = object;
    if (is_ns) ns_place_of((const struct namespace *)object)->ns = (const struct namespace *)object;
}

struct found *found_of(const void *object) {
    struct found *found = place_of(object);
    if (found->object) return found;
    // Something on its way in or out; what stays like this is told of as that which refers to it.
    nobody = (struct found){};
    return &nobody;
}

struct found *found_find(u64 word) {
    if (word == 0 || word % sizeof(u64) != 0) return nullptr;
    struct found *found = place_of((const void *)word);
    return found->object ? found : nullptr;
}

struct found_ns *found_ns_of(const struct ledger *ledger) {
    struct found_ns *found = ns_place_of(container_of(ledger, struct namespace, ledger));
    if (found->ns) return found;
    no_namespace = (struct found_ns){};
    return &no_namespace;
}

void found_ref(const void *object) {
    if (!object) return;
    struct found *found = found_of(object);
    if (found->object != object)
        check_unknown("it is referred to, but no namespace has it", object);
    found->refs++;
}

void found_page(struct page *page) { page->flags += FOUND_ONE; }

void found_kernel_page(const void *address) { found_page(page_from_paddr(arch_paddr(address))); }

void found_block(const void *block) {
    if (!block) return;
    found_kernel_page(block);
    if ((u64)block & PAGE_MASK) page_from_paddr(arch_paddr(block))->flags |= FOUND_BLOCKS;
}
