// Page trees: from a page's index in an object to the page.
//
// Rules:
// - The owner's lock guards a tree. Nodes are on the payer's heap.
// - A slot is empty, a page, or a page that is still being filled (lowest bit set): only who fills
//   it touches that one.
// - Nodes go when what they hold is cut off, not when single slots become empty.
#pragma once

#include "mm/page.h"

enum { PAGE_TREE_SHIFT = 6, PAGE_TREE_SLOTS = 1 << PAGE_TREE_SHIFT };

struct page_tree {
    void *root; // the one slot of depth 0; else a node of PAGE_TREE_SLOTS slots
    u32 depth;  // levels of nodes
};

// The slot of `index` (of less than 64 bits), made if needed; nullptr: it can't be paid.
void **page_tree_make(struct page_tree *tree, u64 index, struct ledger *payer);
// The slot of `index`, or nullptr where there is none.
static inline void **page_tree_find(struct page_tree *tree, u64 index) {
    return page_tree_make(tree, index, nullptr);
}

static inline struct page *page_tree_page(void *const *slot) {
    return (u64)*slot & 1 ? nullptr : *slot;
}
static inline void *page_tree_filling(struct page *page) { return (u8 *)page + 1; }

// Takes pages at `from` and above out and puts them, some at a time; pages that are being filled stay.
// Returns how many. 0: none is left.
u32 page_tree_cut(struct page_tree *tree, u64 from);
