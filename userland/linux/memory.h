// Changing a Linux address space: the kernel's mappings and what is noted of them, in one step.
// Rules:
// - addresses and sizes are whole pages, and have been checked against CL_LINUX_LIMIT;
// - these take the memory's lock: nothing may be copied to or from Linux memory under it.
#pragma once

#include "linux/process.h"
#include "linux/regions.h"

// What is to be mapped.
struct map_request {
    u64 address;
    u64 size;
    u64 offset;        // in the file
    struct file *file; // borrowed; what is noted of it. NULL: anonymous
    u32 access;        // CL_MAP_READ ...
    u32 placement;     // CL_MAP_FIXED, CL_MAP_EXACT or none
    u32 traits;        // REGION_*
    u32 options;       // CL_MAP_SHARED, CL_MAP_POPULATE
    handle_t memobj;   // 0: anonymous
    u64 memobj_offset;
    // Only the place is taken, with no access: pages are put there later, with what is noted.
    bool is_reservation;
};

// Puts pages of an object in a place that is the file's already.
int memory_overlay(struct memory *memory, u64 address, u64 size, handle_t memobj, u64 offset,
                   u32 flags);

// What a fault of the program at this address means: a page of a file that was not there when it was
// mapped, and is now (0: go on); one beyond its end (-EFAULT); neither (-ENOENT).
int memory_resolve(struct memory *memory, u64 address, u32 access);

// Without a fixed place: at the address if there is room, else from the memory's own hint on. The
// address, or a negative error. The limits are those of the process; NULL: none.
i64 memory_map(struct memory *memory, const struct process *process,
               const struct map_request *request);
int memory_unmap(struct memory *memory, u64 address, u64 size);
// -ENOMEM where a part is not mapped, -EACCES where it may not be accessed so; what is before that has
// changed.
int memory_protect(struct memory *memory, u64 address, u64 size, u32 access);
// The address a range is at afterwards; `target` 0: wherever there is room.
i64 memory_move(struct memory *memory, u64 address, u64 size, u64 target, u64 target_size);
// Whether all of the range is mapped.
bool memory_is_mapped(struct memory *memory, u64 address, u64 size);

// CL_MAP_READ ... of PROT_READ ...
u32 memory_access_of(u32 protection);
// Checks and rounds a range that a program named. -EINVAL, -ENOMEM.
int memory_range_check(u64 address, u64 *size);

// More than all memory that the container could have: Linux, too, refuses that at once, where it
// promises what may be there when it is touched.
bool memory_is_beyond_all(u64 size);
