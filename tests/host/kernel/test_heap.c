// The heap of timers and of who waits for a CPU: test_heap SEED STEPS. Against a plain array: the
// smallest is first, whatever came and went; and no way down to the right, which is what each call
// walks, is longer than a balanced tree is high, also after what an attacker would do.
#include "lib/skew.h"
#include <stdio.h>
#include <stdlib.h>

enum { NODES = 4096, LEVELS = 12 };

static struct skew_node nodes[NODES];
static bool is_in[NODES];
static struct skew_heap heap;
static u64 seed;

static u64 random_next(void) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed >> 8;
}

static void require(bool is_true, const char *what) {
    if (is_true) return;
    printf("FAIL %s\n", what);
    exit(1);
}

// Recursion is along the ways to the left, too: those may be as long as there are nodes.
static u32 node_check(const struct skew_node *node, const struct skew_node *parent) {
    u32 count = 0, rank = 0;
    for (; node; parent = node, node = node->right, rank++) {
        require(node->parent == parent, "a child's parent is not its parent");
        require(!parent || parent->key <= node->key, "a child is smaller than its parent");
        require(skew_rank(node->left) >= skew_rank(node->right), "the right is the longer way");
        require(node->rank == skew_rank(node->right) + 1, "a rank is not what it says");
        count += 1 + node_check(node->left, node);
    }
    require(rank <= LEVELS + 1, "a way to the right is too long");
    return count;
}

static void heap_check(void) {
    u32 count = 0;
    for (u32 i = 0; i < NODES; i++) {
        count += is_in[i];
        require(!is_in[i] || heap.first->key <= nodes[i].key, "the first is not the smallest");
    }
    require(node_check(heap.first, nullptr) == count, "some are lost");
}

static void put(u32 at, u64 key) {
    nodes[at].key = key;
    skew_insert(&heap, &nodes[at]);
    is_in[at] = true;
}

static void take(u32 at) {
    skew_remove(&heap, &nodes[at]);
    is_in[at] = false;
}

// Rising, falling, from both ends; then every third goes, then the smallest, one after the other.
static void orders(u32 kind) {
    for (u32 i = 0; i < NODES; i++)
        put(i, kind == 0 ? i : kind == 1 ? NODES - i : i % 2 ? NODES - i : NODES + i);
    heap_check();
    for (u32 i = 0; i < NODES; i += 3)
        take(i);
    heap_check();
    for (u64 last = 0; heap.first; last = heap.first ? max(last, heap.first->key) : last) {
        require(heap.first->key >= last, "they do not come in order");
        take((u32)(heap.first - nodes));
    }
    heap_check();
}

int main(int count, char **words) {
    seed = count > 1 ? strtoull(words[1], nullptr, 10) * 0x9e3779b97f4a7c15 : 1;
    u64 steps = count > 2 ? strtoull(words[2], nullptr, 10) : 1000;
    for (u32 kind = 0; kind < 3; kind++)
        orders(kind);
    for (u64 i = 0; i < steps; i++) {
        u32 at = (u32)(random_next() % NODES);
        if (is_in[at])
            take(at);
        else
            put(at, random_next() % 512);
        if (i % 256 == 0) heap_check();
    }
    printf("PASS\n");
    return 0;
}
