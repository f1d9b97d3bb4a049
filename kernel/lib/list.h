// Intrusive, circular, doubly linked list.
//
// Rules:
// - A list and each node are both a `struct list`; the list is the head, not an element.
// - The owner of the list provides the lock.
// - A removed node points at itself, so that list_empty(&node) says "on no list", and removing
//   it again is harmless.
#pragma once

#include "lib/types.h"

struct list {
    struct list *next;
    struct list *prev;
};

// Static initializer.
#define LIST_INIT(name) {&(name), &(name)}

static inline void list_init(struct list *list) {
    list->next = list;
    list->prev = list;
}

static inline bool list_empty(const struct list *list) { return list->next == list; }

static inline void list_insert_before(struct list *position, struct list *node) {
    node->next = position;
    node->prev = position->prev;
    node->prev->next = node;
    position->prev = node;
}

static inline void list_insert_head(struct list *list, struct list *node) {
    list_insert_before(list->next, node);
}

static inline void list_insert_tail(struct list *list, struct list *node) {
    list_insert_before(list, node);
}

static inline void list_remove(struct list *node) {
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

// Moves all nodes of `from` to the tail of `to`; `from` is empty afterwards.
static inline void list_splice_tail(struct list *to, struct list *from) {
    if (list_empty(from)) return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

#define list_entry(node, type, member) container_of(node, type, member)

// The first element, or nullptr; the list keeps it.
#define list_first(list, type, member) \
    (list_empty(list) ? nullptr : list_entry((list)->next, type, member))

// Removes and returns the first element, or nullptr.
#define list_take_first(list, type, member)            \
    ({                                                 \
        type *taken_ = list_first(list, type, member); \
        if (taken_) list_remove(&taken_->member);      \
        taken_;                                        \
    })

#define list_for_each(element, list, member)                                              \
    for (typeof(element) element##_ = list_entry((list)->next, typeof(*element), member); \
         (element = element##_, &element->member != (list));                              \
         element##_ = list_entry(element->member.next, typeof(*element), member))
