// execve: up to the point where the new memory is complete everything can still fail; beyond it,
// failing kills the process.
#include "linux/exec.h"

#include "lib/heap.h"
#include "lib/string.h"
#include "linux/calls.h"
#include "linux/credentials.h"
#include "linux/descriptors.h"
#include "linux/kernel_if.h"
#include "linux/memory.h"
#include "linux/permission.h"
#include "linux/random.h"
#include "linux/report.h"
#include "linux/signal.h"
#include "linux/thread.h"
#include "linux/timers.h"
#include "linux/vdso.h"
#include "linux/walk.h"

enum : u64 {
    STACK_BYTES = 8UL << 20,
    STACK_BYTES_MIN = 256 << 10,
    VDSO_GAP_BYTES = 4 * PAGE_SIZE, // behind the stack
    POPULATE_BYTES_MAX = 128 << 10,
    // Stack and mappings lie together, so that they share page tables: in a random gigabyte of
    // top-level slot 0, where fixed programs are as well, with room above. Relocatable programs lie
    // below it. Fixed ones must end below all that.
    GIGABYTE = 1UL << 30,
    FIXED_LIMIT = 64 * GIGABYTE,
    AREA_FIRST = 128, // gigabyte
    AREA_GIGABYTES = 256,
    STACK_OFFSET_PAGES = 1 << 16,
    RELOCATED_BELOW = 8 * GIGABYTE,
};

// A larger limit than the usual one changes nothing.
static void layout_choose(struct exec_layout *layout, const struct elf_image *image,
                          u64 stack_limit) {
    u64 random[4];
    random_take(random);
    u64 area = (AREA_FIRST + random[0] % AREA_GIGABYTES) * GIGABYTE;
    layout->stack_start = area + (random[1] % STACK_OFFSET_PAGES) * PAGE_SIZE;
    layout->stack_top = layout->stack_start + min(max(stack_limit, STACK_BYTES_MIN), STACK_BYTES);
    layout->map_hint = layout->stack_top + 16 * PAGE_SIZE;
    layout->base = image->is_relocatable
                       ? area - RELOCATED_BELOW + (random[1] >> 32) % STACK_OFFSET_PAGES * PAGE_SIZE
                       : 0;
    layout->random[0] = random[2];
    layout->random[1] = random[3];
}

static u32 segment_access(const struct elf_segment *segment) {
    return (segment->access & ELF_READ ? CL_MAP_READ : 0) |
           (segment->access & ELF_WRITE ? CL_MAP_WRITE : 0) |
           (segment->access & ELF_EXECUTE ? CL_MAP_EXECUTE : 0);
}

// What of a segment is where, in whole pages: [start, mapped_end) straight from the file,
// [mapped_end, end) anonymous, of which [.., file_end) is filled from the file later.
struct segment_plan {
    u64 start;
    u64 mapped_end;
    u64 file_end;
    u64 end;
    struct page_source source;
};

static int segment_plan(const struct elf_segment *segment, u64 base, struct vnode *file,
                        struct segment_plan *plan) {
    u64 address = base + segment->address;
    plan->start = page_round_down(address);
    plan->file_end = address + segment->file_size;
    plan->end = page_round_up(address + segment->memory_size);
    plan->source = (struct page_source){};
    int result = 0;
    if (segment->file_size > 0 && file->ops->map) {
        u64 offset = page_round_down(segment->file_offset);
        result = file->ops->map(file, offset, &plan->source);
        if (result == 0 && plan->source.pages == 0 && file->ops->share) {
            result = file->ops->share(file, offset, &plan->source);
        }
    }
    u64 wanted = segment->file_size > 0 ? page_round_up(plan->file_end) - plan->start : 0;
    plan->mapped_end = plan->start + min(wanted, plan->source.pages * PAGE_SIZE);
    return result;
}

static int segment_map(struct memory *memory, const struct process *process, struct file *file,
                       const struct elf_segment *segment, const struct segment_plan *plan) {
    struct map_request request = {
        .address = plan->start,
        .size = plan->mapped_end - plan->start,
        .offset = page_round_down(segment->file_offset),
        .file = file,
        .access = segment_access(segment),
        .placement = CL_MAP_EXACT,
        .memobj = plan->source.memobj,
        .memobj_offset = plan->source.offset,
    };
    if (request.size > 0) {
        request.options = request.size <= POPULATE_BYTES_MAX ? CL_MAP_POPULATE : 0;
        i64 mapped = memory_map(memory, process, &request);
        if (mapped < 0) {
            return (int)mapped;
        }
    }
    if (plan->end == plan->mapped_end) {
        return 0;
    }
    bool is_filled = plan->file_end > plan->mapped_end;
    struct map_request rest = {
        .address = plan->mapped_end,
        .size = plan->end - plan->mapped_end,
        .offset = is_filled ? request.offset + request.size : 0,
        .file = is_filled ? file : NULL,
        // Writable until it is filled.
        .access = request.access | (is_filled ? CL_MAP_WRITE : 0),
        .placement = CL_MAP_EXACT,
    };
    i64 mapped = memory_map(memory, process, &rest);
    return mapped < 0 ? (int)mapped : 0;
}

static int segment_fill(struct vnode *file, u64 offset, u64 address, u64 end) {
    u8 *buffer = heap_alloc(PAGE_SIZE);
    int result = buffer ? 0 : -ENOMEM;
    while (result == 0 && address < end) {
        i64 count = file->ops->read(file, buffer, min((u64)PAGE_SIZE, end - address), offset);
        if (count <= 0) {
            result = -EIO;
            break;
        }
        result = copy_to_linux(linux_pointer(address), buffer, (usize)count);
        address += (u64)count;
        offset += (u64)count;
    }
    heap_free(buffer);
    return result;
}

// With the memory bound: fills what could not be mapped, clears what follows the file's part.
static int segment_finish(struct memory *memory, const struct elf_segment *segment,
                          const struct segment_plan *plan, struct vnode *file) {
    int result = 0;
    if (plan->file_end > plan->mapped_end) {
        u64 done = plan->mapped_end - (plan->start + (segment->address & PAGE_MASK));
        if (plan->mapped_end == plan->start) {
            done = 0;
        }
        result = segment_fill(file, segment->file_offset + done,
                              plan->file_end - segment->file_size + done, plan->file_end);
        if (result == 0 && !(segment->access & ELF_WRITE)) {
            result = memory_protect(memory, plan->mapped_end, plan->end - plan->mapped_end,
                                    segment_access(segment));
        }
    } else if (segment->memory_size > segment->file_size && (segment->access & ELF_WRITE) &&
               (plan->file_end & PAGE_MASK)) {
        result = clear_linux(linux_pointer(plan->file_end),
                             page_round_up(plan->file_end) - plan->file_end);
    }
    return result;
}

struct exec {
    struct elf_image image;
    struct exec_layout layout;
    struct segment_plan plans[ELF_SEGMENTS_MAX];
    struct memory *memory;
    struct credentials *credentials; // counted
    bool is_undumpable;
};

static int stack_map(struct exec *exec, const struct process *process) {
    struct map_request request = {
        .address = exec->layout.stack_start,
        .size = exec->layout.stack_top - exec->layout.stack_start,
        .access =
            CL_MAP_READ | CL_MAP_WRITE | (exec->image.has_executable_stack ? CL_MAP_EXECUTE : 0),
        .placement = CL_MAP_EXACT,
        .traits = REGION_STACK,
    };
    i64 mapped = memory_map(exec->memory, process, &request);
    return mapped < 0 ? (int)mapped : 0;
}

static int exec_map(struct exec *exec, const struct process *process, struct program *program)
    THREAD_ANNOTATION(no_thread_safety_analysis) {
    int result = 0;
    u64 end = 0;
    for (u32 i = 0; i < exec->image.segments_count && result == 0; i++) {
        const struct elf_segment *segment = &exec->image.segments[i];
        result = segment_plan(segment, exec->layout.base, program->file->vnode, &exec->plans[i]);
        if (result == 0) {
            result = segment_map(exec->memory, process, program->file, segment, &exec->plans[i]);
        }
        end = exec->plans[i].end;
    }
    if (result == 0) {
        result = stack_map(exec, process);
        exec->layout.vdso = vdso_map(exec->memory, exec->layout.stack_top + VDSO_GAP_BYTES);
    }
    exec->memory->break_start = exec->memory->break_end = end;
    exec->memory->map_hint = exec->layout.map_hint;
    exec->memory->stack_top = exec->layout.stack_top;
    return result;
}

static int exec_prepare(struct exec *exec, struct process *process, struct program *program,
                        const void *header, u64 header_size) {
    struct attributes attributes;
    const char *problem = NULL;
    int result = vnode_attributes(program->file->vnode, &attributes);
    if (result != 0) {
        return result;
    }
    status_t status =
        elf_parse(&exec->image, header, header_size, attributes.size_bytes, FIXED_LIMIT, &problem);
    if (status != ELF_OK) {
        if (status != ELF_NOT_ELF) {
            report_line("%s: %s", program->text, problem);
        }
        return -ENOEXEC;
    }
    const struct credentials *old = process->credentials;
    exec->is_undumpable = old->euid != old->uid || old->egid != old->gid ||
                          vnode_permission(old, program->file->vnode, MAY_READ) != 0;
    layout_choose(&exec->layout, &exec->image,
                  page_round_down(process->limits[RLIMIT_STACK].current));
    result = credentials_of_exec(process, file_path(program->file), &exec->credentials,
                                 &exec->layout.is_secure);
    if (result != 0) {
        return result;
    }
    exec->layout.credentials = exec->credentials;
    exec->memory = memory_create();
    result = exec->memory ? exec_map(exec, process, program) : -ENOMEM;
    if (result != 0) {
        memory_put(exec->memory);
        credentials_put(exec->credentials);
    }
    return result;
}

// The process is the new program's from here on.
static void exec_commit(struct thread *thread, struct exec *exec, struct program *program) {
    struct process *process = thread->process;
    struct memory *old_memory = process->memory;
    mutex_lock(&tasks.lock);
    struct program *old_program = process->program;
    process->program = program;
    process->has_execed = true;
    process->is_undumpable = exec->is_undumpable;
    process->exit_signal = SIGCHLD;
    memcpy(process->name, program->name, sizeof(process->name));
    process->memory = exec->memory;
    mutex_unlock(&tasks.lock);
    credentials_set(process, exec->credentials);
    if (kernel_aspace_bind(exec->memory->aspace) != 0) {
        thread->ends_with = SIGKILL;
    }
    process_vfork_done(process);
    memory_put(old_memory);
    program_put(old_program);
    descriptors_close_on_exec(process->descriptors);
    signal_actions_reset(process);
    timers_exec(process);
    thread->signal_stack = (struct linux_stack){.flags = SS_DISABLE};
    thread->clear_tid = thread->robust_list = linux_pointer(0);
    thread->call_number = ~0UL;
}

static void exec_registers(struct thread *thread, const struct exec *exec, u64 stack_pointer) {
    thread->state = (struct cl_restricted_state){
        .rip = exec->layout.base + exec->image.entry, .rsp = stack_pointer, .rflags = 0x202};
    register_set_fs_base(0);
    register_set_gs_base(0);
    vector_reset();
}

static int exec_finish(struct exec *exec, struct program *program, const char *path,
                       u64 *stack_pointer) {
    int result = 0;
    for (u32 i = 0; i < exec->image.segments_count && result == 0; i++) {
        result = segment_finish(exec->memory, &exec->image.segments[i], &exec->plans[i],
                                program->file->vnode);
    }
    if (result == 0) {
        result = exec_stack_write(program, &exec->image, &exec->layout, path, stack_pointer);
    }
    return result;
}

// The exec structure and the header are too large for this thread's stack together.
struct exec_buffers {
    struct exec exec;
    u8 header[ELF_HEADER_BYTES];
};

int exec_program(struct thread *thread, i32 directory, const char *path, struct program *program) {
    u64 header_size;
    u64 stack_pointer = 0;
    struct exec_buffers *buffers = heap_alloc(sizeof(*buffers));
    int result =
        buffers ? exec_file_open(thread, directory, path, program, buffers->header, &header_size)
                : -ENOMEM;
    if (result == 0) {
        result =
            exec_prepare(&buffers->exec, thread->process, program, buffers->header, header_size);
    }
    if (result != 0) {
        heap_free(buffers);
        program_put(program);
        return result;
    }
    exec_commit(thread, &buffers->exec, program);
    result = exec_finish(&buffers->exec, program, path, &stack_pointer);
    if (result != 0) {
        report_line("%s: can't be loaded: error %d", path, -result);
        thread->ends_with = SIGKILL;
        __atomic_store_n(&thread->attention, 1, __ATOMIC_RELEASE);
    }
    exec_registers(thread, &buffers->exec, stack_pointer);
    heap_free(buffers);
    return 0;
}
