// linux/kernel_if.h for the host. What has no meaning here (address spaces, vector state) does
// nothing; kicks set a flag and wake the futex that the thread sleeps on.
#define _GNU_SOURCE
#include "fake_kernel.h"

#include "lib/heap.h"
#include "linux/calls.h"
#include "linux/container.h"
#include "linux/descriptors.h"
#include "linux/kernel_if.h"
#include "linux/processor.h"
#include "linux/system.h"
#include "linux/vdso.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { THREADS_MAX = 256 };

// A kernel thread: its handle is its index.
static struct fake_thread {
    u32 kick;         // atomic
    u32 *sleeping_on; // atomic; of an interruptible wait
} fake_threads[THREADS_MAX];
static u32 fake_threads_count = 1;

static _Thread_local struct thread *current;
static _Thread_local u32 current_handle;

bool fake_heap_is_empty;

void *heap_alloc(usize size) {
    return size > HEAP_ALLOC_MAX || fake_heap_is_empty ? NULL : malloc(size ? size : 1);
}

void *heap_alloc_zero(usize size) {
    void *memory = heap_alloc(size);
    return memory ? memset(memory, 0, size) : NULL;
}

void heap_free(void *memory) { free(memory); }

i64 user_copy(void *target, const void *source, usize size) {
    if ((u64)target < PAGE_SIZE || (u64)source < PAGE_SIZE) {
        return -1; // stands for a fault
    }
    memcpy(target, source, size);
    return 0;
}

i64 user_clear(void *target, usize size) {
    memset(target, 0, size);
    return 0;
}

i64 user_load_u32(const u32 *source, u32 *value) {
    *value = __atomic_load_n(source, __ATOMIC_SEQ_CST);
    return 0;
}

static void futex(u32 *word, int operation, u32 value, const struct timespec *timeout) {
    syscall(SYS_futex, word, operation, value, timeout, NULL, 0);
}

void mutex_wait(u32 *word, u32 expected) { futex(word, FUTEX_WAIT_PRIVATE, expected, NULL); }

void mutex_wake(u32 *word) { futex(word, FUTEX_WAKE_PRIVATE, 1, NULL); }

void kernel_futex_wake(u32 *word, u32 count) { futex(word, FUTEX_WAKE_PRIVATE, count, NULL); }

// Sleeps in slices: a kick between the check and the sleep would otherwise be lost.
int kernel_futex_wait(u32 *word, u32 expected, u32 flags, u64 deadline_ns) {
    struct fake_thread *self = &fake_threads[current_handle];
    struct timespec slice = {0, 1000000};
    while (__atomic_load_n(word, __ATOMIC_SEQ_CST) == expected) {
        if (flags == WAIT_INTERRUPTIBLE && __atomic_exchange_n(&self->kick, 0, __ATOMIC_SEQ_CST)) {
            return -EINTR;
        }
        if (kernel_monotonic_ns() >= deadline_ns) {
            return -ETIMEDOUT;
        }
        futex(word, FUTEX_WAIT_PRIVATE, expected, &slice);
    }
    return -EAGAIN;
}

struct start {
    void (*entry)(void *);
    void *argument;
    u32 handle;
};

static void *thread_entry(void *argument) {
    struct start start = *(struct start *)argument;
    free(argument);
    current_handle = start.handle;
    current = start.argument;
    start.entry(start.argument);
    return NULL;
}

int kernel_thread_start(void (*entry)(void *), void *, void *argument, handle_t *thread) {
    pthread_t created;
    struct start *start = malloc(sizeof(*start));
    u32 handle = __atomic_fetch_add(&fake_threads_count, 1, __ATOMIC_SEQ_CST);
    *start = (struct start){entry, argument, handle};
    if (handle >= THREADS_MAX || pthread_create(&created, NULL, thread_entry, start) != 0) {
        free(start);
        return -ENOMEM;
    }
    pthread_detach(created);
    *thread = handle;
    return 0;
}

int kernel_thread_self(handle_t *thread) {
    *thread = current_handle;
    return 0;
}

void kernel_thread_kick(handle_t thread) {
    __atomic_store_n(&fake_threads[thread].kick, 1, __ATOMIC_SEQ_CST);
}

void kernel_yield(void) { usleep(1); }

u64 kernel_thread_time_ns(void) { return 0; }

void kernel_thread_describe(handle_t, u64 *cpu_ns, bool *is_running) {
    *cpu_ns = 0;
    *is_running = false;
}

u64 kernel_monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (u64)now.tv_sec * 1000000000 + (u64)now.tv_nsec;
}

u64 kernel_realtime_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (u64)now.tv_sec * 1000000000 + (u64)now.tv_nsec;
}

void kernel_random(void *buffer, usize size) { memset(buffer, 0x5a, size); }

void kernel_log(const char *text, usize size) { printf("log: %.*s\n", (int)size, text); }

int kernel_map(handle_t, handle_t, u64, u64 address, u64, u32, u64 *mapped) {
    *mapped = address;
    return 0;
}

int kernel_unmap(handle_t, u64, u64) { return 0; }

int kernel_protect(handle_t, u64, u64, u32) { return 0; }

int kernel_move(handle_t, u64, u64, u64 target, u64, u64 *moved) {
    *moved = target;
    return 0;
}

int kernel_discard(handle_t, u64, u64) { return 0; }

int kernel_aspace_create(handle_t *aspace) {
    *aspace = 1;
    return 0;
}

int kernel_aspace_fork(handle_t, handle_t *twin) {
    *twin = 1;
    return 0;
}

int kernel_aspace_bind(handle_t) { return 0; }

// Memory objects: bytes in memory of the test. Their handles are not those of anything else; the
// log's, 1, is never closed.
enum {
    OBJECTS_MAX = 64,
    LOG_BYTES = 64 << 10,
    OBJECT_HANDLES = 0x10000,
    OBJECT_BYTES_MAX = 64 << 20
};

static struct object {
    u8 *bytes;
    u64 size;
} objects[OBJECTS_MAX] = {{(u8[LOG_BYTES]){}, LOG_BYTES}};
static struct mutex objects_lock; // for their places; who has an object has it alone otherwise

static struct object *object_of(handle_t memobj) {
    return &objects[memobj >= OBJECT_HANDLES ? memobj - OBJECT_HANDLES : 0];
}

int kernel_memobj_create(u64 size, handle_t *memobj) {
    u32 index = 1;
    mutex_lock(&objects_lock);
    while (index < OBJECTS_MAX && objects[index].bytes) {
        index++;
    }
    if (index < OBJECTS_MAX && size <= OBJECT_BYTES_MAX) {
        objects[index] = (struct object){calloc(1, size), size};
    }
    mutex_unlock(&objects_lock);
    *memobj = OBJECT_HANDLES + index;
    return index < OBJECTS_MAX && size <= OBJECT_BYTES_MAX ? 0 : -ENOMEM;
}

int kernel_memobj_resize(handle_t memobj, u64 size) {
    struct object *object = object_of(memobj);
    if (size > OBJECT_BYTES_MAX) return -ENOMEM;
    u8 *bytes = calloc(1, size);
    memcpy(bytes, object->bytes, min(size, object->size));
    free(object->bytes);
    *object = (struct object){bytes, size};
    return 0;
}

static bool object_has(const struct object *object, u64 offset, usize size) {
    return object->bytes && offset <= object->size && size <= object->size - offset;
}

int kernel_memobj_read(handle_t memobj, u64 offset, void *buffer, usize size) {
    const struct object *object = object_of(memobj);
    if (!object_has(object, offset, size)) return -EINVAL;
    memcpy(buffer, object->bytes + offset, size);
    return 0;
}

int kernel_memobj_write(handle_t memobj, u64 offset, const void *buffer, usize size) {
    const struct object *object = object_of(memobj);
    if (!object_has(object, offset, size)) return -EINVAL;
    memcpy(object->bytes + offset, buffer, size);
    return 0;
}

void kernel_clock_scale(u64 *tsc_base, u64 *ns_per_tsc, u64 *wall_ns) {
    *tsc_base = *ns_per_tsc = *wall_ns = 0;
}

// No vDSO.
u64 vdso_map(struct memory *, u64) { return 0; }

void kernel_close(handle_t handle) {
    if (handle >= OBJECT_HANDLES) {
        free(object_of(handle)->bytes);
        *object_of(handle) = (struct object){};
    }
}

static const u8 *stream_bytes;
static usize stream_size;

void fake_stream(const void *bytes, usize size) {
    stream_bytes = bytes;
    stream_size = size;
}

bool fake_stream_is_open;

i64 kernel_stream_read(handle_t, void *buffer, usize size) {
    if (stream_size == 0 && fake_stream_is_open) return -EAGAIN;
    usize count = min(size, stream_size);
    memcpy(buffer, stream_bytes, count);
    stream_bytes += count;
    stream_size -= count;
    return (i64)count;
}

// What is written; by the thread of events, too.
static pthread_mutex_t taken_lock = PTHREAD_MUTEX_INITIALIZER;
static u8 *taken_bytes;
static usize taken_room;
static usize taken_size;
static int taken_when_full;

void fake_stream_take(void *bytes, usize room, int when_full) {
    pthread_mutex_lock(&taken_lock);
    taken_when_full = when_full;
    taken_bytes = bytes;
    taken_room = room;
    taken_size = 0;
    pthread_mutex_unlock(&taken_lock);
}

usize fake_stream_taken(void) {
    pthread_mutex_lock(&taken_lock);
    usize size = taken_size;
    pthread_mutex_unlock(&taken_lock);
    return size;
}

static i64 take_locked(const void *bytes, usize size) {
    if (!taken_bytes) return (i64)size;
    usize count = min(size, taken_room - taken_size);
    memcpy(taken_bytes + taken_size, bytes, count);
    taken_size += count;
    return count > 0 ? (i64)count : taken_when_full;
}

i64 kernel_stream_write(handle_t, const void *bytes, usize size) {
    pthread_mutex_lock(&taken_lock);
    i64 count = take_locked(bytes, size);
    pthread_mutex_unlock(&taken_lock);
    return count;
}

int kernel_object_wait(handle_t, u32, u64, u32 *observed) {
    *observed = SIGNAL_READABLE | SIGNAL_WRITABLE;
    return 0;
}

// The one port: what is watched is ready at once.
static u64 watched[16]; // keys; atomic; 0: free

int kernel_port_create(handle_t *port) {
    *port = 1;
    return 0;
}

int kernel_port_watch(handle_t, handle_t, u32, u64 key) {
    for (usize i = 0; i < ARRAY_SIZE(watched); i++) {
        u64 nobody = 0;
        if (__atomic_compare_exchange_n(&watched[i], &nobody, key, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
            return 0;
    }
    return -ENOMEM;
}

void kernel_port_unwatch(handle_t, u64 key) {
    for (usize i = 0; i < ARRAY_SIZE(watched); i++) {
        u64 expected = key;
        __atomic_compare_exchange_n(&watched[i], &expected, 0, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST);
    }
}

u32 fake_port_waits;

int kernel_port_wait(handle_t, u64 deadline_ns, u64 *key, u32 *observed) {
    __atomic_fetch_add(&fake_port_waits, 1, __ATOMIC_SEQ_CST);
    struct fake_thread *self = &fake_threads[current_handle];
    while (!__atomic_exchange_n(&self->kick, 0, __ATOMIC_SEQ_CST)) {
        for (usize i = 0; i < ARRAY_SIZE(watched); i++) {
            *key = __atomic_exchange_n(&watched[i], 0, __ATOMIC_SEQ_CST);
            *observed = SIGNAL_READABLE | SIGNAL_WRITABLE;
            if (*key) return 0;
        }
        if (kernel_monotonic_ns() >= deadline_ns) return -ETIMEDOUT;
        usleep(200);
    }
    return -EINTR;
}

// A run of Linux code: the program in rip.
int kernel_enter(struct cl_restricted_state *state, u32 *reason) {
    ((fake_program)state->rip)(current);
    *reason = CL_RESTRICTED_REASON_SYSCALL;
    abort();
}

u64 register_fs_base(void) { return 0; }

u64 register_gs_base(void) { return 0; }

void register_set_fs_base(u64) {}

void register_set_gs_base(u64) {}

usize vector_state_size(void) { return 832; }

u64 vector_features(void) { return 7; }

void vector_save(void *) {}

void vector_load(const void *) {}

void vector_reset(void) {}

u64 processor_features(void) { return 0; }
u32 processor_count(void) { return 2; }

void processor_describe(struct processor_facts *facts) { *facts = (struct processor_facts){}; }

struct thread *thread_current(void) { return current; }

// A block at the end of room for the vector state that fork leaves below it.
enum { BLOCK_BYTES = 4096 };

struct thread *thread_alloc(void) {
    struct thread *thread = aligned_alloc(4096, 2 * BLOCK_BYTES);
    memset(thread, 0, 2 * BLOCK_BYTES);
    thread = (struct thread *)((u8 *)thread + BLOCK_BYTES);
    list_init(&thread->in_process);
    thread->signal_stack.flags = SS_DISABLE;
    return thread;
}

void thread_free(struct thread *thread) { free((u8 *)thread - BLOCK_BYTES); }

void *thread_stack_top(struct thread *thread) { return thread; }

void threads_trim(void) {}

void thread_end(struct thread *thread) {
    thread_free(thread);
    pthread_exit(NULL);
}

void container_exit(struct thread *, i32 wait_status) { exit(wait_status >> 8); }

void container_done(u32, i32, const char *) {}

void container_launched_ended_locked(void) {}

void container_launched_report(u32, i32) {}

void container_others_fewer_locked(void) {}

void container_memory(u64 *total_bytes, u64 *free_bytes) {
    *total_bytes = 64UL << 20;
    *free_bytes = 32UL << 20;
}

struct thread *fake_boot(const void *image, u64 image_size) {
    const char *problem = NULL;
    if (system_prepare() != 0 || system_mount(image, image_size, 1, &problem) != 0) {
        printf("boot: %s\n", problem ? problem : "failed");
        exit(2);
    }
    struct thread *thread = thread_alloc();
    current = thread;
    thread->process = process_alloc(NULL);
    thread->tid = thread->process->pid;
    thread->process->descriptors = descriptors_create();
    thread->process->fs = fs_context_create(system_root());
    thread->process->memory = memory_create();
    thread->process->program = program_create();
    list_insert_tail(&thread->process->threads, &thread->in_process);
    return thread;
}

i64 fake_call(struct thread *thread, u64 number, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) {
    thread->state.rax = number;
    thread->state.rdi = a;
    thread->state.rsi = b;
    thread->state.rdx = c;
    thread->state.r10 = d;
    thread->state.r8 = e;
    thread->state.r9 = f;
    thread->call_number = number;
    return linux_calls[number].run ? linux_calls[number].run(thread) : -ENOSYS;
}

i64 fake_fork(struct thread *thread, fake_program program) {
    thread->state.rip = (u64)program;
    return CALL0(thread, 57);
}
