// Intrusive doubly linked lists. A list head is a node that belongs to no entry.
// Rules:
// - an entry is in at most one list through one node; list_remove leaves the node empty, so that
//   list_is_empty(&entry->node) tells whether the entry is in a list;
// - the list's owner has the lock; nothing here locks.
#pragma once

#include "lib/types.h"

struct list {
    struct list *next;
    struct list *previous;
};

#define LIST_INIT(name) {&(name), &(name)}

static inline void list_init(struct list *list) {
    list->next = list;
    list->previous = list;
}

static inline bool list_is_empty(const struct list *list) { return list->next == list; }

static inline void list_insert_between(struct list *node, struct list *before, struct list *after) {
    node->previous = before;
    node->next = after;
    before->next = node;
    after->previous = node;
}

static inline void list_insert_head(struct list *list, struct list *node) {
    list_insert_between(node, list, list->next);
}

static inline void list_insert_tail(struct list *list, struct list *node) {
    list_insert_between(node, list->previous, list);
}

static inline void list_remove(struct list *node) {
    node->previous->next = node->next;
    node->next->previous = node->previous;
    list_init(node);
}

#define list_first(list, type, member) \
    (list_is_empty(list) ? (type *)NULL : container_of((list)->next, type, member))

#define list_for_each(entry, list, member)                                                     \
    for (entry = container_of((list)->next, typeof(*entry), member); &entry->member != (list); \
         entry = container_of(entry->member.next, typeof(*entry), member))

// The body may remove `entry`, but no other.
#define list_for_each_safe(entry, following, list, member)                    \
    for (entry = container_of((list)->next, typeof(*entry), member),          \
        following = container_of(entry->member.next, typeof(*entry), member); \
         &entry->member != (list);                                            \
         entry = following, following = container_of(entry->member.next, typeof(*entry), member))
