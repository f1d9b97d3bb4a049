// Users by name, from the container's own /etc/passwd and /etc/group.
#pragma once

#include "lib/types.h"

struct thread;

enum { USER_GROUPS_MAX = 32, USER_HOME_MAX = 127 };

struct user {
    u32 uid;
    u32 gid;
    u32 groups[USER_GROUPS_MAX];
    u32 groups_count;
    char home[USER_HOME_MAX + 1]; // empty: not known
};

// `NAME|UID[:GROUP|GID]`. 0; -ENOENT for a name that is not there, or what reading the files gives.
int user_find(struct thread *thread, const char *text, struct user *out);
