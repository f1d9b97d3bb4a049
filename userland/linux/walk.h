// From a path to a vnode. A walk is started with a path, moved to its last component, and then
// either resolved or used to make, rename or remove that name.
// Rules:
// - every started walk is ended with walk_end, also when starting failed;
// - symbolic links are followed on the way, at most 40; `..` at the process's root stays there;
// - a path that ends in a slash names a directory;
// - each directory on the way must let the walk's credentials pass: those of the thread's process,
//   unless they are replaced after the start.
#pragma once

#include "linux/copy.h"
#include "linux/vfs.h"

enum {
    WALK_FOLLOW = 0,
    WALK_NOFOLLOW = 1,   // do not follow a symbolic link in the last component
    WALK_EMPTY_PATH = 2, // the empty path names the directory that it is relative to
    WALK_SMALL_BYTES = 160,
};

struct walk {
    const struct credentials *credentials; // borrowed
    struct path root;                      // counted, as `at`
    struct path at;                        // the directory of the last component
    struct name last;                      // empty: the path names `at` itself
    bool must_be_directory;
    u32 flags;
    u32 links; // followed so far
    char *rest;
    char *heap; // holds the path when it is long
    char small[WALK_SMALL_BYTES];
};

int walk_start(struct walk *walk, struct thread *thread, i32 directory, linux_ptr path, u32 flags);
int walk_start_text(struct walk *walk, struct thread *thread, i32 directory, const char *path,
                    u32 flags);
void walk_end(struct walk *walk);

// Moves to the last component, without looking it up.
int walk_to_last(struct walk *walk);
// Goes on through a symbolic link that was found in walk->at; walk_to_last comes next.
int walk_follow(struct walk *walk, struct vnode *link);
// The same for a link that was the last component: whose links are followed there is restricted.
int walk_follow_last(struct walk *walk, struct vnode *link);
// Looks the last component up, following links as the flags say.
int walk_resolve(struct walk *walk, struct path *out);
// Looks a name up in walk->at, which the caller must be allowed to pass.
int walk_lookup(struct walk *walk, struct name name, struct path *out);
// The same, but for what is under whatever is mounted there.
int walk_lookup_covered(struct walk *walk, struct name name, struct vnode **out);

// Whether the last component is a name that can be made or removed; the error if not.
static inline bool walk_last_is_name(const struct walk *walk) {
    return walk->last.size > 0 &&
           !(walk->last.text[0] == '.' &&
             (walk->last.size == 1 || (walk->last.size == 2 && walk->last.text[1] == '.')));
}

// All in one: start, resolve, end.
int path_resolve(struct thread *thread, i32 directory, linux_ptr path, u32 flags, struct path *out);
int path_resolve_text(struct thread *thread, const char *path, struct path *out);

// What has this name in a directory, which is none of "." and "..": with what is mounted on it, or
// without.
int path_lookup(struct path directory, struct name name, struct path *out);
int path_child(struct path directory, struct name name, struct vnode **out);
// The directory above, which at `root`, and where nothing is above, is itself.
int path_parent(struct path from, struct path root, struct path *out);

// Writes the absolute path of a directory, as seen from `root`. Returns its length without the
// final zero, -ERANGE when it does not fit, -ENOENT when the directory has been removed or is not
// below the root.
i64 directory_path(struct path root, struct path directory, char *buffer, usize size);
// The same of any file that has a name, or had: then " (deleted)" follows. What is mounted nowhere is
// shown from where it ends. -ENOENT where the name is not known.
i64 path_text(struct path root, struct path path, char *buffer, usize size);
