// User memory: accesses go through a small TLB for each CPU, under that TLB's mutex, so that a
// shoot-down waits for accesses under way. An entry that was not flushed goes on leading to its
// old page, which debug builds have filled with rubbish by then.
#include "abi/errors.h"
#include "host.h"
#include "os.h"
#include "sched/thread.h"
#include "tlb.h"

enum { TLB_ENTRIES = 64 };

static struct tlb {
    struct host_mutex *mutex;
    struct tlb_entry {
        struct arch_pmap *pmap; // nullptr: empty
        u64 va, paddr;
        u32 flags;
    } entries[TLB_ENTRIES];
} tlbs[MAX_CPUS];

void tlb_init(void) {
    for (u32 i = 0; i < MAX_CPUS; i++)
        tlbs[i].mutex = host_mutex_create();
}

static void tlb_forget(struct tlb *tlb, const struct arch_pmap *pmap, u64 start, u64 end) {
    host_mutex_lock(tlb->mutex);
    for (u32 i = 0; i < TLB_ENTRIES; i++) {
        struct tlb_entry *entry = &tlb->entries[i];
        if (entry->pmap == pmap && entry->va >= start && entry->va < end) entry->pmap = nullptr;
    }
    host_mutex_unlock(tlb->mutex);
}

void tlb_flush_own(const struct arch_pmap *pmap, u64 va) {
    tlb_forget(&tlbs[arch_cpu_id()], pmap, va, va + PAGE_SIZE);
}

void tlb_leave(const struct arch_pmap *pmap) {
    for (u32 i = 0; i < arch_cpu_count(); i++)
        tlb_forget(&tlbs[i], pmap, 0, ~0ul);
}

void arch_gather_flush(struct arch_gather *gather) {
    if (gather->start >= gather->end) return;
    for (u32 i = 0; i < arch_cpu_count(); i++)
        tlb_forget(&tlbs[i], gather->pmap, gather->start, gather->end);
    gather->start = ~0ul;
    gather->end = 0;
}

static bool entry_is_right(const struct tlb_entry *entry) {
    u64 paddr;
    u32 flags;
    return arch_pmap_query(entry->pmap, entry->va, &paddr, &flags) && paddr == entry->paddr &&
           !(entry->flags & ~flags);
}

bool tlb_is_right(struct arch_pmap *pmap) {
    bool is_right = true;
    for (u32 cpu = 0; cpu < arch_cpu_count(); cpu++)
        for (u32 i = 0; i < TLB_ENTRIES; i++) {
            const struct tlb_entry *entry = &tlbs[cpu].entries[i];
            is_right &= entry->pmap != pmap || entry_is_right(entry);
        }
    return is_right;
}

// The entry for `va` with these rights, loaded if needed; nullptr: a fault.
static struct tlb_entry *tlb_entry(struct tlb *tlb, struct arch_pmap *pmap, u64 va, u32 need) {
    u64 page = align_down(va, PAGE_SIZE);
    struct tlb_entry *entry = &tlb->entries[(va >> PAGE_SHIFT) % TLB_ENTRIES];
    if (entry->pmap == pmap && entry->va == page && entry->flags & need) return entry;
    u64 paddr;
    u32 flags;
    if (!arch_pmap_query(pmap, page, &paddr, &flags) || !(flags & need)) return nullptr;
    *entry = (struct tlb_entry){pmap, page, paddr, flags};
    return entry;
}

// What user code does to its own memory at the same time is its affair: no sanitizer looks at it.
__attribute__((no_sanitize("thread"))) static void bytes_copy(volatile u8 *to,
                                                              const volatile u8 *from, usize size) {
    for (usize i = 0; i < size; i++)
        to[i] = from[i];
}

bool host_user_access(struct arch_pmap *pmap, u64 va, u32 need, void *bytes, usize size) {
    if (va >= ARCH_USER_SPLIT && pmap->process) pmap = pmap->process;
    struct tlb *tlb = &tlbs[arch_cpu_id()];
    host_mutex_lock(tlb->mutex);
    const struct tlb_entry *entry = tlb_entry(tlb, pmap, va, need);
    if (entry) {
        u8 *there = (u8 *)arch_direct(entry->paddr) + (va & PAGE_MASK);
        bool is_write = need & ARCH_MAP_WRITE;
        bytes_copy(is_write ? there : bytes, is_write ? bytes : there, size);
    }
    host_mutex_unlock(tlb->mutex);
    return entry != nullptr;
}

// By the current thread, with faults resolved as on the way of a system call.
static status_t user_access(u64 va, u32 need, void *bytes, usize size) {
    struct arch_pmap *pmap = arch_current_thread()->arch.pmap;
    while (!pmap || !host_user_access(pmap, va, need, bytes, size)) {
        if (!pmap || fault_handle(va, need) != OK) return ERR_BAD_POINTER;
    }
    return OK;
}

static status_t copy(u64 user, u8 *bytes, usize size, u32 need) {
    status_t status = OK;
    if (user > ARCH_USER_END || size > ARCH_USER_END - user) return ERR_BAD_POINTER;
    while (size > 0 && status == OK) {
        usize part = min(size, PAGE_SIZE - (user & PAGE_MASK));
        status = user_access(user, need, bytes, part);
        user += part;
        bytes += part;
        size -= part;
    }
    return status;
}

status_t arch_copy_from_user(void *to, u64 user, usize size) {
    return copy(user, to, size, ARCH_MAP_READ);
}

status_t arch_copy_to_user(u64 user, const void *from, usize size) {
    return copy(user, (u8 *)from, size, ARCH_MAP_WRITE);
}

status_t arch_user_load_u32(u64 user, u32 *value) {
    return user % sizeof(u32) ? ERR_BAD_POINTER
                              : copy(user, (u8 *)value, sizeof(*value), ARCH_MAP_READ);
}

// Not atomic towards other users: tests have one writer for each word.
status_t arch_user_probe_write(u64 user) {
    u32 value;
    status_t status = arch_user_load_u32(user, &value);
    return status == OK ? arch_copy_to_user(user, &value, sizeof(value)) : status;
}
