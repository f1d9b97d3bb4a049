// Texts of /proc about a process's memory: printed from a copy of its table of regions, without
// locks, as the paths of files are looked for.
#include "linux/abi.h"
#include "linux/fs/proc_node.h"
#include "linux/regions.h"
#include "linux/thread.h"
#include "linux/walk.h"

// The table as it is now, counted: who changes it copies it first. NULL: no such process; a zombie
// has none either.
static struct regions *regions_of(i32 pid, bool *exists) {
    struct memory *memory = NULL;
    struct regions *regions = NULL;
    mutex_lock(&tasks.lock);
    struct process *process = process_find_locked(pid);
    *exists = process != NULL;
    if (process && process->memory) {
        memory = memory_get(process->memory);
    }
    mutex_unlock(&tasks.lock);
    if (memory) {
        mutex_lock(&memory->lock);
        regions = regions_get(memory->regions);
        mutex_unlock(&memory->lock);
        memory_put(memory);
    }
    return regions;
}

static u64 shown_start(const struct region *region) {
    u64 size = region->end - region->start;
    bool is_cut = (region->traits & REGION_STACK) && size > REGION_STACK_SHOWN_BYTES;
    return is_cut ? region->end - REGION_STACK_SHOWN_BYTES : region->start;
}

static const char *special_name(const struct region *region) {
    return region->traits & REGION_STACK     ? "[stack]"
           : region->traits & REGION_HEAP    ? "[heap]"
           : region->traits & REGION_SPECIAL ? "[vdso]"
                                             : "";
}

static void print_name(struct text *text, const struct region *region, usize column) {
    enum { NAME_COLUMN = 73, PATH_BYTES = 512 };
    char path[PATH_BYTES];
    const char *name = special_name(region);
    if (region->file) {
        struct path root = fs_context_root(thread_current()->process->fs);
        bool has_path = path_text(root, file_path(region->file), path, sizeof(path)) > 0;
        path_put(root);
        name = has_path ? path : "";
    }
    text_print(text, "%*s%s\n", *name ? (int)(NAME_COLUMN - min(column, (usize)NAME_COLUMN)) : 0,
               "", name);
}

static void print_region(struct text *text, const struct region *region) {
    const struct vnode *file = region->file ? region->file->vnode : NULL;
    usize before = text->size;
    text_print(text, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", shown_start(region), region->end,
               region->access & CL_MAP_READ ? 'r' : '-', region->access & CL_MAP_WRITE ? 'w' : '-',
               region->access & CL_MAP_EXECUTE ? 'x' : '-',
               region->traits & REGION_SHARED ? 's' : 'p', file ? region->offset : 0UL, 0,
               file ? file->system->device : 0, file ? file->ino : 0UL);
    print_name(text, region, text->size - before);
}

// All that is mapped counts as being in memory.
static void print_figures(struct text *text, const struct region *region) {
    u64 size = (region->end - shown_start(region)) >> 10;
    bool is_shared = region->traits & REGION_SHARED;
    bool is_dirty = region->access & CL_MAP_WRITE;
    text_print(text,
               "Size:           %8lu kB\nKernelPageSize:        4 kB\n"
               "MMUPageSize:           4 kB\nRss:            %8lu kB\n"
               "Pss:            %8lu kB\n",
               size, size, size);
    text_print(text, "Shared_Clean:   %8lu kB\nShared_Dirty:   %8lu kB\n",
               is_shared && !is_dirty ? size : 0, is_shared && is_dirty ? size : 0);
    text_print(text, "Private_Clean:  %8lu kB\nPrivate_Dirty:  %8lu kB\n",
               !is_shared && !is_dirty ? size : 0, !is_shared && is_dirty ? size : 0);
    text_print(text,
               "Referenced:     %8lu kB\nAnonymous:      %8lu kB\nSwap:                  0 kB\n"
               "SwapPss:               0 kB\nLocked:                0 kB\n",
               size, region->file ? 0 : size);
}

enum maps_form { MAPS_PLAIN, MAPS_FIGURES };

static void print_regions(struct text *text, i32 pid, enum maps_form form) {
    bool exists;
    struct regions *regions = regions_of(pid, &exists);
    if (!exists) {
        text->error = -ESRCH;
    }
    for (u32 i = 0; regions && i < regions->count; i++) {
        print_region(text, &regions->list[i]);
        if (form == MAPS_FIGURES) {
            print_figures(text, &regions->list[i]);
        }
    }
    regions_put(regions);
}

void proc_print_maps(struct text *text, const struct proc_node *node) {
    print_regions(text, node->pid, MAPS_PLAIN);
}

void proc_print_smaps(struct text *text, const struct proc_node *node) {
    print_regions(text, node->pid, MAPS_FIGURES);
}
