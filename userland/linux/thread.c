// Thread blocks and stacks. A stack is the upper half of an aligned slot of address space; the
// lower half is never mapped, so that running over the end faults. The block is at the very top, so
// that a shallow thread touches one page. Slots are used again; a free one keeps its mapping, and
// some keep their pages too.
#include "linux/thread.h"

#include "lib/heap.h"
#include "lib/mutex.h"
#include "lib/string.h"
#include "linux/kernel_if.h"
#include "linux/process.h"

enum { SLOTS_MAX = 1024, SLOTS_NEAR = 16, SLOTS_KEPT = 8 };

// The first slots lie beside the program's own data, so that they share a page table.
static u8 *const near_slots = (u8 *)0x7f8000480000;
static u8 *const other_slots = (u8 *)0x7fb000000000;

static struct {
    struct mutex lock;
    u32 mapped GUARDED_BY(&lock); // slots [0, mapped) have a stack
    u64 used[SLOTS_MAX / 64] GUARDED_BY(&lock);
    u64 kept[SLOTS_MAX / 64] GUARDED_BY(&lock); // free ones that still have their pages
    u32 kept_count GUARDED_BY(&lock);
} slots;

static u64 slot_end(u32 slot) {
    u8 *start = slot < SLOTS_NEAR ? near_slots + (usize)slot * THREAD_STRIDE_BYTES
                                  : other_slots + (usize)slot * THREAD_STRIDE_BYTES;
    return (u64)start + THREAD_STRIDE_BYTES;
}

static struct thread *thread_at_end(u64 end) {
    return (struct thread *)((end - sizeof(struct thread)) & ~63UL);
}

static struct thread *slot_thread(u32 slot) { return thread_at_end(slot_end(slot)); }

static u32 thread_slot(const struct thread *thread) {
    u64 address = (u64)thread;
    u64 base = address < (u64)other_slots ? (u64)near_slots : (u64)other_slots;
    return (u32)((address - base) / THREAD_STRIDE_BYTES);
}

struct thread *thread_current(void) {
    u64 stack = (u64)__builtin_frame_address(0);
    return thread_at_end((stack | (THREAD_STRIDE_BYTES - 1)) + 1);
}

// A slot may be free in the table while its last thread is still on its way out: stack_in_use says.
static bool slot_is_free_locked(u32 slot) REQUIRES(&slots.lock) {
    return !(slots.used[slot / 64] >> (slot % 64) & 1) &&
           (slot >= slots.mapped ||
            __atomic_load_n(&slot_thread(slot)->stack_in_use, __ATOMIC_ACQUIRE) == 0);
}

// The pages that a thread will surely use are paid before it starts: a later fault could not be
// refused.
static bool stack_pay(u32 slot) {
    enum { STACK_PAGES_PAID = 2 };
    u8 *end = (u8 *)slot_end(slot);
    for (u32 i = 1; i <= STACK_PAGES_PAID; i++) {
        if (page_touch(end - (usize)i * PAGE_SIZE) != 0) return false;
    }
    return true;
}

static struct thread *slot_take_locked(u32 slot) REQUIRES(&slots.lock) {
    u64 unused;
    if (slot >= slots.mapped) {
        u64 stack = slot_end(slot) - THREAD_STACK_BYTES;
        if (kernel_map(0, 0, 0, stack, THREAD_STACK_BYTES,
                       CL_MAP_READ | CL_MAP_WRITE | CL_MAP_FIXED, &unused) != 0) {
            return NULL;
        }
        slots.mapped = slot + 1;
    }
    if (!stack_pay(slot)) return NULL;
    slots.used[slot / 64] |= 1UL << (slot % 64);
    if (slots.kept[slot / 64] >> (slot % 64) & 1) {
        slots.kept[slot / 64] &= ~(1UL << (slot % 64));
        slots.kept_count--;
    }
    return slot_thread(slot);
}

struct thread *thread_alloc(void) {
    struct thread *thread = NULL;
    u32 slot = 0;
    mutex_lock(&slots.lock);
    while (slot < SLOTS_MAX && !slot_is_free_locked(slot)) {
        slot++;
    }
    if (slot < SLOTS_MAX) {
        thread = slot_take_locked(slot);
    }
    mutex_unlock(&slots.lock);
    if (thread) {
        memset(thread, 0, sizeof(*thread));
        list_init(&thread->in_process);
        thread->stack_in_use = 1;
        thread->signal_stack.flags = SS_DISABLE;
    }
    return thread;
}

static void slot_release(u32 slot) {
    mutex_lock(&slots.lock);
    slots.used[slot / 64] &= ~(1UL << (slot % 64));
    slots.kept[slot / 64] |= 1UL << (slot % 64);
    slots.kept_count++;
    mutex_unlock(&slots.lock);
}

void thread_free(struct thread *thread) {
    thread->stack_in_use = 0;
    slot_release(thread_slot(thread));
}

void *thread_stack_top(struct thread *thread) { return thread; }

void thread_end(struct thread *thread) {
    kernel_aspace_bind(0);
    if (thread->handle) {
        kernel_close(thread->handle);
    }
    slot_release(thread_slot(thread));
    kernel_thread_exit(&thread->stack_in_use);
}

void threads_trim(void) {
    mutex_lock(&slots.lock);
    for (u32 slot = slots.mapped; slot > 0 && slots.kept_count > SLOTS_KEPT; slot--) {
        u32 at = slot - 1;
        bool is_kept = slots.kept[at / 64] >> (at % 64) & 1;
        if (is_kept && slot_is_free_locked(at)) {
            kernel_discard(0, slot_end(at) - THREAD_STACK_BYTES, THREAD_STACK_BYTES);
            slots.kept[at / 64] &= ~(1UL << (at % 64));
            slots.kept_count--;
        }
    }
    mutex_unlock(&slots.lock);
}
