// The sorted set of mappings: a treap, joined and split by address. Recursion is as deep as the
// tree, which random priorities keep near twice the logarithm of its size.
#include "object/mapping.h"

static struct mapping *link_mapping(const struct mapping_set *set, struct list *link) {
    return link == &set->list ? nullptr : list_entry(link, struct mapping, order_link);
}

struct mapping *mapping_next(const struct mapping_set *set, const struct mapping *mapping) {
    return link_mapping(set, mapping->order_link.next);
}

struct mapping *mapping_previous(const struct mapping_set *set, const struct mapping *mapping) {
    return link_mapping(set, mapping->order_link.prev);
}

static u64 tree_gap(const struct mapping *tree) { return tree ? tree->tree_gap : 0; }

static void node_update(struct mapping *node) {
    node->tree_gap = max(node->gap, max(tree_gap(node->left), tree_gap(node->right)));
}

// Before its ancestors are updated.
static void gap_measure(const struct mapping_set *set, struct mapping *mapping) {
    const struct mapping *previous = mapping_previous(set, mapping);
    mapping->gap = mapping->start - (previous ? previous->end : 0);
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
    const struct mapping *last = link_mapping(set, set->list.prev);
    bool is_last = !last || last->end <= mapping->start;
    struct mapping *after = is_last ? nullptr : mapping_find(set, mapping->start);
    struct mapping *low = set->root, *high = nullptr;
    DASSERT(!after || after->start >= mapping->end);
    list_insert_before(after ? &after->order_link : &set->list, &mapping->order_link);
    mapping->left = nullptr;
    mapping->right = nullptr;
    mapping->priority = priority_next(set);
    gap_measure(set, mapping);
    node_update(mapping);
    if (after) {
        gap_measure(set, after);
        tree_split(set->root, mapping->start, &low, &high);
    }
    set->root = tree_join(tree_join(low, mapping), high);
}

void mapping_remove(struct mapping_set *set, struct mapping *mapping) {
    struct mapping *low, *high;
    struct mapping *after = mapping_next(set, mapping);
    list_remove(&mapping->order_link);
    if (after) gap_measure(set, after);
    tree_split(set->root, mapping->start, &low, &high);
    tree_split(high, mapping->start + 1, &mapping, &high);
    set->root = tree_join(low, high);
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

// The lowest mapping of the tree that starts above `address` and has such a gap before it.
static const struct mapping *gap_find(const struct mapping *tree, u64 address, u64 size) {
    if (tree_gap(tree) < size) return nullptr;
    if (tree->start > address) {
        const struct mapping *lower = gap_find(tree->left, address, size);
        if (lower) return lower;
        if (tree->gap >= size) return tree;
    }
    return gap_find(tree->right, address, size);
}

u64 mapping_gap(const struct mapping_set *set, u64 from, u64 high, u64 size) {
    const struct mapping *there = mapping_find(set, from);
    u64 found = from;
    if (there && (there->start <= from || there->start - from < size)) {
        const struct mapping *above = gap_find(set->root, there->start, size);
        found = above ? above->start - above->gap : link_mapping(set, set->list.prev)->end;
    }
    return found < high && high - found >= size ? found : 0;
}
