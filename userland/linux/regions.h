// What is mapped where in a Linux address space, for what the kernel does not tell: /proc/PID/maps,
// limits, holes. A sorted table, shared by fork until one of the two changes it.
// Rules:
// - the table of a struct memory is guarded by its lock; a shared one is constant;
// - regions_reserve comes before the mapping itself changes, so that noting it can't fail.
#pragma once

#include "linux/vfs.h"

enum {
    REGION_SHARED = 1,
    REGION_STACK = 2, // grows on Linux: counted and shown as if it had not
    REGION_HEAP = 4,
    REGION_SPECIAL = 8, // the vDSO
    // What mprotect can't give it: the file may not be written to, or nothing may be run from there.
    REGION_NO_WRITE = 16,
    REGION_NO_EXECUTE = 32,
};

enum : u64 { REGION_STACK_SHOWN_BYTES = 132 << 10 };

struct region {
    u64 start;
    u64 end;
    u64 offset;        // in the file
    struct file *file; // counted; NULL: anonymous
    u32 access;        // CL_MAP_READ ...
    u32 traits;
};

struct regions {
    u32 references;
    u32 count;
    u32 capacity;
    struct region list[];
};

struct regions *regions_create(void);
struct regions *regions_get(struct regions *regions);
void regions_put(struct regions *regions);
// Makes the table the caller's alone, with room for one change. -ENOMEM.
int regions_reserve(struct regions **regions);

// Changes, of a table that has been reserved.
void regions_set(struct regions *regions, const struct region *region);
void regions_clear(struct regions *regions, u64 start, u64 end);
void regions_protect(struct regions *regions, u64 start, u64 end, u32 access);
// Takes over what is noted of [start, start + size) at another place, where it is as long as
// `target_size`. NULL-safe for what is not there.
void regions_move(struct regions *regions, u64 start, u64 size, u64 target, u64 target_size);

// The first region that ends above this address; NULL: none.
const struct region *regions_find(const struct regions *regions, u64 address);
// Where the first hole in [start, end) is; `end`: there is none.
u64 regions_hole(const struct regions *regions, u64 start, u64 end);
// Where the first region in [start, end) is that may not be accessed so; `end`: there is none.
u64 regions_refusal(const struct regions *regions, u64 start, u64 end, u32 access);

// Bytes of all regions; of those that are private and writable, which is what RLIMIT_DATA counts.
u64 regions_bytes(const struct regions *regions);
u64 regions_data_bytes(const struct regions *regions);
