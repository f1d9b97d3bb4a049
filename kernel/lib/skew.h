// A heap of elements with 64-bit keys, smallest first: a skew heap, whose nodes are embedded in
// the elements (children change sides on the way, which keeps it balanced enough).
//
// Rules:
// - Nothing is allocated; any element can be taken out.
// - The owner of the heap provides the lock.
#pragma once

#include "lib/types.h"

struct skew_node {
    u64 key;
    struct skew_node *left, *right, *parent;
};

struct skew_heap {
    struct skew_node *first; // the smallest; nullptr: empty
};

// Of two heaps one.
static inline struct skew_node *skew_meld(struct skew_node *a, struct skew_node *b) {
    struct skew_node *root;
    struct skew_node **place = &root;
    struct skew_node *parent = nullptr;
    while (a && b) {
        struct skew_node *first = b->key < a->key ? b : a;
        b = first == a ? b : a;
        a = first->right;
        first->right = first->left;
        first->parent = parent;
        *place = parent = first;
        place = &first->left;
    }
    *place = a ? a : b;
    if (*place) (*place)->parent = parent;
    return root;
}

// `node->key` is set; it is in no heap.
static inline void skew_insert(struct skew_heap *heap, struct skew_node *node) {
    node->left = node->right = node->parent = nullptr;
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
}
