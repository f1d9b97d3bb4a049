// Page trees: from a page's index in an object to the page.
//
// Rules:
// - The owner's lock guards a tree. Nodes are on the payer's heap.
// - A slot is empty, a page, or a page that is still being filled (lowest bit set): only who fills
//   it touches that one.
// - Nodes go when what they hold is cut.
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

// All, or only those that nobody else has a reference to.
enum page_tree_cut { CUT_ALL, CUT_UNSHARED };
// Takes pages of [from, end) out and puts them, at most CUT_PAGES; pages that are being filled stay.
// Returns how many: less than that when there is none left.
enum : u32 { CUT_PAGES = 64 };
u32 page_tree_cut(struct page_tree *tree, u64 from, u64 end, enum page_tree_cut which);
// The first index from `from` on with something in its slot, or PAGE_TREE_END.
enum : u64 { PAGE_TREE_END = ~0ul };
u64 page_tree_next(const struct page_tree *tree, u64 from);
