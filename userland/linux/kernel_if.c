// The kernel's calls in the personality's terms, and what the library asks of a program.
#include "linux/kernel_if.h"

#include "cloister.h"

#include "lib/heap.h"
#include "lib/mutex.h"
#include "linux/abi.h"
#include "linux/control.h"

static int error_of(status_t status) {
    switch (status) {
    case OK: return 0;
    case ERR_NO_RESOURCES:
    case ERR_NOT_FOUND: return -ENOMEM;
    case ERR_ACCESS_DENIED: return -EACCES;
    case ERR_SHOULD_WAIT: return -EAGAIN;
    case ERR_TIMED_OUT: return -ETIMEDOUT;
    case ERR_INTERRUPTED: return -EINTR;
    case ERR_PEER_CLOSED: return -EPIPE;
    case ERR_ALREADY_EXISTS: return -EEXIST;
    case ERR_OUT_OF_RANGE: return -ENOMEM;
    case ERR_IO_ERROR:
    case ERR_DEAD:
    case ERR_REVOKED: return -EIO;
    default: return -EINVAL;
    }
}

// A wait that a kick has ended: it may have been the manager's (control.h).
static int wait_result(status_t status) {
    if (status == ERR_INTERRUPTED) control_kicked();
    return error_of(status);
}

int kernel_thread_start(void (*entry)(void *), void *stack_top, void *argument, handle_t *thread) {
    // As if by a call: 8 below a multiple of 16.
    u64 stack = ((u64)stack_top & ~15UL) - 8;
    return error_of(thread_create((u64)entry, stack, (u64)argument, thread));
}

int kernel_thread_self(handle_t *thread) { return error_of(thread_self(thread)); }

void kernel_thread_kick(handle_t thread) { thread_kick(thread); }

void kernel_yield(void) { thread_yield(); }

u64 kernel_thread_time_ns(void) {
    u64 koid;
    u64 cpu_ns = 0;
    thread_info(&koid, &cpu_ns);
    return cpu_ns;
}

void kernel_thread_describe(handle_t thread, u64 *cpu_ns, bool *is_running) {
    struct cl_object_info info = {};
    object_info(thread, &info);
    *cpu_ns = info.detail[0];
    *is_running = info.detail[1];
}

// The last use of the stack comes before the store: another thread may take it at once.
void kernel_thread_exit(u32 *stack_in_use) {
    asm volatile("movl $0, (%0)\n\tsyscall"
                 :
                 : "r"(stack_in_use), "a"((u64)SYSCALL_THREAD_EXIT)
                 : "memory");
    __builtin_unreachable();
}

void kernel_process_exit(int status) {
    process_exit(status);
    __builtin_unreachable();
}

int kernel_futex_wait(u32 *word, u32 expected, u32 flags, u64 deadline_ns) {
    return wait_result(futex_wait((u64)word, expected,
                                  flags == WAIT_PLAIN ? 0 : CL_WAIT_INTERRUPTIBLE, deadline_ns));
}

void kernel_futex_wake(u32 *word, u32 count) {
    u32 woken;
    futex_wake((u64)word, count, &woken);
}

void mutex_wait(u32 *word, u32 expected) { futex_wait((u64)word, expected, 0, CL_DEADLINE_NEVER); }

void mutex_wake(u32 *word) {
    u32 woken;
    futex_wake((u64)word, 1, &woken);
}

int kernel_map(handle_t aspace, handle_t memobj, u64 offset, u64 address, u64 size, u32 flags,
               u64 *mapped) {
    return error_of(aspace_map(aspace, memobj, offset, address, size, flags, mapped));
}

int kernel_unmap(handle_t aspace, u64 address, u64 size) {
    return error_of(aspace_unmap(aspace, address, size));
}

int kernel_protect(handle_t aspace, u64 address, u64 size, u32 flags) {
    return error_of(aspace_protect(aspace, address, size, flags));
}

int kernel_move(handle_t aspace, u64 address, u64 size, u64 target, u64 target_size, u64 *moved) {
    return error_of(aspace_move(aspace, address, size, target, target_size, moved));
}

int kernel_discard(handle_t aspace, u64 address, u64 size) {
    return error_of(aspace_discard(aspace, address, size));
}

int kernel_aspace_create(handle_t *aspace) { return error_of(aspace_create(aspace)); }

int kernel_aspace_fork(handle_t aspace, handle_t *twin) {
    return error_of(aspace_fork(aspace, twin));
}

int kernel_aspace_bind(handle_t aspace) { return error_of(thread_bind_aspace(aspace)); }

int kernel_memobj_create(u64 size, handle_t *memobj) {
    return error_of(memobj_create(0, size, memobj));
}

int kernel_memobj_resize(handle_t memobj, u64 size) {
    return error_of(memobj_resize(memobj, size));
}

int kernel_memobj_read(handle_t memobj, u64 offset, void *buffer, usize size) {
    return error_of(memobj_read(memobj, offset, buffer, size));
}

int kernel_memobj_write(handle_t memobj, u64 offset, const void *buffer, usize size) {
    return error_of(memobj_write(memobj, offset, buffer, size));
}

void kernel_clock_scale(u64 *tsc_base, u64 *ns_per_tsc, u64 *wall_ns) {
    if (clock_scale(tsc_base, ns_per_tsc, wall_ns) != OK) {
        *ns_per_tsc = 0;
    }
}

void kernel_close(handle_t handle) { handle_close(handle); }

int kernel_enter(struct cl_restricted_state *state, u32 *reason) {
    int result = (int)restricted_enter((u64)state, reason);
    if (result == 0 && unlikely(*reason == CL_RESTRICTED_REASON_KICKED)) control_kicked();
    return result;
}

i64 kernel_stream_read(handle_t channel, void *buffer, usize size) {
    struct cl_received received;
    struct cl_message room = {.bytes = (u64)buffer, .bytes_size = (u32)size};
    status_t status = channel_receive(channel, &room, (u64)&received, 0, CL_DEADLINE_POLL);
    if (status == ERR_PEER_CLOSED) {
        return 0;
    }
    return status == OK ? (i64)received.bytes_size : error_of(status);
}

i64 kernel_stream_write(handle_t channel, const void *buffer, usize size) {
    struct cl_message message = {.bytes = (u64)buffer, .bytes_size = (u32)size};
    status_t status = channel_send(channel, &message);
    return status == OK ? (i64)size : error_of(status);
}

int kernel_object_wait(handle_t object, u32 signals, u64 deadline_ns, u32 *observed) {
    return wait_result(object_wait(object, signals, CL_WAIT_INTERRUPTIBLE, deadline_ns, observed));
}

int kernel_port_create(handle_t *port) { return error_of(port_create(0, port)); }

int kernel_port_watch(handle_t port, handle_t object, u32 signals, u64 key) {
    return error_of(port_register(port, object, signals, key, CL_PORT_ONCE));
}

void kernel_port_unwatch(handle_t port, u64 key) { port_unregister(port, key); }

int kernel_port_wait(handle_t port, u64 deadline_ns, u64 *key, u32 *observed) {
    return error_of(port_wait(port, CL_WAIT_INTERRUPTIBLE, deadline_ns, key, observed));
}

u64 kernel_monotonic_ns(void) {
    u64 now_ns = 0;
    clock_get(CL_CLOCK_MONOTONIC, &now_ns);
    return now_ns;
}

u64 kernel_realtime_ns(void) {
    u64 now_ns = 0;
    clock_get(CL_CLOCK_REALTIME, &now_ns);
    return now_ns;
}

void kernel_random(void *buffer, usize size) { random_get(buffer, size); }

void kernel_log(const char *text, usize size) { log_write(text, size); }

u8 *const heap_first_chunk = (u8 *)0x7f8000500000;

status_t heap_map(void *address, usize size) {
    u64 mapped;
    return aspace_map(0, 0, 0, (u64)address, size, CL_MAP_READ | CL_MAP_WRITE | CL_MAP_FIXED,
                      &mapped);
}

void heap_discard(void *address, usize size) { aspace_discard(0, (u64)address, size); }
