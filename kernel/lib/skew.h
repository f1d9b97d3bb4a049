// A heap of elements with 64-bit keys, smallest first: a leftist heap, whose nodes are embedded in the
// elements. A node's rank is the length of its way down to the right; no way to the left is shorter.
// So none to the right has more than log2(n + 1) nodes, and each call takes as many steps at most:
// with others' elements in the heap, and whatever was done to it before.
//
// Rules:
// - Nothing is allocated; any element can be taken out.
// - The owner of the heap provides the lock.
#pragma once

#include "lib/types.h"

struct skew_node {
    u64 key;
    struct skew_node *left, *right, *parent;
    u32 rank;
    u32 tag; // the owner's
};

struct skew_heap {
    struct skew_node *first; // the smallest; nullptr: empty
};

static inline u32 skew_rank(const struct skew_node *node) { return node ? node->rank : 0; }

// A node whose children have changed; true: its rank has, too.
static inline bool skew_settle(struct skew_node *node) {
    struct skew_node *left = node->left;
    if (skew_rank(left) < skew_rank(node->right)) {
        node->left = node->right;
        node->right = left;
    }
    u32 before = node->rank;
    node->rank = skew_rank(node->right) + 1;
    return node->rank != before;
}

// Of two heaps one.
static inline struct skew_node *skew_meld(struct skew_node *a, struct skew_node *b) {
    struct skew_node *root;
    struct skew_node **place = &root;
    struct skew_node *parent = nullptr;
    while (a && b) {
        struct skew_node *first = b->key < a->key ? b : a;
        b = first == a ? b : a;
        a = first->right;
        first->parent = parent;
        *place = parent = first;
        place = &first->right;
    }
    *place = a ? a : b;
    if (*place) (*place)->parent = parent;
    for (; parent; parent = parent->parent)
        skew_settle(parent);
    return root;
}

// `node->key` is set; it is in no heap.
static inline void skew_insert(struct skew_heap *heap, struct skew_node *node) {
    node->left = node->right = node->parent = nullptr;
    node->rank = 1;
    heap->first = skew_meld(heap->first, node);
}

static inline void skew_remove(struct skew_heap *heap, struct skew_node *node) {
    struct skew_node *parent = node->parent;
    struct skew_node *below = skew_meld(node->left, node->right);
    if (below) below->parent = parent;
    if (!parent)
        heap->first = below;
    else if (parent->left == node)
        parent->left = below;
    else
        parent->right = below;
    while (parent && skew_settle(parent))
        parent = parent->parent;
}
