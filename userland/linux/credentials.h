// Who a process acts as: user and group ids, supplementary groups, capabilities.
// Rules:
// - credentials are counted, shared by fork, and never change: credentials_copy makes those that
//   credentials_set then puts in the place of a process's own;
// - process->credentials is replaced under tasks.lock, by the process's own thread only: that thread
//   reads them without the lock, others look with it;
// - what may be done to files is asked in permission.h.
#pragma once

#include "lib/mutex.h"
#include "linux/process.h"

enum capability {
    CAP_CHOWN = 0,
    CAP_DAC_OVERRIDE = 1,
    CAP_DAC_READ_SEARCH = 2,
    CAP_FOWNER = 3,
    CAP_FSETID = 4,
    CAP_KILL = 5,
    CAP_SETGID = 6,
    CAP_SETUID = 7,
    CAP_SETPCAP = 8,
    CAP_IPC_LOCK = 14,
    CAP_SYS_CHROOT = 18,
    CAP_SYS_PTRACE = 19,
    CAP_SYS_ADMIN = 21,
    CAP_SYS_NICE = 23,
    CAP_SYS_RESOURCE = 24,
    CAP_MKNOD = 27,
    CAPABILITIES = 41,
};

enum : u64 { CAPABILITIES_ALL = (1UL << CAPABILITIES) - 1 };

enum { GROUPS_MAX = 65536 };

struct credentials {
    u32 references;
    u32 uid;
    u32 euid;
    u32 suid;
    u32 fsuid;
    u32 gid;
    u32 egid;
    u32 sgid;
    u32 fsgid;
    u32 secure_bits;
    u64 permitted;
    u64 effective;
    u64 inheritable;
    u64 bounding;
    u64 ambient;
    u32 groups_count;
    u32 *groups; // sorted; behind the structure
};

// The first process's: root with every capability.
extern struct credentials credentials_root;

struct credentials *credentials_get(struct credentials *credentials);
void credentials_put(struct credentials *credentials);
// A copy with room for so many groups, which are the source's where they fit; NULL: no memory.
struct credentials *credentials_copy(const struct credentials *source, u32 groups_count);
// Those of a user who logs in: no capabilities unless root. NULL: no memory.
struct credentials *credentials_of_user(u32 uid, u32 gid, const u32 *groups, u32 groups_count);
// Consumes the reference.
// The process is undumpable when it is somebody else by that.
void credentials_set(struct process *process, struct credentials *credentials);
void credentials_groups_sort(struct credentials *credentials);

static inline bool credentials_have(const struct credentials *credentials, enum capability one) {
    return credentials->effective >> one & 1;
}

// Whether the group is the file-system group or a supplementary one.
bool credentials_are_in_group(const struct credentials *credentials, u32 gid);
// Whether a signal may go from one to the other (SIGCONT within a session is the caller's to allow).
bool credentials_may_signal(const struct credentials *from, const struct credentials *to);
// Whether what is in a process may be looked at through /proc (exe, cwd, root, fd, environ ...).
bool credentials_may_inspect(const struct credentials *from, const struct credentials *to);

// What capabilities become when ids changed from `old` to those in `changed`.
void credentials_adjust(struct credentials *changed, const struct credentials *old);
// What running this file makes of them: set-id bits, capabilities. *is_secure: the program must not
// trust its caller.
int credentials_of_exec(struct process *process, struct path file, struct credentials **out,
                        bool *is_secure);

// The options of prctl that are about capabilities; -ENOSYS for any other.
i64 credentials_prctl(struct process *process, u32 option, u64 a, u64 b);
