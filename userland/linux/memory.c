// Linux address spaces: the kernel keeps the mappings, this keeps what it does not know: where the
// break is, and where mappings without an address go.
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/calls.h"
#include "linux/descriptors.h"
#include "linux/kernel_if.h"
#include "linux/process.h"
#include "linux/thread.h"

struct memory *memory_create(void) {
    struct memory *memory = heap_alloc_zero(sizeof(*memory));
    if (!memory) {
        return NULL;
    }
    memory->references = 1;
    if (kernel_aspace_create(&memory->aspace) != 0) {
        heap_free(memory);
        return NULL;
    }
    return memory;
}

struct memory *memory_fork(struct memory *source) THREAD_ANNOTATION(no_thread_safety_analysis) {
    struct memory *memory = heap_alloc_zero(sizeof(*memory));
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
    };
    int result = kernel_aspace_fork(source->aspace, &memory->aspace);
    mutex_unlock(&source->lock);
    if (result != 0) {
        heap_free(memory);
        return NULL;
    }
    return memory;
}

struct memory *memory_get(struct memory *memory) {
    __atomic_fetch_add(&memory->references, 1, __ATOMIC_RELAXED);
    return memory;
}

void memory_put(struct memory *memory) {
    if (memory && __atomic_fetch_sub(&memory->references, 1, __ATOMIC_ACQ_REL) == 1) {
        kernel_close(memory->aspace);
        heap_free(memory);
    }
}

static u32 access_of(u32 protection) {
    return (protection & PROT_READ ? CL_MAP_READ : 0) |
           (protection & PROT_WRITE ? CL_MAP_READ | CL_MAP_WRITE : 0) |
           (protection & PROT_EXEC ? CL_MAP_READ | CL_MAP_EXECUTE : 0);
}

static int break_move_locked(struct memory *memory, u64 target) REQUIRES(&memory->lock) {
    u64 unused;
    u64 old_end = page_round_up(memory->break_end);
    u64 new_end = page_round_up(target);
    if (new_end > old_end) {
        return kernel_map(memory->aspace, 0, 0, old_end, new_end - old_end,
                          CL_MAP_READ | CL_MAP_WRITE | CL_MAP_EXACT, &unused);
    }
    return new_end < old_end ? kernel_unmap(memory->aspace, new_end, old_end - new_end) : 0;
}

i64 linux_brk(struct thread *thread, u64 address) {
    struct memory *memory = thread->process->memory;
    mutex_lock(&memory->lock);
    if (address >= memory->break_start && address < CL_LINUX_LIMIT &&
        break_move_locked(memory, address) == 0) {
        memory->break_end = address;
    }
    i64 result = (i64)memory->break_end;
    mutex_unlock(&memory->lock);
    return result;
}

// What an mmap asks for, checked.
struct map_request {
    u64 address;
    u64 size;
    u64 offset;
    u32 access;
    u32 placement; // CL_MAP_FIXED, CL_MAP_EXACT or none
    bool is_shared;
};

static int request_check(struct map_request *request, u64 address, u64 size, u32 protection,
                         u32 flags, u64 offset) {
    u32 type = flags & MAP_TYPE;
    bool is_fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
    if (size == 0 || (offset & PAGE_MASK) ||
        (type != MAP_PRIVATE && type != MAP_SHARED && type != 3)) {
        return -EINVAL;
    }
    if (size > CL_LINUX_LIMIT) {
        return -ENOMEM;
    }
    if (is_fixed && (address & PAGE_MASK)) {
        return -EINVAL;
    }
    if (is_fixed && (address < CL_LINUX_BASE || address > CL_LINUX_LIMIT - page_round_up(size))) {
        return address < CL_LINUX_BASE ? -EPERM : -ENOMEM;
    }
    *request = (struct map_request){
        .address = page_round_down(address),
        .size = page_round_up(size),
        .offset = offset,
        .access = access_of(protection),
        .placement = flags & MAP_FIXED_NOREPLACE ? CL_MAP_EXACT
                     : flags & MAP_FIXED         ? CL_MAP_FIXED
                                                 : 0,
        .is_shared = type != MAP_PRIVATE,
    };
    return 0;
}

// Without a fixed place: at the hint if there is room, else from the memory's own hint on.
static i64 request_map(struct memory *memory, const struct map_request *request, handle_t memobj,
                       u64 offset, u32 flags) {
    u64 mapped;
    u64 hint = request->placement ? request->address : memory->map_hint;
    int result;
    if (!request->placement && request->address >= CL_LINUX_BASE) {
        result = kernel_map(memory->aspace, memobj, offset, request->address, request->size,
                            request->access | flags | CL_MAP_EXACT, &mapped);
        if (result != -EEXIST) {
            return result != 0 ? result : (i64)mapped;
        }
    }
    result = kernel_map(memory->aspace, memobj, offset, hint, request->size,
                        request->access | flags | request->placement, &mapped);
    return result != 0 ? result : (i64)mapped;
}

static i64 map_anonymous(struct memory *memory, const struct map_request *request) {
    handle_t memobj;
    if (!request->is_shared) {
        return request_map(memory, request, 0, 0, 0);
    }
    int result = kernel_memobj_create(request->size, &memobj);
    if (result != 0) {
        return result;
    }
    i64 mapped = request_map(memory, request, memobj, 0, CL_MAP_SHARED);
    kernel_close(memobj);
    return mapped;
}

// Copies a file's bytes into anonymous memory that was mapped for them.
static i64 map_fill(struct memory *memory, struct vnode *vnode, u64 address, u64 size, u64 offset,
                    u32 access) {
    i64 result = 0;
    u8 *buffer = heap_alloc(PAGE_SIZE);
    if (!buffer) {
        return -ENOMEM;
    }
    for (u64 done = 0; done < size && result == 0;) {
        i64 count =
            vnode->ops->read(vnode, buffer, min((u64)PAGE_SIZE, size - done), offset + done);
        if (count <= 0) {
            result = count;
            break;
        }
        result = copy_to_linux(linux_pointer(address + done), buffer, (usize)count);
        done += (u64)count;
    }
    heap_free(buffer);
    if (result == 0 && !(access & CL_MAP_WRITE)) {
        result = kernel_protect(memory->aspace, address, size, access);
    }
    return result;
}

// Whole pages of the image are mapped as they are. What can't be (an image file's inline tail, a
// file in memory) is copied: right for private mappings, and for shared ones of a read-only file.
static i64 map_file(struct memory *memory, const struct map_request *request, struct vnode *vnode) {
    struct page_source source = {};
    int result = vnode->ops->map ? vnode->ops->map(vnode, request->offset, &source) : 0;
    if (result != 0 || !vnode->ops->read) {
        return result ? result : -ENODEV;
    }
    if (source.pages * PAGE_SIZE >= request->size) {
        return request_map(memory, request, source.memobj, source.offset, 0);
    }
    struct map_request filled = *request;
    filled.access |= CL_MAP_READ | CL_MAP_WRITE;
    i64 mapped = request_map(memory, &filled, 0, 0, 0);
    if (mapped < 0) {
        return mapped;
    }
    i64 filled_result =
        map_fill(memory, vnode, (u64)mapped, request->size, request->offset, request->access);
    if (filled_result < 0) {
        kernel_unmap(memory->aspace, (u64)mapped, request->size);
        return filled_result;
    }
    return mapped;
}

i64 linux_mmap(struct thread *thread, u64 address, u64 size, u32 protection, u32 flags, i32 fd,
               u64 offset) {
    struct memory *memory = thread->process->memory;
    struct map_request request;
    int result = request_check(&request, address, size, protection, flags, offset);
    if (result != 0) {
        return result;
    }
    if (flags & MAP_ANONYMOUS) {
        return map_anonymous(memory, &request);
    }
    struct file *file = descriptor_get(thread, fd);
    if (!file) {
        return -EBADF;
    }
    i64 mapped;
    u32 mode = file_flags(file) & O_ACCMODE;
    if (mode == O_WRONLY || (request.is_shared && (protection & PROT_WRITE) && mode != O_RDWR)) {
        mapped = -EACCES;
    } else if (file->vnode->type != MODE_REGULAR ||
               (request.is_shared && file->vnode->ops->write)) {
        mapped = -ENODEV;
    } else {
        mapped = map_file(memory, &request, file->vnode);
    }
    file_put(file);
    return mapped;
}

static int range_check(u64 address, u64 *size) {
    if (address & PAGE_MASK) {
        return -EINVAL;
    }
    if (*size > CL_LINUX_LIMIT || address > CL_LINUX_LIMIT - page_round_up(*size)) {
        return -ENOMEM;
    }
    *size = page_round_up(*size);
    return 0;
}

i64 linux_munmap(struct thread *thread, u64 address, u64 size) {
    int result = range_check(address, &size);
    if (result != 0 || size == 0) {
        return -EINVAL;
    }
    return kernel_unmap(thread->process->memory->aspace, address, size);
}

i64 linux_mprotect(struct thread *thread, u64 address, u64 size, u32 protection) {
    int result = range_check(address, &size);
    if (result != 0 || size == 0) {
        return result;
    }
    return kernel_protect(thread->process->memory->aspace, address, size, access_of(protection));
}

i64 linux_madvise(struct thread *thread, u64 address, u64 size, i32 advice) {
    int result = range_check(address, &size);
    if (result != 0 || size == 0) {
        return result;
    }
    if (advice == MADV_DONTNEED || advice == MADV_FREE) {
        return kernel_discard(thread->process->memory->aspace, address, size);
    }
    return advice >= 0 && advice < 26 ? 0 : -EINVAL;
}

i64 linux_mremap(struct thread *thread, u64 address, u64 size, u64 new_size, u32 flags,
                 u64 new_address) {
    struct memory *memory = thread->process->memory;
    u64 moved;
    int result = range_check(address, &size);
    if (result == 0) {
        u64 checked = flags & MREMAP_FIXED ? new_address : 0;
        result = range_check(checked, &new_size);
    }
    if (result != 0 || size == 0 || new_size == 0 ||
        ((flags & MREMAP_FIXED) && !(flags & MREMAP_MAYMOVE))) {
        return -EINVAL;
    }
    if (flags & MREMAP_FIXED) {
        kernel_unmap(memory->aspace, new_address, new_size);
        if (new_size < size) {
            kernel_unmap(memory->aspace, address + new_size, size - new_size);
            size = new_size;
        }
        result = kernel_move(memory->aspace, address, size, new_address, new_size, &moved);
        return result != 0 ? result : (i64)moved;
    }
    if (new_size <= size) {
        result =
            new_size < size ? kernel_unmap(memory->aspace, address + new_size, size - new_size) : 0;
        return result != 0 ? result : (i64)address;
    }
    if (!(flags & MREMAP_MAYMOVE)) {
        return -ENOMEM;
    }
    result = kernel_move(memory->aspace, address, size, 0, new_size, &moved);
    return result != 0 ? result : (i64)moved;
}

// Shared mappings are the memory itself, and nothing is ever paged out.
i64 linux_msync(struct thread *, u64 address, u64 size, i32) { return range_check(address, &size); }

i64 linux_mlock(struct thread *, u64, u64) { return 0; }

i64 linux_munlock(struct thread *, u64, u64) { return 0; }
