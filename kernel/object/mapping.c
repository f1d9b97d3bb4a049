// The sorted set of mappings: a treap, joined and split by address. Recursion is as deep as the
// tree, which random priorities keep near twice the logarithm of its size.
#include "object/mapping.h"

static void node_update(struct mapping *node) {
    u64 gap = 0;
    node->tree_start = node->start;
    node->tree_end = node->end;
    if (node->left) {
        node->tree_start = node->left->tree_start;
        gap = max(node->left->tree_gap, node->start - node->left->tree_end);
    }
    if (node->right) {
        node->tree_end = node->right->tree_end;
        gap = max(gap, max(node->right->tree_gap, node->right->tree_start - node->end));
    }
    node->tree_gap = gap;
}

// All of `low` lies below all of `high`.
static struct mapping *tree_join(struct mapping *low, struct mapping *high) {
    if (!low || !high) return low ? low : high;
    if (low->priority > high->priority) {
        low->right = tree_join(low->right, high);
        node_update(low);
        return low;
    }
    high->left = tree_join(low, high->left);
    node_update(high);
    return high;
}

// Splits into what starts below `at` and the rest.
static void tree_split(struct mapping *tree, u64 at, struct mapping **low, struct mapping **high) {
    if (!tree) {
        *low = nullptr;
        *high = nullptr;
        return;
    }
    if (tree->start < at) {
        tree_split(tree->right, at, &tree->right, high);
        *low = tree;
    } else {
        tree_split(tree->left, at, low, &tree->left);
        *high = tree;
    }
    node_update(tree);
}

void mapping_set_init(struct mapping_set *set) {
    set->root = nullptr;
    list_init(&set->list);
    set->random = (u32)arch_entropy() | 1;
}

// xorshift32: it only has to be unknown to the user.
static u32 priority_next(struct mapping_set *set) {
    set->random ^= set->random << 13;
    set->random ^= set->random >> 17;
    set->random ^= set->random << 5;
    return set->random;
}

void mapping_insert(struct mapping_set *set, struct mapping *mapping) {
    // Often above all others: a clone is made in order, and programs are loaded upwards.
    bool is_last = !set->root || set->root->tree_end <= mapping->start;
    struct mapping *after = is_last ? nullptr : mapping_find(set, mapping->start);
    DASSERT(!after || after->start >= mapping->end);
    list_insert_before(after ? &after->order_link : &set->list, &mapping->order_link);
    mapping->left = nullptr;
    mapping->right = nullptr;
    mapping->priority = priority_next(set);
    node_update(mapping);
    struct mapping *low = set->root, *high = nullptr;
    if (!is_last) tree_split(set->root, mapping->start, &low, &high);
    set->root = tree_join(tree_join(low, mapping), high);
}

void mapping_remove(struct mapping_set *set, struct mapping *mapping) {
    struct mapping *low, *high;
    tree_split(set->root, mapping->start, &low, &high);
    tree_split(high, mapping->start + 1, &mapping, &high);
    set->root = tree_join(low, high);
    list_remove(&mapping->order_link);
}

void mapping_set_range(struct mapping_set *set, struct mapping *mapping, u64 start, u64 end) {
    mapping_remove(set, mapping);
    if (mapping->object) mapping->offset += start - mapping->start;
    mapping->start = start;
    mapping->end = end;
    mapping_insert(set, mapping);
}

struct mapping *mapping_find(const struct mapping_set *set, u64 address) {
    struct mapping *found = nullptr;
    struct mapping *node = set->root;
    while (node) {
        if (node->end > address) {
            found = node;
            node = node->left;
        } else {
            node = node->right;
        }
    }
    return found;
}

struct mapping *mapping_at(const struct mapping_set *set, u64 address) {
    struct mapping *found = mapping_find(set, address);
    return found && found->start <= address ? found : nullptr;
}

struct mapping *mapping_next(const struct mapping_set *set, const struct mapping *mapping) {
    struct list *next = mapping->order_link.next;
    return next == &set->list ? nullptr : list_entry(next, struct mapping, order_link);
}

struct mapping *mapping_previous(const struct mapping_set *set, const struct mapping *mapping) {
    struct list *previous = mapping->order_link.prev;
    return previous == &set->list ? nullptr : list_entry(previous, struct mapping, order_link);
}

// The lowest gap of `size` between two mappings of the tree that starts at `from` or above.
static u64 tree_gap_from(const struct mapping *tree, u64 from, u64 size) {
    if (!tree || tree->tree_gap < size || tree->tree_end <= from) return 0;
    u64 found = tree_gap_from(tree->left, from, size);
    if (found) return found;
    if (tree->left && tree->left->tree_end >= from && tree->start - tree->left->tree_end >= size)
        return tree->left->tree_end;
    if (tree->right && tree->end >= from && tree->right->tree_start - tree->end >= size)
        return tree->end;
    return tree_gap_from(tree->right, from, size);
}

u64 mapping_gap(const struct mapping_set *set, u64 from, u64 high, u64 size) {
    if (from >= high || size > high - from) return 0;
    struct mapping *next = mapping_find(set, from);
    if (!next || (next->start > from && next->start - from >= size)) return from;
    u64 found = tree_gap_from(set->root, from, size);
    if (!found && set->root->tree_end >= from && high - set->root->tree_end >= size)
        found = set->root->tree_end;
    return found && found <= high - size ? found : 0;
}
