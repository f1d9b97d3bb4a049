// The names that a directory has of its own: a list in order of creation, newest first, and buckets
// by hash when there are many. A new name is put where a listing that is on its way does not come:
// who renames or makes files while it lists does not meet them again.
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/fs/tmpfs_node.h"

enum { LIST_MAX = 8 }; // above it there are buckets

u32 tmpfs_name_hash(struct name name) {
    const u64 factor = 0x9e3779b97f4a7c15;
    u64 hash = name.size;
    u32 at = 0;
    for (; at + 8 <= name.size; at += 8) {
        u64 word;
        __builtin_memcpy(&word, name.text + at, 8);
        hash = (hash ^ word) * factor;
        hash ^= hash >> 32;
    }
    u64 last = 0;
    for (; at < name.size; at++) {
        last = last << 8 | (u8)name.text[at];
    }
    hash = (hash ^ last) * factor;
    return (u32)(hash >> 32);
}

static bool entry_is(const struct tmpfs_entry *entry, struct name name, u32 hash) {
    return entry->hash == hash && entry->name_size == name.size &&
           memcmp(entry->name, name.text, name.size) == 0;
}

struct tmpfs_entry *tmpfs_entry_find_locked(struct tmpfs_node *directory, struct name name) {
    struct tmpfs_names *names = &directory->names;
    struct tmpfs_entry *entry;
    if (names->count == 0) {
        return NULL;
    }
    u32 hash = tmpfs_name_hash(name);
    if (names->buckets) {
        entry = names->buckets[hash & (names->buckets_count - 1)];
        while (entry && !entry_is(entry, name, hash)) {
            entry = entry->chain;
        }
        return entry;
    }
    list_for_each(entry, &names->entries, node) {
        if (entry_is(entry, name, hash)) {
            return entry;
        }
    }
    return NULL;
}

static void bucket_insert(struct tmpfs_names *names, struct tmpfs_entry *entry) {
    struct tmpfs_entry **bucket = &names->buckets[entry->hash & (names->buckets_count - 1)];
    entry->chain = *bucket;
    *bucket = entry;
}

static void bucket_remove(struct tmpfs_names *names, struct tmpfs_entry *entry) {
    struct tmpfs_entry **link = &names->buckets[entry->hash & (names->buckets_count - 1)];
    while (*link != entry) {
        link = &(*link)->chain;
    }
    *link = entry->chain;
}

// Without memory for more buckets, the chains are longer.
static void buckets_grow(struct tmpfs_names *names) {
    u32 count = max(names->buckets_count * 4, 16U);
    struct tmpfs_entry *entry;
    struct tmpfs_entry **buckets = heap_alloc_zero(count * sizeof(*buckets));
    if (!buckets) {
        return;
    }
    heap_free(names->buckets);
    names->buckets = buckets;
    names->buckets_count = count;
    list_for_each(entry, &names->entries, node) {
        bucket_insert(names, entry);
    }
}

struct tmpfs_entry *tmpfs_entry_reserve_locked(struct tmpfs_node *directory, struct name name) {
    struct tmpfs_names *names = &directory->names;
    struct tmpfs_entry *entry = tmpfs_entry_find_locked(directory, name);
    if (entry) {
        return entry;
    }
    entry = heap_alloc(sizeof(*entry) + name.size);
    if (!entry) {
        return NULL;
    }
    *entry = (struct tmpfs_entry){
        .hash = tmpfs_name_hash(name),
        .name_size = (u16)name.size,
        .hides_lower = tmpfs_lower_has_locked(directory, name),
        .is_reserved = true,
    };
    memcpy(entry->name, name.text, name.size);
    entry->id = ++names->next_id;
    list_insert_head(&names->entries, &entry->node);
    names->count++;
    names->hiding += entry->hides_lower;
    if (names->buckets) {
        bucket_insert(names, entry);
    }
    if (names->count > max(names->buckets_count, (u32)LIST_MAX)) {
        buckets_grow(names);
    }
    return entry;
}

static void entry_end(struct tmpfs_names *names, struct tmpfs_entry *entry) {
    list_remove(&entry->node);
    if (names->buckets) {
        bucket_remove(names, entry);
    }
    names->count--;
    names->hiding -= entry->hides_lower;
    heap_free(entry);
}

// A node counts its parent, which outlives it; who moves it gives the former one up first.
void tmpfs_entry_fill_locked(struct tmpfs_node *directory, struct tmpfs_entry *entry,
                             struct tmpfs_node *target) {
    struct tmpfs_names *names = &directory->names;
    entry->target = target;
    entry->is_reserved = false;
    entry->id = ++names->next_id;
    list_remove(&entry->node);
    list_insert_head(&names->entries, &entry->node);
    names->live++;
    if (!target->parent) {
        target->parent = directory;
        vnode_get(&directory->base);
    }
    directory->nlink += vnode_is_directory(&target->base);
    tmpfs_touch_locked(directory);
}

struct tmpfs_node *tmpfs_entry_take_locked(struct tmpfs_node *directory,
                                           struct tmpfs_entry *entry) {
    struct tmpfs_node *target = entry->target;
    if (target) {
        entry->target = NULL;
        directory->names.live--;
    }
    return target;
}

struct tmpfs_node *tmpfs_entry_clear_locked(struct tmpfs_node *directory,
                                            struct tmpfs_entry *entry) {
    struct tmpfs_node *target = tmpfs_entry_take_locked(directory, entry);
    entry->is_reserved = false;
    if (!entry->hides_lower) {
        entry_end(&directory->names, entry);
    }
    return target;
}

void tmpfs_entry_abandon_locked(struct tmpfs_node *directory, struct tmpfs_entry *entry) {
    if (entry->is_reserved) {
        entry_end(&directory->names, entry);
    }
}

void tmpfs_names_free(struct tmpfs_node *directory) {
    struct tmpfs_entry *entry;
    struct tmpfs_entry *following;
    list_for_each_safe(entry, following, &directory->names.entries, node) {
        heap_free(entry);
    }
    heap_free(directory->names.buckets);
}

int tmpfs_child_locked(struct tmpfs_node *directory, struct name name, struct tmpfs_node **out) {
    struct tmpfs_entry *entry = tmpfs_entry_find_locked(directory, name);
    if (!entry) {
        return directory->lower ? tmpfs_lower_child_locked(directory, name, out) : -ENOENT;
    }
    if (!entry->target) {
        return -ENOENT;
    }
    *out = entry->target;
    vnode_get(&entry->target->base);
    return 0;
}
