// Page trees: radix trees of 64-way nodes, as deep as the largest index in them needs.
#include "object/page_tree.h"

#include "mm/heap.h"

static u32 level_shift(u32 level) { return (level - 1) * PAGE_TREE_SHIFT; }

static void **node_slot(void **node, u64 index, u32 level) {
    return &node[index >> level_shift(level) & (PAGE_TREE_SLOTS - 1)];
}

static bool tree_covers(const struct page_tree *tree, u64 index) {
    return index >> (tree->depth * PAGE_TREE_SHIFT) == 0;
}

static void **node_create(struct ledger *payer) {
    return payer ? heap_alloc(payer, PAGE_TREE_SLOTS * sizeof(void *)) : nullptr;
}

void **page_tree_make(struct page_tree *tree, u64 index, struct ledger *payer) {
    for (; !tree_covers(tree, index); tree->depth++) {
        if (payer && !tree->root) continue;
        void **node = node_create(payer);
        if (!node) return nullptr;
        node[0] = tree->root;
        tree->root = node;
    }
    void **slot = &tree->root;
    for (u32 level = tree->depth; level > 0; level--) {
        if (!*slot) *slot = node_create(payer);
        if (!*slot) return nullptr;
        slot = node_slot(*slot, index, level);
    }
    return slot;
}

struct cut {
    u64 from, end;
    enum page_tree_cut which;
    u32 budget; // pages yet to be put
};

static bool slot_cut(void **slot, struct cut *cut) {
    struct page *page = page_tree_page(slot);
    if (page && (cut->which == CUT_ALL || page_refs(page) == 1)) {
        page_put(page);
        *slot = nullptr;
        cut->budget--;
    }
    return !*slot;
}

// Cuts what is below `slot`, the root of `level` levels of nodes from the index `first` on, and nodes
// that are empty then. True: nothing is left there.
static bool branch_cut(void **slot, u32 level, u64 first, struct cut *cut) {
    if (level == 0) return slot_cut(slot, cut);
    if (!*slot) return true;
    u64 span = 1ul << level_shift(level);
    bool is_empty = true;
    for (u64 i = 0; i < PAGE_TREE_SLOTS; i++, first += span) {
        void **below = (void **)*slot + i;
        bool is_inside = cut->budget != 0 && first < cut->end && first + span > cut->from;
        is_empty &= is_inside ? branch_cut(below, level - 1, first, cut) : !*below;
    }
    if (!is_empty) return false;
    heap_free(*slot);
    *slot = nullptr;
    return true;
}

u32 page_tree_cut(struct page_tree *tree, u64 from, u64 end, enum page_tree_cut which) {
    struct cut cut = {.from = from, .end = end, .which = which, .budget = CUT_PAGES};
    if (tree_covers(tree, from)) (void)branch_cut(&tree->root, tree->depth, 0, &cut);
    return CUT_PAGES - cut.budget;
}

static bool branch_next(void *const *slot, u32 level, u64 first, u64 *index) {
    if (!*slot) return false;
    if (level == 0) {
        *index = first;
        return true;
    }
    u64 span = 1ul << level_shift(level);
    for (u64 i = 0; i < PAGE_TREE_SLOTS; i++, first += span) {
        if (first + span > *index && branch_next((void **)*slot + i, level - 1, first, index))
            return true;
    }
    return false;
}

u64 page_tree_next(const struct page_tree *tree, u64 from) {
    u64 index = from;
    bool is_found = tree_covers(tree, from) && branch_next(&tree->root, tree->depth, 0, &index);
    return is_found ? index : PAGE_TREE_END;
}
