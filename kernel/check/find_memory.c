// What address spaces and memory objects hold, and whether their pages are what they should be.
#include "check/check.h"
#include "object/aspace.h"
#include "device/block.h"

// ---- memory objects ----

struct tree_walk {
    const struct memobj *memobj;
    u64 resident;
};

static void tree_slot(struct tree_walk *walk, void *const *slot, u64 index) {
    struct page *page = (struct page *)((u64)*slot & ~1ul);
    found_page(page);
    bool is_filled = page_tree_page(slot) != nullptr;
    walk->resident += is_filled;
    check_rule(&walk->memobj->base, "a page of it lies beyond its end",
               !is_filled || index < walk->memobj->size_pages);
    check_rule(&walk->memobj->base, "a page of it is paid by another",
               page->payer == &walk->memobj->base.ns->ledger);
}

// Depth is bounded by the bits of an index, and so is the recursion.
static void tree_walk(struct tree_walk *walk, void *const *slot, u32 level, u64 index) {
    if (!*slot) return;
    if (level == 0) {
        tree_slot(walk, slot, index);
        return;
    }
    found_block(*slot);
    for (u32 i = 0; i < PAGE_TREE_SLOTS; i++)
        tree_walk(walk, (void **)*slot + i, level - 1, index << PAGE_TREE_SHIFT | i);
}

void find_memobj(struct object *object) {
    const struct memobj *memobj = (const struct memobj *)object;
    struct tree_walk walk = {.memobj = memobj};
    tree_walk(&walk, &memobj->pages.root, memobj->pages.depth, 0);
    check_equal(object, "resident pages", memobj->resident, walk.resident);
    if (!memobj->block) return;
    found_ref(memobj->block);
    found_ns_of(&object->ns->ledger)->cached += walk.resident;
}

// ---- mappings ----

static u64 tree_gap_of(const struct mapping *tree) { return tree ? tree->tree_gap : 0; }

static bool is_below(const struct mapping *child, const struct mapping *node) {
    return !child || child->priority <= node->priority;
}

static void check_node(const struct object *object, struct mapping_set *set,
                       const struct mapping *node, u64 previous_end) {
    check_rule(object, "mappings are in order and apart",
               node->start >= previous_end && node->start < node->end);
    check_rule(object, "a mapping is found by its address", mapping_at(set, node->start) == node);
    check_equal(object, "free bytes before a mapping", node->gap, node->start - previous_end);
    check_equal(object, "most free bytes in a subtree of mappings", node->tree_gap,
                max(node->gap, max(tree_gap_of(node->left), tree_gap_of(node->right))));
    check_rule(object, "mappings of a tree are below their parents",
               is_below(node->left, node) && is_below(node->right, node));
}

static void find_mapping(const struct aspace *aspace, const struct mapping *mapping) {
    found_block(mapping);
    check_rule(&aspace->base, "a mapping of it says that it is another's",
               mapping->aspace == aspace);
    if (mapping->object) {
        found_ref(mapping->object);
        bool is_listed = !list_empty(&mapping->object_link);
        found_of(mapping->object)->mappings += is_listed;
        check_rule(&aspace->base, "a mapping is listed by what it shows",
                   is_listed || aspace->base.refs == 0);
    }
    const struct revoker *revoker = mapping->revocable.revoker;
    if (!revoker) return;
    found_ref(revoker);
    found_of(revoker)->revocable++;
}

static void find_mappings(struct aspace *aspace) {
    const struct mapping *mapping;
    u32 children = aspace->mappings.root != nullptr;
    u64 previous_end = 0;
    u32 listed = check_list(&aspace->base, "list of mappings", &aspace->mappings.list);
    list_for_each(mapping, &aspace->mappings.list, order_link) {
        find_mapping(aspace, mapping);
        check_node(&aspace->base, &aspace->mappings, mapping, previous_end);
        children += (mapping->left != nullptr) + (mapping->right != nullptr);
        previous_end = mapping->end;
    }
    check_equal(&aspace->base, "mappings in the tree, and listed", children, listed);
}

// ---- entries ----

static const struct page *object_page(const struct mapping *mapping, u64 va) {
    struct memobj *memobj = mapping->object;
    u64 index = (mapping->offset + (va - mapping->start)) >> PAGE_SHIFT;
    void **slot = page_tree_find(&memobj->pages, index);
    return slot ? page_tree_page(slot) : nullptr;
}

// A private page is written to only where nobody else has it.
static void check_private(const struct aspace *aspace, const struct page *page, u32 rights) {
    bool is_own = page_refs(page) == 1 && page->payer == &aspace->base.ns->ledger;
    check_rule(&aspace->base, "a private page that others have, too, is writable",
               !(rights & ARCH_MAP_WRITE) || is_own);
}

static void entry(void *argument, u64 va, struct page *page, u32 rights) {
    struct aspace *aspace = argument;
    found_page(page);
    const struct mapping *mapping = mapping_at(&aspace->mappings, va);
    check_rule(&aspace->base, "a page is entered where nothing is mapped", mapping != nullptr);
    if (!mapping) return;
    check_rule(&aspace->base, "a page is entered with more rights than its mapping has",
               !(rights & ~mapping->flags));
    if (!(mapping->flags & CL_MAP_SHARED))
        check_private(aspace, page, rights);
    else
        check_rule(&aspace->base, "a page of a shared mapping is not its object's",
                   object_page(mapping, va) == page);
}

void find_aspace(struct object *object) {
    struct aspace *aspace = (struct aspace *)object;
    found_ref(aspace->owner);
    find_mappings(aspace);
    check_pmap(&aspace->pmap, aspace, entry);
    check_rule(object, "a TLB remembers what is mapped no more", check_tlbs(&aspace->pmap));
}
