// See twin.h. The program is copied segment by segment, as its own headers (mapped with the code)
// describe it: all native programs are linked at the same address, so a copy there runs.
#include "twin.h"
#include "lib/elf.h"
#include "lib/types.h"

enum : u64 {
    TWIN_STACK_SIZE = 16 * PAGE_SIZE,
    TWIN_STACK_TOP = 0x7fc000000000,
};

extern char image_start[];

static u32 segment_map_flags(const struct elf_segment *segment) {
    return CL_MAP_EXACT | (segment->access & ELF_READ ? CL_MAP_READ : 0) |
           (segment->access & ELF_WRITE ? CL_MAP_WRITE : 0) |
           (segment->access & ELF_EXECUTE ? CL_MAP_EXECUTE : 0);
}

static status_t segment_copy(handle_t ns, handle_t aspace, const struct elf_segment *segment) {
    u64 start = segment->address & ~PAGE_MASK;
    u64 size = ((segment->address + segment->memory_size + PAGE_MASK) & ~PAGE_MASK) - start;
    handle_t memobj;
    u64 mapped;
    status_t status = memobj_create(ns, size, &memobj);
    if (status != OK) return status;
    status = memobj_write(memobj, 0, (const void *)start, size);
    if (status == OK)
        status = aspace_map(aspace, memobj, 0, start, size, segment_map_flags(segment), &mapped);
    handle_close(memobj);
    return status;
}

static status_t twin_fill(handle_t ns, handle_t aspace) {
    struct elf_image image;
    const char *problem;
    u64 mapped;
    status_t status =
        elf_parse(&image, image_start, PAGE_SIZE, ~0ul >> 1, CL_PROCESS_LIMIT, &problem);
    for (u32 i = 0; status == OK && i < image.segments_count; i++)
        status = segment_copy(ns, aspace, &image.segments[i]);
    if (status != OK) return status;
    return aspace_map(aspace, 0, 0, TWIN_STACK_TOP - TWIN_STACK_SIZE, TWIN_STACK_SIZE,
                      CL_MAP_READ | CL_MAP_WRITE | CL_MAP_EXACT, &mapped);
}

status_t twin_start(handle_t ns, twin_entry *entry, handle_t bootstrap, u64 argument,
                    handle_t *process) {
    handle_t aspace;
    status_t status = process_create(ns, process, &aspace);
    if (status != OK) return status;
    status = twin_fill(ns, aspace);
    // A function expects the stack as a call leaves it: 8 below a multiple of 16.
    if (status == OK)
        status = process_start(*process, (u64)entry, TWIN_STACK_TOP - 8, bootstrap, argument);
    handle_close(aspace);
    if (status != OK) handle_close(*process);
    return status;
}
