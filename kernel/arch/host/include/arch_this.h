// The part of arch/arch.h that must be known at compile time everywhere, for a Unix process: see
// README.md. Included by arch/arch.h only.
#pragma once

#include "lib/types.h"

enum : u64 {
    ARCH_USER_SPLIT = 0x7f8000000000,
    ARCH_USER_END = 0x7ffffffff000,
};

enum { MAX_CPUS = 8 };

struct host_thread;

// First member of struct thread.
struct arch_thread {
    struct host_thread *host; // made when it is first switched to
    void (*entry)(void *argument);
    void *argument;
    u64 stack_top;
    struct arch_pmap *pmap; // nullptr: kernel only
    u32 on_cpu;             // atomic
};

// A sorted array: from a page-aligned address to a frame.
struct host_map {
    struct host_map_entry {
        u64 va;
        u64 paddr;
        u32 flags;
    } *entries;
    u64 count, capacity;
};

struct arch_pmap {
    struct host_map pages;
    struct host_map tables; // one page of the payer's for each 2 MiB in use, as page tables are
    struct arch_pmap *process;
    struct ledger *payer;
    struct host_mutex *mutex; // "hardware" looks while the owner changes
};

extern _Thread_local struct cpu *host_cpu; // of the running thread
extern u8 host_ram[];

static inline struct cpu *arch_this_cpu(void) { return host_cpu; }

static inline u32 arch_cpu_id(void) { return host_cpu->id; }

static inline struct thread *arch_current_thread(void) { return host_cpu->current; }

// Interrupts come only where they are let in: in these two.
void arch_interrupts_open(void);
void arch_idle(void);

static inline void arch_interrupts_disable(void) {}

static inline bool arch_interrupts_enabled(void) { return false; }

status_t arch_copy_from_user(void *to, u64 user, usize size);
status_t arch_copy_to_user(u64 user, const void *from, usize size);

static inline void *arch_direct(u64 paddr) { return host_ram + paddr; }

static inline u64 arch_paddr(const void *pointer) { return (u64)((const u8 *)pointer - host_ram); }
