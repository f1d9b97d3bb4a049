// All that the personality asks of the kernel, in its own terms, so that it can be built for the
// host with another set of these (tests/host/fake_kernel.c).
// Rules:
// - results are 0 or a negative Linux error (abi.h);
// - deadlines are monotonic nanoseconds, DEADLINE_NEVER for none, 0 to poll;
// - an interruptible wait ends with -EINTR when the thread is kicked, and consumes the kick.
#pragma once

#include "abi/types.h"
#include "lib/types.h"

struct linux_sigcontext;

enum : u64 { DEADLINE_NEVER = CL_DEADLINE_NEVER };
enum { WAIT_PLAIN = 0, WAIT_INTERRUPTIBLE = 1 };

// Copies that survive faults: 0, or not. No range check: copy.c does it.
i64 user_copy(void *target, const void *source, usize size);
i64 user_clear(void *target, usize size);
i64 user_load_u32(const u32 *source, u32 *value);

// Threads.
int kernel_thread_start(void (*entry)(void *), void *stack_top, void *argument, handle_t *thread);
int kernel_thread_self(handle_t *thread);
void kernel_thread_kick(handle_t thread);
void kernel_yield(void);
u64 kernel_thread_time_ns(void);
// Another one's: its processor time, and whether it runs or could.
void kernel_thread_describe(handle_t thread, u64 *cpu_ns, bool *is_running);
// Ends the calling thread. `stack_in_use` is set to 0 when it no longer needs its stack.
[[noreturn]] void kernel_thread_exit(u32 *stack_in_use);
[[noreturn]] void kernel_process_exit(int status);

// Waiting. -EAGAIN: the word has another value.
int kernel_futex_wait(u32 *word, u32 expected, u32 flags, u64 deadline_ns);
void kernel_futex_wake(u32 *word, u32 count);

// Memory. `aspace` 0 is the personality's own part. Access is CL_MAP_*.
int kernel_map(handle_t aspace, handle_t memobj, u64 offset, u64 address, u64 size, u32 flags,
               u64 *mapped);
int kernel_unmap(handle_t aspace, u64 address, u64 size);
int kernel_protect(handle_t aspace, u64 address, u64 size, u32 flags);
int kernel_move(handle_t aspace, u64 address, u64 size, u64 target, u64 target_size, u64 *moved);
int kernel_discard(handle_t aspace, u64 address, u64 size);
int kernel_aspace_create(handle_t *aspace);
int kernel_aspace_fork(handle_t aspace, handle_t *twin);
int kernel_aspace_bind(handle_t aspace);
int kernel_memobj_create(u64 size, handle_t *memobj);
// What is mapped beyond the new end is unmapped, wherever it is.
int kernel_memobj_resize(handle_t memobj, u64 size);
int kernel_memobj_read(handle_t memobj, u64 offset, void *buffer, usize size);
int kernel_memobj_write(handle_t memobj, u64 offset, const void *buffer, usize size);
void kernel_close(handle_t handle);

// Runs Linux code until it traps; the reason is CL_RESTRICTED_REASON_*.
int kernel_enter(struct cl_restricted_state *state, u32 *reason);

// Streams: the container's standard input and output, one-way messages of bytes on a channel.
// -EAGAIN: nothing there, or full; -EPIPE: the other end is gone (reading: 0 bytes).
i64 kernel_stream_read(handle_t channel, void *buffer, usize size);
i64 kernel_stream_write(handle_t channel, const void *buffer, usize size);
// Waits for CL signals; *observed says which. -EINTR, -ETIMEDOUT.
int kernel_object_wait(handle_t object, u32 signals, u64 deadline_ns, u32 *observed);

// Clocks, randomness, the log.

// A port: one thread waits for many things. A watch reports once, under its key; unwatching one
// that has reported does nothing. The wait is interruptible.
int kernel_port_create(handle_t *port);
int kernel_port_watch(handle_t port, handle_t object, u32 signals, u64 key);
void kernel_port_unwatch(handle_t port, u64 key);
int kernel_port_wait(handle_t port, u64 deadline_ns, u64 *key, u32 *observed);

u64 kernel_monotonic_ns(void);
u64 kernel_realtime_ns(void);
// How a program reads the clocks by itself (clock_scale); ns_per_tsc is 0 where it can't.
void kernel_clock_scale(u64 *tsc_base, u64 *ns_per_tsc, u64 *wall_ns);
void kernel_random(void *buffer, usize size);
void kernel_log(const char *text, usize size);

// The program's FS and GS bases, which are live registers in the personality.
u64 register_fs_base(void);
u64 register_gs_base(void);
void register_set_fs_base(u64 base);
void register_set_gs_base(u64 base);

// Vector state: XSAVE areas of vector_state_size() bytes, aligned to 64. vector_load refuses
// nothing: check an area that a program could have written first (vector_check).
usize vector_state_size(void);
u64 vector_features(void);
void vector_save(void *area);
void vector_load(const void *area);
void vector_reset(void);
