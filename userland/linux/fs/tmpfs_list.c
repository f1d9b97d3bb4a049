// Listing a directory of tmpfs: its own names, newest first, then the image's in the image's order.
// A name that hides one of the image's is listed in that one's place, so that replacing a file
// neither hides it from a listing that is on its way nor shows it twice.
//
// Cookies: 0 before ".", 1 before "..", LOWER_FIRST + the image's cookie, OWN_FIRST + the id of the
// entry that came last.
#include "linux/abi.h"
#include "linux/fs/tmpfs_node.h"

enum : u64 { OWN_START = 2, LOWER_FIRST = 3, OWN_FIRST = 1UL << 48 };

static bool list_own_locked(struct tmpfs_node *directory, u64 *cookie, struct directory_sink *sink)
    REQUIRES(&tmpfs_lock) {
    struct tmpfs_entry *entry;
    u64 last = *cookie == OWN_START ? ~0UL : *cookie - OWN_FIRST;
    list_for_each(entry, &directory->names.entries, node) {
        if (entry->id >= last || !entry->target || entry->hides_lower) {
            continue;
        }
        struct vnode *target = &entry->target->base;
        if (!sink->add(sink, (struct name){entry->name, entry->name_size}, target->ino,
                       target->type >> 12, OWN_FIRST + entry->id)) {
            return false;
        }
        *cookie = OWN_FIRST + entry->id;
    }
    *cookie = LOWER_FIRST;
    return true;
}

static int list_lower_locked(struct tmpfs_node *directory, u64 *cookie, struct directory_sink *sink)
    REQUIRES(&tmpfs_lock) {
    struct tmpfs_listed listed;
    u64 at = *cookie - LOWER_FIRST;
    int result;
    while ((result = tmpfs_lower_next_locked(directory, &at, &listed)) > 0) {
        if (!sink->add(sink, listed.name, listed.ino, listed.type, LOWER_FIRST + at)) {
            return 0;
        }
        *cookie = LOWER_FIRST + at;
    }
    return result;
}

int tmpfs_list(struct vnode *vnode, u64 *cookie, struct directory_sink *sink) {
    struct tmpfs_node *directory = tmpfs_node(vnode);
    int result = 0;
    bool is_room = true;
    mutex_lock(&tmpfs_lock);
    tmpfs_accessed_locked(directory);
    if (*cookie == 0 && sink->add(sink, (struct name){".", 1}, vnode->ino, DT_DIR, 1)) {
        *cookie = 1;
    }
    if (*cookie == 1) {
        struct tmpfs_node *parent = directory->parent ? directory->parent : directory;
        if (sink->add(sink, (struct name){"..", 2}, parent->base.ino, DT_DIR, OWN_START)) {
            *cookie = OWN_START;
        }
    }
    if (*cookie == OWN_START || *cookie >= OWN_FIRST) {
        is_room = list_own_locked(directory, cookie, sink);
    }
    if (is_room && *cookie >= LOWER_FIRST) {
        result = list_lower_locked(directory, cookie, sink);
    }
    mutex_unlock(&tmpfs_lock);
    return result;
}
