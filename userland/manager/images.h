// Images: names of the image store, opened when they are first used, and then kept.
#pragma once

#include "lib/manager_protocol.h"
#include "manager/manager.h"

enum { IMAGES_MAX = 64 };

struct image {
    char name[MANAGER_NAME_MAX + 1];
    handle_t memobj;
    const char
        *text; // its last page: lines `command WORD`, `env KEY=VALUE`, `user NAME:UID`, and a zero
    char native[MANAGER_NAME_MAX + 1]; // the program of the bundle that it is; "": a file system
    bool needs_nest;
};

// NULL: *problem says why.
const struct image *image_find(const char *name, struct problem *problem);

// The next line of the image's text that begins with `key` and a blank, after `previous` (NULL:
// the first): *size bytes of it behind the blank. NULL: there are no more.
const char *image_line(const struct image *image, const char *key, const char *previous, u32 *size);

// The number of the user `NAME|UID[:GROUP|GID]`, by the image's lines `user NAME:UID`; USER_ROOT for NULL. A
// name that they don't have is USER_NOBODY's.
enum : u32 { USER_NOBODY = 65534 };
u32 image_user(const struct image *image, const char *text);

// The next image of the store after *position, which moves on; false: there are no more.
bool image_next(u64 *position, struct manager_image *image);

// Binds every image that there is in a namespace, under the names that it has in the store, for
// everybody there to read and execute.
status_t images_give(handle_t ns);

// Whether a text can name an image or a container: letters, digits, `_`, `.`, `-`, at most
// MANAGER_NAME_MAX, and a letter or digit first.
bool name_is_valid(const char *name);
