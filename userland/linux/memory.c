// Linux address spaces: the kernel keeps the mappings, this keeps what it does not know: what is
// noted of them, where the break is, and where mappings without an address go.
#include "linux/memory.h"

#include "lib/heap.h"
#include "linux/abi.h"
#include "linux/kernel_if.h"

struct memory *memory_create(void) THREAD_ANNOTATION(no_thread_safety_analysis) {
    struct memory *memory = heap_alloc_zero(sizeof(*memory));
    if (!memory) {
        return NULL;
    }
    memory->references = 1;
    memory->regions = regions_create();
    if (!memory->regions || kernel_aspace_create(&memory->aspace) != 0) {
        regions_put(memory->regions);
        heap_free(memory);
        return NULL;
    }
    return memory;
}

struct memory *memory_fork(struct memory *source) THREAD_ANNOTATION(no_thread_safety_analysis) {
    struct memory *memory = heap_alloc(sizeof(*memory));
    if (!memory) {
        return NULL;
    }
    mutex_lock(&source->lock);
    *memory = (struct memory){
        .references = 1,
        .break_start = source->break_start,
        .break_end = source->break_end,
        .map_hint = source->map_hint,
        .stack_top = source->stack_top,
        .regions = regions_get(source->regions),
    };
    int result = kernel_aspace_fork(source->aspace, &memory->aspace);
    mutex_unlock(&source->lock);
    if (result != 0) {
        regions_put(memory->regions);
        heap_free(memory);
        return NULL;
    }
    return memory;
}

struct memory *memory_get(struct memory *memory) {
    __atomic_fetch_add(&memory->references, 1, __ATOMIC_RELAXED);
    return memory;
}

void memory_put(struct memory *memory) THREAD_ANNOTATION(no_thread_safety_analysis) {
    if (memory && __atomic_fetch_sub(&memory->references, 1, __ATOMIC_ACQ_REL) == 1) {
        kernel_close(memory->aspace);
        regions_put(memory->regions);
        heap_free(memory);
    }
}

u32 memory_access_of(u32 protection) {
    return (protection & PROT_READ ? CL_MAP_READ : 0) |
           (protection & PROT_WRITE ? CL_MAP_READ | CL_MAP_WRITE : 0) |
           (protection & PROT_EXEC ? CL_MAP_READ | CL_MAP_EXECUTE : 0);
}

int memory_range_check(u64 address, u64 *size) {
    if (address & PAGE_MASK) {
        return -EINVAL;
    }
    if (*size > CL_LINUX_LIMIT || address > CL_LINUX_LIMIT - page_round_up(*size)) {
        return -ENOMEM;
    }
    *size = page_round_up(*size);
    return 0;
}

// RLIMIT_AS and RLIMIT_DATA.
static int limits_check_locked(struct memory *memory, const struct process *process, u64 size,
                               bool is_data) REQUIRES(&memory->lock) {
    u64 all = process->limits[RLIMIT_AS].current;
    u64 data = process->limits[RLIMIT_DATA].current;
    if (all != ~0UL && regions_bytes(memory->regions) + size > all) {
        return -ENOMEM;
    }
    if (is_data && data != ~0UL && regions_data_bytes(memory->regions) + size > data) {
        return -ENOMEM;
    }
    return 0;
}

static int map_at(struct memory *memory, const struct map_request *request, u64 address,
                  u32 placement, u64 *mapped) {
    if (request->is_reservation) {
        return kernel_map(memory->aspace, 0, 0, address, request->size, placement, mapped);
    }
    return kernel_map(memory->aspace, request->memobj, request->memobj_offset, address,
                      request->size, request->access | request->options | placement, mapped);
}

static int map_locked(struct memory *memory, const struct map_request *request, u64 *mapped)
    REQUIRES(&memory->lock) {
    u64 hint = request->placement ? request->address : memory->map_hint;
    if (!request->placement && request->address >= CL_LINUX_BASE) {
        int result = map_at(memory, request, request->address, CL_MAP_EXACT, mapped);
        if (result != -EEXIST) {
            return result;
        }
    }
    return map_at(memory, request, hint, request->placement, mapped);
}

i64 memory_map(struct memory *memory, const struct process *process,
               const struct map_request *request) {
    u64 mapped = 0;
    bool is_shared = request->options & CL_MAP_SHARED;
    bool is_stack = request->traits & REGION_STACK;
    u64 counted = is_stack ? min(request->size, REGION_STACK_SHOWN_BYTES) : request->size;
    mutex_lock(&memory->lock);
    int result =
        process ? limits_check_locked(memory, process, counted,
                                      (request->access & CL_MAP_WRITE) && !is_shared && !is_stack)
                : 0;
    if (result == 0) {
        result = regions_reserve(&memory->regions);
    }
    if (result == 0) {
        result = map_locked(memory, request, &mapped);
    }
    if (result == 0) {
        regions_set(memory->regions,
                    &(struct region){.start = mapped,
                                     .end = mapped + request->size,
                                     .offset = request->offset,
                                     .file = request->file,
                                     .access = request->access,
                                     .traits = request->traits | (is_shared ? REGION_SHARED : 0)});
    }
    mutex_unlock(&memory->lock);
    return result != 0 ? result : (i64)mapped;
}

static int unmap_locked(struct memory *memory, u64 address, u64 size) REQUIRES(&memory->lock) {
    int result = regions_reserve(&memory->regions);
    if (result == 0) {
        result = kernel_unmap(memory->aspace, address, size);
    }
    if (result == 0) {
        regions_clear(memory->regions, address, address + size);
    }
    return result;
}

int memory_unmap(struct memory *memory, u64 address, u64 size) {
    mutex_lock(&memory->lock);
    int result = unmap_locked(memory, address, size);
    mutex_unlock(&memory->lock);
    return result;
}

int memory_protect(struct memory *memory, u64 address, u64 size, u32 access) {
    mutex_lock(&memory->lock);
    u64 hole = regions_hole(memory->regions, address, address + size);
    u64 end = regions_refusal(memory->regions, address, hole, access);
    int result = regions_reserve(&memory->regions);
    if (result == 0 && end > address) {
        result = kernel_protect(memory->aspace, address, end - address, access);
    }
    if (result == 0) {
        regions_protect(memory->regions, address, end, access);
    }
    mutex_unlock(&memory->lock);
    if (result != 0 || end == address + size) {
        return result;
    }
    return end < hole ? -EACCES : -ENOMEM;
}

i64 memory_move(struct memory *memory, u64 address, u64 size, u64 target, u64 target_size) {
    u64 moved;
    mutex_lock(&memory->lock);
    int result = regions_reserve(&memory->regions);
    if (result == 0) {
        result = kernel_move(memory->aspace, address, size, target, target_size, &moved);
    }
    if (result == 0) {
        regions_move(memory->regions, address, size, moved, target_size);
    }
    mutex_unlock(&memory->lock);
    return result != 0 ? result : (i64)moved;
}

bool memory_is_mapped(struct memory *memory, u64 address, u64 size) {
    mutex_lock(&memory->lock);
    bool is_mapped = regions_hole(memory->regions, address, address + size) == address + size;
    mutex_unlock(&memory->lock);
    return is_mapped;
}
