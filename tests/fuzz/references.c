#include "references.h"

#include "linux/descriptors.h"
#include "linux/fs/bind.h"
#include "linux/fs/tmpfs_node.h"
#include "linux/memory.h"
#include "linux/process.h"
#include "linux/system.h"

#include <stdio.h>
#include <string.h>

enum { FOUND_MAX = 8192, PLACES = 4 * FOUND_MAX, FILES_MAX = 4096 };

static struct found {
    struct vnode *vnode;
    u32 references;
} found[FOUND_MAX];
static u32 found_count;
static u32 places[PLACES]; // by hash: a number in `found`, counted from 1; 0: none
static const struct file *files[FILES_MAX];
static u32 files_count;

static struct found *visit(struct vnode *vnode);

static void count(struct vnode *vnode) {
    if (vnode) visit(vnode)->references++;
}

static bool is_bound(struct vnode *vnode) { return bind_behind(vnode) != vnode; }

static bool is_exact(struct vnode *vnode) { return vnode->ops == &tmpfs_ops || is_bound(vnode); }

static void visit_tmpfs(struct tmpfs_node *node) THREAD_ANNOTATION(no_thread_safety_analysis) {
    struct tmpfs_entry *entry;
    if (node->is_pinned) count(&node->base);
    if (node->parent) count(&node->parent->base);
    if (!vnode_is_directory(&node->base)) return;
    list_for_each(entry, &node->names.entries, node) {
        if (entry->target) count(&entry->target->base);
    }
}

static void visit_bound(struct vnode *vnode) {
    struct vnode *parent;
    count(bind_behind(vnode));
    if (vnode->ops->lookup(vnode, (struct name){"..", 2}, &parent) != 0) return;
    if (parent != vnode) count(parent);
    vnode_put(parent);
}

// A file system counts its root as long as it is mounted, or can be.
static bool is_counted_root(struct vnode *vnode) {
    if (vnode->system->root != vnode) return false;
    return is_bound(vnode) ? vnode->system->covered != NULL
                           : !container_of(vnode->system, struct tmpfs, system)->has_ended;
}

static void visit_all_from(struct vnode *vnode) {
    if (is_counted_root(vnode)) count(vnode);
    if (vnode->mounted) {
        count(vnode);
        visit(vnode->mounted->root);
    }
    if (vnode->system->root == vnode && vnode->system->covered) visit(vnode->system->covered);
    if (is_bound(vnode))
        visit_bound(vnode);
    else
        visit_tmpfs(tmpfs_node(vnode));
}

static struct found *visit(struct vnode *vnode) {
    u32 *place = &places[((u64)vnode >> 4) % PLACES];
    while (*place != 0 && found[*place - 1].vnode != vnode)
        place = place == &places[PLACES - 1] ? places : place + 1;
    if (*place == 0) {
        if (found_count == FOUND_MAX) __builtin_trap();
        found[found_count] = (struct found){vnode, 0};
        *place = ++found_count;
        if (is_exact(vnode)) visit_all_from(vnode);
    }
    return &found[*place - 1];
}

static void count_file(const struct file *file) {
    for (u32 i = 0; i < files_count; i++)
        if (files[i] == file) return;
    files[files_count++] = file;
    count(file->vnode);
}

static void count_process(const struct process *process)
    THREAD_ANNOTATION(no_thread_safety_analysis) {
    const struct descriptors *descriptors = process->descriptors;
    const struct regions *regions = process->memory->regions;
    count(process->fs->root);
    count(process->fs->cwd);
    if (process->program) count(process->program->file);
    for (u32 i = 0; i < descriptors->capacity; i++)
        if (descriptors->table[i].file) count_file(descriptors->table[i].file);
    for (u32 i = 0; regions && i < regions->count; i++)
        count(regions->list[i].file);
}

void references_check(const struct process *process) {
    bool is_right = true;
    found_count = files_count = 0;
    memset(places, 0, sizeof(places));
    visit(system_root());
    count_process(process);
    for (u32 i = 0; i < found_count; i++) {
        struct vnode *vnode = found[i].vnode;
        if (!is_exact(vnode) || vnode->references >= found[i].references) continue;
        fprintf(stderr, "inode %lu, type %o, of %s%s counts %u references, there are %u\n",
                vnode->ino, vnode->type, vnode->system->name, is_bound(vnode) ? ", bound," : "",
                vnode->references, found[i].references);
        is_right = false;
    }
    if (!is_right) __builtin_trap();
}
