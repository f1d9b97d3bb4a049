// An index from 64-bit keys to structures: a binary trie whose every node is an element.
//
// Rules:
// - A node is embedded in what is indexed; nothing is allocated, nothing can fail for memory.
// - A node that hangs d links below the root has its key's low d bits as the path to it, so no
//   key is more than 64 links away, whoever chose the keys.
// - The owner of the index provides the lock.
#pragma once

#include "lib/types.h"

struct index_node {
    u64 key;
    struct index_node *child[2];
};

struct index {
    struct index_node *root;
};

// Where the node with `key` hangs, or the place for it (then *place is nullptr).
static inline struct index_node **index_place(struct index *index, u64 key) {
    struct index_node **place = &index->root;
    for (u64 bits = key; *place && (*place)->key != key; bits >>= 1)
        place = &(*place)->child[bits & 1];
    return place;
}

static inline struct index_node *index_find(struct index *index, u64 key) {
    return *index_place(index, key);
}

// `node->key` is set. False when the key is taken; then nothing has changed.
static inline bool index_insert(struct index *index, struct index_node *node) {
    struct index_node **place = index_place(index, node->key);
    if (*place) return false;
    node->child[0] = node->child[1] = nullptr;
    *place = node;
    return true;
}

// Takes out a node that is in the index: some leaf below moves to its place.
static inline void index_remove(struct index *index, struct index_node *node) {
    struct index_node **place = index_place(index, node->key);
    struct index_node **leaf = place;
    while ((*leaf)->child[0] || (*leaf)->child[1])
        leaf = (*leaf)->child[0] ? &(*leaf)->child[0] : &(*leaf)->child[1];
    struct index_node *moved = *leaf;
    *leaf = nullptr;
    if (moved == node) return;
    moved->child[0] = node->child[0];
    moved->child[1] = node->child[1];
    *place = moved;
}

// Some node, or nullptr; the index keeps it.
static inline struct index_node *index_any(const struct index *index) { return index->root; }
