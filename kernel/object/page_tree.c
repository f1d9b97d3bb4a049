// Page trees: radix trees of 64-way nodes, as deep as the largest index in them needs.
#include "object/page_tree.h"

#include "mm/heap.h"

enum { CUT_PAGES = 64 };

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

// Cuts what is below `slot`, the root of `level` levels of nodes, from the index `from` in it on,
// until *budget pages are put. True: nothing is left there.
static bool branch_cut(void **slot, u32 level, u64 from, u32 *budget) {
    if (level == 0 && page_tree_page(slot)) {
        page_put(*slot);
        *slot = nullptr;
        --*budget;
    }
    if (level == 0 || !*slot) return !*slot;
    bool is_empty = from == 0;
    for (u64 i = from >> level_shift(level); i < PAGE_TREE_SLOTS; i++) {
        if (*budget == 0) return false;
        u64 first = i << level_shift(level);
        is_empty &= branch_cut((void **)*slot + i, level - 1, max(from, first) - first, budget);
    }
    if (!is_empty) return false;
    heap_free(*slot);
    *slot = nullptr;
    return true;
}

u32 page_tree_cut(struct page_tree *tree, u64 from) {
    u32 budget = CUT_PAGES;
    if (tree_covers(tree, from)) (void)branch_cut(&tree->root, tree->depth, from, &budget);
    return CUT_PAGES - budget;
}
