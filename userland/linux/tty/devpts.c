#include "linux/tty/devpts.h"

#include "lib/format.h"
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/abi.h"
#include "linux/mount.h"
#include "linux/tty/pty.h"
#include "linux/tty/session.h"

enum {
    INO_ROOT = 1,
    INO_PTMX = 2,
    INO_FIRST = 3,
    GROUP_TTY = 5,
    MAJOR_AUXILIARY = 5,
    MINOR_PTMX = 2,
    MAJOR_PTS = 136,
};

static struct file_system devpts = {.name = "devpts", .device = 16};

static void nothing_release(struct vnode *) {}

static void terminal_release(struct vnode *vnode) {
    struct terminal *terminal = container_of(vnode, struct terminal, vnode);
    if (terminal->master->release) terminal->master->release(terminal);
    heap_free(terminal);
}

static int terminal_attributes(struct vnode *vnode, struct attributes *out) {
    struct terminal *terminal = container_of(vnode, struct terminal, vnode);
    mutex_lock(&terminal->lock);
    *out = terminal->attributes;
    mutex_unlock(&terminal->lock);
    return 0;
}

static int terminal_set_attributes(struct vnode *vnode, const struct attributes *values,
                                   u32 which) {
    struct terminal *terminal = container_of(vnode, struct terminal, vnode);
    mutex_lock(&terminal->lock);
    struct attributes *own = &terminal->attributes;
    if (which & ATTRIBUTE_MODE)
        own->mode = (own->mode & MODE_TYPE) | (values->mode & MODE_PERMISSIONS);
    if (which & ATTRIBUTE_OWNER) own->uid = values->uid;
    if (which & ATTRIBUTE_GROUP) own->gid = values->gid;
    if (which & ATTRIBUTE_ATIME) own->atime_ns = values->atime_ns;
    if (which & ATTRIBUTE_MTIME) own->mtime_ns = values->mtime_ns;
    own->ctime_ns = time_now_ns();
    mutex_unlock(&terminal->lock);
    return which & ATTRIBUTE_SIZE ? -EINVAL : 0;
}

static int terminal_node_open(struct thread *thread, struct vnode *vnode, struct file *file) {
    struct terminal *terminal = container_of(vnode, struct terminal, vnode);
    int result = terminal_open(thread, terminal, file);
    if (result == 0 && !(file_flags(file) & O_NOCTTY))
        terminal_adopt(thread, terminal, file_flags(file));
    return result;
}

static const struct vnode_ops terminal_node_ops = {
    .release = terminal_release,
    .attributes = terminal_attributes,
    .set_attributes = terminal_set_attributes,
    .open = terminal_node_open,
};

void devpts_node_init(struct terminal *terminal) THREAD_ANNOTATION(no_thread_safety_analysis) {
    u64 now_ns = time_now_ns();
    vnode_init(&terminal->vnode, &terminal_node_ops, &devpts, MODE_CHARACTER,
               INO_FIRST + terminal->number);
    terminal->attributes = (struct attributes){
        .ino = terminal->vnode.ino,
        .device = device_number(MAJOR_PTS, terminal->number),
        .mode = MODE_CHARACTER | 0620,
        .nlink = 1,
        .gid = GROUP_TTY,
        .atime_ns = now_ns,
        .mtime_ns = now_ns,
        .ctime_ns = now_ns,
    };
}

struct terminal *devpts_terminal(struct vnode *vnode) {
    return vnode->ops == &terminal_node_ops ? container_of(vnode, struct terminal, vnode) : NULL;
}

static int ptmx_attributes(struct vnode *vnode, struct attributes *out) {
    u64 now_ns = time_now_ns();
    *out = (struct attributes){
        .ino = vnode->ino,
        .device = device_number(MAJOR_AUXILIARY, MINOR_PTMX),
        .mode = MODE_CHARACTER | 0666,
        .nlink = 1,
        .atime_ns = now_ns,
        .mtime_ns = now_ns,
        .ctime_ns = now_ns,
    };
    return 0;
}

static int ptmx_open(struct thread *, struct vnode *, struct file *file) {
    return pty_open_master(file);
}

static const struct vnode_ops ptmx_ops = {
    .release = nothing_release,
    .attributes = ptmx_attributes,
    .open = ptmx_open,
};

static struct vnode ptmx = {
    .ops = &ptmx_ops, .system = &devpts, .references = 1, .type = MODE_CHARACTER, .ino = INO_PTMX};

static int root_attributes(struct vnode *vnode, struct attributes *out) {
    u64 now_ns = time_now_ns();
    *out = (struct attributes){
        .ino = vnode->ino,
        .mode = MODE_DIRECTORY | 0755,
        .nlink = 2,
        .atime_ns = now_ns,
        .mtime_ns = now_ns,
        .ctime_ns = now_ns,
    };
    return 0;
}

// A number without leading zeros, of at most three digits; -1: it is none.
static i32 number_parse(struct name name) {
    i32 number = 0;
    if (name.size == 0 || name.size > 3 || (name.size > 1 && name.text[0] == '0')) return -1;
    for (u32 i = 0; i < name.size; i++) {
        if (name.text[i] < '0' || name.text[i] > '9') return -1;
        number = number * 10 + (name.text[i] - '0');
    }
    return number;
}

static int root_lookup(struct vnode *directory, struct name name, struct vnode **out) {
    if (name.size == 2 && memcmp(name.text, "..", 2) == 0) {
        *out = vnode_get(directory);
        return 0;
    }
    if (name.size == 4 && memcmp(name.text, "ptmx", 4) == 0) {
        *out = vnode_get(&ptmx);
        return 0;
    }
    i32 number = number_parse(name);
    struct terminal *terminal = number >= 0 ? terminal_find((u32)number) : NULL;
    if (!terminal) return -ENOENT;
    *out = &terminal->vnode;
    return 0;
}

// Cookies: 0 to 2 are the fixed names, 3 + N the terminal with that number or a higher one.
static int root_list(struct vnode *directory, u64 *cookie, struct directory_sink *sink) {
    static const struct name fixed[] = {{".", 1}, {"..", 2}, {"ptmx", 4}};
    for (; *cookie < ARRAY_SIZE(fixed); ++*cookie) {
        u64 ino = *cookie == 2 ? (u64)INO_PTMX : directory->ino;
        u32 type = *cookie == 2 ? DT_CHR : DT_DIR;
        if (!sink->add(sink, fixed[*cookie], ino, type, *cookie + 1)) return 0;
    }
    i32 number;
    while ((number = terminal_next((u32)(*cookie - ARRAY_SIZE(fixed)))) >= 0) {
        char text[16];
        struct name name = {text, (u32)format_text(text, sizeof(text), "%d", number)};
        u64 next = ARRAY_SIZE(fixed) + (u64)number + 1;
        if (!sink->add(sink, name, INO_FIRST + (u64)number, DT_CHR, next)) return 0;
        *cookie = next;
    }
    return 0;
}

static int root_statfs(struct vnode *, struct usage *out) {
    *out = (struct usage){.type = 0x1cd1};
    return 0;
}

static const struct vnode_ops root_ops = {
    .release = nothing_release,
    .attributes = root_attributes,
    .lookup = root_lookup,
    .list = root_list,
    .statfs = root_statfs,
};

static struct vnode root = {
    .ops = &root_ops, .system = &devpts, .references = 1, .type = MODE_DIRECTORY, .ino = INO_ROOT};

int devpts_mount(struct path devices) {
    static struct mount mount = {
        .system = &devpts, .root = &root, .source = "devpts", .references = 1, .is_given = true};
    const struct creation creation = {.mode = MODE_DIRECTORY | 0755};
    const struct vnode_ops *ops = devices.vnode->ops;
    struct vnode *covered;
    int result = ops->create(devices.vnode, (struct name){"pts", 3}, &creation, &covered);
    if (result != 0) return result;
    devpts.root = &root;
    result = mount_attach(&mount, (struct path){devices.mount, covered});
    vnode_put(covered);
    return result;
}
