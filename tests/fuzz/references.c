// Recounts all references. From what holds paths for itself (processes, mounts) it goes along every
// edge to all that can be reached; who is reached, and how often, is noted by address.
//
// mount.c and tmpfs_lower.c are part of this file: their tables are their own.
#include "references.h"

#include "linux/fs/tmpfs_lower.c"
#include "linux/mount.c"

#include "linux/descriptors.h"
#include "linux/fs/tmpfs_node.h"
#include "linux/process.h"
#include "linux/regions.h"
#include "linux/system.h"

#include <stdio.h>
#include <stdlib.h>

enum { SLOTS_FIRST = 1024 };

// One that was reached. What is no file system's own tree (pipes, terminals) is reached, not compared.
struct reached {
    const void *what;
    struct vnode *vnode; // NULL: an open file, a table or a program
    u32 has;
    u32 counted;
};

static struct {
    struct reached *slots; // by address
    u32 capacity;
    u32 count;
    struct vnode **todo; // their edges are not counted yet
    u32 todo_count;
} found;

static struct reached *slot_of(const void *what) {
    u64 at = ((u64)what >> 4) * 0x9e3779b97f4a7c15;
    at >>= 32;
    while (found.slots[at % found.capacity].what && found.slots[at % found.capacity].what != what) {
        at++;
    }
    return &found.slots[at % found.capacity];
}

static void table_make(u32 capacity) {
    struct reached *old = found.slots;
    u32 count = old ? found.capacity : 0;
    found.slots = calloc(capacity, sizeof(*found.slots));
    found.todo = realloc(found.todo, capacity * sizeof(*found.todo));
    found.capacity = capacity;
    for (u32 i = 0; i < count; i++) {
        if (old[i].what) *slot_of(old[i].what) = old[i];
    }
    free(old);
}

// Counts one reference; whether it is the first.
static bool reach(const void *what, u32 has, struct vnode *vnode) {
    if (found.count * 2 >= found.capacity) {
        table_make(found.capacity * 2);
    }
    struct reached *slot = slot_of(what);
    bool is_new = !slot->what;
    if (is_new) {
        *slot = (struct reached){what, vnode, has, 0};
        found.count++;
    }
    slot->counted++;
    return is_new;
}

static void reach_vnode(struct vnode *vnode) {
    if (vnode && reach(vnode, vnode->references, vnode)) {
        found.todo[found.todo_count++] = vnode;
    }
}

static void tmpfs_edges(struct tmpfs_node *node) THREAD_ANNOTATION(no_thread_safety_analysis) {
    struct tmpfs_entry *entry;
    if (node->parent) {
        reach_vnode(&node->parent->base);
    }
    if (!vnode_is_directory(&node->base)) {
        return;
    }
    list_for_each(entry, &node->names.entries, node) {
        reach_vnode(entry->target ? &entry->target->base : NULL);
    }
}

static void edges(struct vnode *vnode) {
    if (vnode->ops == &tmpfs_ops) {
        tmpfs_edges(tmpfs_node(vnode));
    }
}

// One that ends with its last mount has its root for itself until then.
static void reach_system(struct file_system *system) {
    bool ends = system->end != NULL;
    if (reach(system, ends ? system->mounts : 0, NULL) && ends) {
        reach_vnode(system->root);
    }
}

// One that is mounted no more is reached by who still uses it; what is given counts itself for ever.
static void reach_mount(struct mount *mount) THREAD_ANNOTATION(no_thread_safety_analysis) {
    if (mount && reach(mount, mount->references, NULL)) {
        reach_vnode(mount->root);
        reach_mount(mount->covered.mount);
        reach_vnode(mount->covered.vnode);
        reach_system(mount->system);
    }
}

static void reach_path(struct path path) {
    reach_mount(path.mount);
    reach_vnode(path.vnode);
}

static void reach_file(struct file *file) {
    if (file && reach(file, file->references, NULL)) {
        reach_path(file_path(file));
    }
}

static void reach_descriptors(struct descriptors *descriptors)
    THREAD_ANNOTATION(no_thread_safety_analysis) {
    for (u32 i = 0; i < descriptors->capacity; i++) {
        reach_file(descriptors->table[i].file);
    }
}

static void reach_regions(const struct regions *regions) {
    for (u32 i = 0; i < regions->count; i++) {
        reach_file(regions->list[i].file);
    }
}

static void reach_process(struct process *process) THREAD_ANNOTATION(no_thread_safety_analysis) {
    struct fs_context *fs = process->fs;
    struct memory *memory = process->memory;
    if (fs && reach(fs, fs->references, NULL)) {
        reach_path(fs->root);
        reach_path(fs->cwd);
    }
    if (process->descriptors &&
        reach(process->descriptors, process->descriptors->references, NULL)) {
        reach_descriptors(process->descriptors);
    }
    // Open files of /proc count programs, too, which is not seen here.
    if (process->program && reach(process->program, 0, NULL)) {
        reach_file(process->program->file);
    }
    if (memory && reach(memory, memory->references, NULL) &&
        reach(memory->regions, memory->regions->references, NULL)) {
        reach_regions(memory->regions);
    }
}

static void reach_mounts(void) THREAD_ANNOTATION(no_thread_safety_analysis) {
    struct mount *mount;
    list_for_each(mount, &mounts, node) {
        reach_mount(mount);
    }
}

// Nodes of the image that differ from it have a name there, and hold themselves.
static void reach_pinned(void) THREAD_ANNOTATION(no_thread_safety_analysis) {
    for (u32 i = 0; i < LOWER_BUCKETS; i++) {
        for (struct tmpfs_node *node = lower.buckets[i]; node; node = node->chain) {
            if (node->is_pinned) {
                reach_vnode(&node->base);
            }
        }
    }
}

static bool is_compared(const struct reached *one) {
    if (!one->vnode) {
        return one->has != 0;
    }
    // A root that is mounted no more: of an ended tree it is counted by what is below it, else kept
    // for the next.
    bool is_spare = one->vnode == one->vnode->system->root && !slot_of(one->vnode->system)->what;
    bool is_known = one->vnode->ops == &tmpfs_ops || strcmp(one->vnode->system->name, "proc") == 0;
    return is_known && !is_spare;
}

static bool report(const struct reached *one) {
    if (!is_compared(one) || one->has == one->counted) {
        return true;
    }
    fprintf(stderr, "references of %p: it has %u, %u are there", one->what, one->has, one->counted);
    if (one->vnode) {
        fprintf(stderr, "; %s, inode %lu, type %o", one->vnode->system->name, one->vnode->ino,
                one->vnode->type);
    }
    fprintf(stderr, "\n");
    return false;
}

bool references_check(void) THREAD_ANNOTATION(no_thread_safety_analysis) {
    struct process *process;
    bool are_right = true;
    if (!found.slots) {
        table_make(SLOTS_FIRST);
    }
    memset(found.slots, 0, found.capacity * sizeof(*found.slots));
    found.count = found.todo_count = 0;
    system_mount_given();
    reach_mounts();
    reach_pinned();
    list_for_each(process, &tasks.processes, all) {
        reach_process(process);
    }
    while (found.todo_count > 0) {
        edges(found.todo[--found.todo_count]);
    }
    for (u32 i = 0; i < found.capacity; i++) {
        are_right &= !found.slots[i].what || report(&found.slots[i]);
    }
    return are_right;
}

static struct mount *mount_last(void) THREAD_ANNOTATION(no_thread_safety_analysis) {
    struct mount *mount;
    struct mount *last = NULL;
    list_for_each(mount, &mounts, node) {
        last = mount->is_given ? last : mount;
    }
    return last;
}

void references_mounts_end(void) {
    struct mount *mount;
    while ((mount = mount_get(mount_last()))) {
        mount_detach(mount, DETACH_BUSY);
        mount_put(mount);
    }
}
