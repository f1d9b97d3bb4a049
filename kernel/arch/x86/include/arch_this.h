// The x86-64 part of arch/arch.h that must be known at compile time everywhere: the layout of the
// address space, the architecture's part of a thread and of an address space, inline functions.
// Included by arch/arch.h only.
#pragma once

#include "abi/errors.h"
#include "lib/types.h"

enum : u64 {
    ARCH_USER_SPLIT = 0x7f8000000000, // below: restricted; from here: the process's own (slot 255)
    ARCH_USER_END = 0x7ffffffff000,   // the last page is never mapped
    ARCH_DIRECT_BASE = 0xffff800000000000,
    // The last top-level slot: stacks, device registers, image.
    ARCH_KSTACK_BASE = 0xffffff8000000000,
    ARCH_KSTACK_STRIDE = 0x4000, // one guard page, three of stack
    ARCH_KSTACK_PAGES = 3,
    ARCH_MMIO_BASE = 0xffffffc000000000,
    ARCH_IMAGE_BASE = 0xffffffff80000000,
};

enum { MAX_CPUS = 36 }; // a namespace has a node for each, and is on one page (namespace.c)

// First member of struct thread.
struct arch_thread {
    u64 rsp;                // when not running: kernel stack pointer
    u64 stack_top;          // of its kernel stack
    u64 cr3;                // page table to run with (normal or restricted)
    u64 fs_base;            // when not running
    u64 gs_base;            // when not running
    void *vector;           // XSAVE area or nullptr
    struct arch_pmap *pmap; // nullptr: kernel only
    u64 stack_clean_cpus;   // CPUs whose TLB holds nothing old about this stack
    // Restricted mode: the user's state. The personality's context waits on the kernel stack.
    u64 restricted_state;
    u64 normal_cr3;
    u64 restricted_cr3;
    u32 restricted; // is in restricted mode
    u32 armed;      // will enter it when the system call returns
    u32 on_cpu;     // between being switched to and being completely off its stack
};

// An address space's page tables. `lock` of the owner serializes changes.
struct arch_pmap {
    u64 top;                   // physical address of the table for normal mode
    u64 top_restricted;        // without slot 255; 0: a process pmap
    u64 cpus;                  // CPUs that may have entries of it in their TLB (atomic)
    struct arch_pmap *process; // whose slot 255 is in it; of a process pmap: itself
    struct ledger *payer;      // of the tables
};

// This CPU's struct cpu lies at offset 0 of GS. Read again after each call: the thread may have
// moved to another CPU meanwhile.
#define ARCH_CPU ((const __seg_gs struct cpu *)0)

static inline struct cpu *arch_this_cpu(void) { return ARCH_CPU->self; }

static inline u32 arch_cpu_id(void) { return ARCH_CPU->id; }

static inline struct thread *arch_current_thread(void) { return ARCH_CPU->current; }

static inline void arch_interrupts_disable(void) { asm volatile("cli" ::: "memory"); }

static inline bool arch_interrupts_enabled(void) {
    u64 flags;
    asm volatile("pushfq; popq %0" : "=r"(flags)::"memory");
    return flags & (1 << 9);
}

static inline void arch_interrupts_open(void) { asm volatile("sti; nop; cli" ::: "memory"); }

static inline void arch_idle(void) { asm volatile("sti; hlt; cli" ::: "memory"); }

static inline void *arch_direct(u64 paddr) { return (void *)(paddr + ARCH_DIRECT_BASE); }

static inline u64 arch_paddr(const void *pointer) {
    u64 address = (u64)pointer;
    return address >= ARCH_IMAGE_BASE ? address - ARCH_IMAGE_BASE : address - ARCH_DIRECT_BASE;
}

// Instructions that access user memory, for asm goto; if that fails they go on at the label `fault`.
#define USER_ACCESS(instructions)              \
    "stac\n"                                   \
    "1:\t" instructions "\n"                   \
    "2:\tclac\n\t"                             \
    ".pushsection .exception_table, \"a\"\n\t" \
    ".quad 1b, 2b, %l[fault]\n\t"              \
    ".popsection"

// Callers check ranges (generated code does); this is the second lock on the same door. Where the
// access begins is enough: it goes upwards, and the page at the end is never mapped.
status_t user_copy(void *to, const void *from, usize size);
ALWAYS_INLINE status_t user_copy_any(void *to, const void *from, u64 user, usize size) {
    enum { UNROLLED_MAX = 64 };
    if (unlikely(user > ARCH_USER_END)) goto fault;
    if (!__builtin_constant_p(size) || size % 8 != 0 || size > UNROLLED_MAX)
        return user_copy(to, from, size);
    asm goto(USER_ACCESS(".set offset, 0\n\t"
                         ".rept %c[words]\n\t"
                         "movq offset(%[from]), %%rax\n\t"
                         "movq %%rax, offset(%[to])\n\t"
                         ".set offset, offset + 8\n\t"
                         ".endr")
             :
             : [words] "i"(size / 8), [from] "r"(from), [to] "r"(to)
             : "rax", "memory"
             : fault);
    return OK;
fault:
    return ERR_BAD_POINTER;
}

ALWAYS_INLINE status_t arch_copy_from_user(void *to, u64 user, usize size) {
    return user_copy_any(to, (const void *)user, user, size);
}

ALWAYS_INLINE status_t arch_copy_to_user(u64 user, const void *from, usize size) {
    return user_copy_any((void *)user, from, user, size);
}

#define ARCH_PORT(bits, type)                                        \
    static inline type arch_port_read##bits(u16 port) {              \
        type value;                                                  \
        asm volatile("in %1, %0" : "=a"(value) : "Nd"(port));        \
        return value;                                                \
    }                                                                \
    static inline void arch_port_write##bits(u16 port, type value) { \
        asm volatile("out %0, %1" ::"a"(value), "Nd"(port));         \
    }
ARCH_PORT(8, u8)
ARCH_PORT(16, u16)
ARCH_PORT(32, u32)
#undef ARCH_PORT
