// mmap: what is asked for, checked, and the ways to get it.
#include "lib/heap.h"
#include "linux/calls.h"
#include "linux/descriptors.h"
#include "linux/kernel_if.h"
#include "linux/memory.h"
#include "linux/mount.h"
#include "linux/thread.h"

enum { MAP_SHARED_VALIDATE = 3 };

static int request_check(struct map_request *request, u64 address, u64 size, u32 protection,
                         u32 flags, u64 offset) {
    u32 type = flags & MAP_TYPE;
    bool is_fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
    if (size == 0 || (offset & PAGE_MASK) ||
        (type != MAP_PRIVATE && type != MAP_SHARED && type != MAP_SHARED_VALIDATE)) {
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
        .access = memory_access_of(protection),
        .placement = flags & MAP_FIXED_NOREPLACE ? CL_MAP_EXACT
                     : flags & MAP_FIXED         ? CL_MAP_FIXED
                                                 : 0,
        .options = type != MAP_PRIVATE ? CL_MAP_SHARED : 0,
    };
    return 0;
}

static i64 map_anonymous(struct process *process, struct map_request *request) {
    bool is_shared = request->options & CL_MAP_SHARED;
    int result = is_shared ? kernel_memobj_create(request->size, &request->memobj) : 0;
    if (result != 0) {
        return result;
    }
    i64 mapped = memory_map(process->memory, process, request);
    if (is_shared) {
        kernel_close(request->memobj);
    }
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
        result = memory_protect(memory, address, size, access);
    }
    return result;
}

static i64 map_copy(struct memory *memory, struct process *process,
                    const struct map_request *request, struct vnode *vnode) {
    struct map_request filled = *request;
    filled.access |= CL_MAP_READ | CL_MAP_WRITE;
    i64 mapped = memory_map(memory, process, &filled);
    if (mapped < 0) {
        return mapped;
    }
    i64 result =
        map_fill(memory, vnode, (u64)mapped, request->size, request->offset, request->access);
    if (result < 0) {
        memory_unmap(memory, (u64)mapped, request->size);
        return result;
    }
    return mapped;
}

// The place first, without access, then the pages that the file has: beyond them is SIGBUS.
static i64 map_source(struct memory *memory, const struct process *process,
                      struct map_request *request, const struct page_source *source) {
    u64 size = source->pages * PAGE_SIZE;
    if (size >= request->size) {
        request->memobj = source->memobj;
        request->memobj_offset = source->offset;
        return memory_map(memory, process, request);
    }
    struct map_request place = *request;
    place.is_reservation = true;
    i64 mapped = memory_map(memory, process, &place);
    if (mapped < 0 || size == 0) {
        return mapped;
    }
    int result = memory_overlay(memory, (u64)mapped, size, source->memobj, source->offset,
                                request->access | request->options);
    if (result != 0) {
        memory_unmap(memory, (u64)mapped, request->size);
    }
    return result != 0 ? result : mapped;
}

// Pages of the image are mapped as they are where they are all that is asked for, and stay what they
// are. The contents of another file move to where they can be mapped. What can do neither is copied.
static i64 map_file(struct process *process, struct map_request *request, u64 offset,
                    struct file *file) {
    struct memory *memory = process->memory;
    struct vnode *vnode = file->vnode;
    struct page_source source = {};
    bool may_change = (request->options & CL_MAP_SHARED) && (request->access & CL_MAP_WRITE);
    if (!vnode->ops->read) {
        return -ENODEV;
    }
    request->file = file;
    request->offset = offset;
    int result = vnode->ops->map && !may_change ? vnode->ops->map(vnode, offset, &source) : 0;
    if (result == 0 && source.pages * PAGE_SIZE >= request->size) {
        request->traits |= request->options & CL_MAP_SHARED ? REGION_SHARED : 0;
        request->options &= ~(u32)CL_MAP_SHARED;
        request->memobj = source.memobj;
        request->memobj_offset = source.offset;
        return memory_map(memory, process, request);
    }
    if (result == 0 && vnode->ops->share) {
        result = vnode->ops->share(vnode, offset, &source);
        return result != 0 ? result : map_source(memory, process, request, &source);
    }
    if (result != 0 || (request->options & CL_MAP_SHARED)) {
        return result != 0 ? result : -ENODEV;
    }
    return map_copy(memory, process, request, vnode);
}

// Where no file can have anything.
static bool is_beyond_files(const struct vnode *vnode, u64 offset, u64 size) {
    enum : u64 { FILE_BYTES_MAX = (1UL << 63) - 1 };
    return vnode->type == MODE_REGULAR && offset > page_round_down(FILE_BYTES_MAX - size);
}

static i64 map_descriptor(struct process *process, struct map_request *request, struct file *file,
                          u64 offset) {
    u32 mode = file_flags(file) & O_ACCMODE;
    bool is_shared = request->options & CL_MAP_SHARED;
    if (is_beyond_files(file->vnode, offset, request->size)) {
        return -EOVERFLOW;
    }
    if (mode == O_WRONLY || (is_shared && (request->access & CL_MAP_WRITE) && mode != O_RDWR)) {
        return -EACCES;
    }
    bool runs_nothing = path_mount_flags(file_path(file)) & MOUNT_NO_EXEC;
    if (runs_nothing && (request->access & CL_MAP_EXECUTE)) {
        return -EPERM;
    }
    if (file->vnode->type != MODE_REGULAR) {
        return -ENODEV;
    }
    request->traits |= (runs_nothing ? REGION_NO_EXECUTE : 0) |
                       (is_shared && mode != O_RDWR ? REGION_NO_WRITE : 0);
    return map_file(process, request, offset, file);
}

// What is written to and was not asked for without a reserve.
static bool is_refused(u64 size, u32 protection, u32 flags) {
    enum : u32 { MAP_NORESERVE = 0x4000 };
    return (protection & PROT_WRITE) && !(flags & MAP_NORESERVE) && memory_is_beyond_all(size);
}

i64 linux_mmap(struct thread *thread, u64 address, u64 size, u32 protection, u32 flags, i32 fd,
               u64 offset) {
    struct map_request request;
    int result = request_check(&request, address, size, protection, flags, offset);
    if (result != 0) {
        return result;
    }
    if (flags & MAP_ANONYMOUS) {
        if (is_refused(size, protection, flags)) return -ENOMEM;
        return map_anonymous(thread->process, &request);
    }
    struct file *file = descriptor_get_open(thread, fd);
    if (!file) {
        return -EBADF;
    }
    i64 mapped = map_descriptor(thread->process, &request, file, offset);
    file_put(file);
    return mapped;
}
