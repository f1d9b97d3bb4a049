// Instructions, registers and per-CPU structures of x86-64 (Intel SDM, volumes 2 to 4).
#pragma once

#include "arch/arch.h"
#include "x86.h"

// Model-specific registers.
enum : u32 {
    MSR_EFER = 0xc0000080,
    MSR_STAR = 0xc0000081,
    MSR_LSTAR = 0xc0000082,
    MSR_SFMASK = 0xc0000084,
    MSR_GS_BASE = 0xc0000101,
};

enum : u64 {
    // PG WP NE ET MP PE: paging and write protection, floating point without emulation.
    CR0_VALUE = 0x80010033,
    // SMAP SMEP OSXSAVE FSGSBASE UMIP OSXMMEXCPT OSFXSR PGE MCE PAE.
    CR4_VALUE = 0x350ee0,
    CR4_PAE = 1 << 5,
    // NXE LME SCE: no-execute, long mode, SYSCALL.
    EFER_VALUE = 0x901,
};

// Assembly knows constants and offsets by pybuild/layout.py.
// Selectors: sysret takes user data from STAR + 8 and user code from STAR + 16.
enum {
    SELECTOR_KERNEL_CODE = 0x08,
    SELECTOR_KERNEL_DATA = 0x10,
    SELECTOR_USER_BASE = 0x13,
    SELECTOR_USER_DATA = 0x1b,
    SELECTOR_USER_CODE = 0x23,
    SELECTOR_BOOT_CODE32 = 0x28,
    SELECTOR_TSS = 0x30, // the boot CPU's; the others' follow, 16 bytes each
};

enum : u64 {
    // What a restricted program may have set: CF PF AF ZF SF TF DF OF RF AC ID.
    RFLAGS_USER = 0x250dd5,
    RFLAGS_FIXED = 0x202,
};

// Exceptions; the other vectors are in drivers/apic.h.
enum {
    VECTOR_NMI = 2,
    VECTOR_BREAKPOINT = 3, // int3 and into: also for user mode
    VECTOR_OVERFLOW = 4,
    VECTOR_DOUBLE_FAULT = 8,
    VECTOR_PAGE_FAULT = 14,
    VECTOR_MACHINE_CHECK = 18,
    VECTOR_EXCEPTIONS = 32,
};

// What the entry stubs push, lowest address first (entry.S).
struct arch_trap {
    // In the order of struct cl_restricted_state:
    u64 rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
    u64 vector;
    u64 error_code;
    u64 rip, cs, rflags, rsp, ss;
};

// The top of a kernel stack while its thread is in restricted mode: the system call restricted_enter,
// and what its caller expects to find again.
struct restricted_frame {
    u64 saved[6];
    struct syscall_args args;
    u64 rflags, rip, rsp;
};

static inline bool trap_from_user(const struct arch_trap *trap) { return trap->cs & 3; }

// What lidt loads.
struct table_pointer {
    u16 limit;
    u64 base;
} __attribute__((packed));

struct tss {
    u32 reserved0;
    u64 rsp[3];
    u64 reserved1;
    u64 ist[7];
    u64 reserved2;
    u16 reserved3;
    u16 io_map;
} __attribute__((packed));

// A CPU's own: task state, loaded page table, shoot-down mailbox. The boot CPU's is static,
// the others' come from the boot allocator; none is ever freed.
struct arch_cpu {
    struct cpu cpu; // first
    struct tss tss;
    u64 bit;                // 1 << id
    u64 cr3;                // loaded when it last switched threads
    struct arch_pmap *pmap; // whose it is
    // Requests of other CPUs: a bit for each sender (atomic, shared).
    u64 shoot_senders;
    // This CPU's own request, and the CPUs that have not served it yet (atomic, shared).
    u64 shoot_pending;
    u64 shoot_start;
    u64 shoot_end;
    struct arch_pmap *shoot_leave; // not nullptr: unload this one
};

static inline struct arch_cpu *arch_cpu_self(void) { return (struct arch_cpu *)arch_this_cpu(); }

static inline struct arch_thread *arch_thread_of(struct thread *thread) {
    return (struct arch_thread *)thread;
}

static inline u64 cr3_read(void) {
    u64 value;
    asm volatile("mov %%cr3, %0" : "=r"(value));
    return value;
}

static inline void cr3_write(u64 value) { asm volatile("mov %0, %%cr3" ::"r"(value) : "memory"); }

static inline u64 cr2_read(void) {
    u64 value;
    asm volatile("mov %%cr2, %0" : "=r"(value));
    return value;
}

static inline void tlb_flush_page(u64 address) {
    asm volatile("invlpg (%0)" ::"r"(address) : "memory");
}

// ---- cpu.c
// Halts with a line on the log when the CPU lacks something that the kernel needs.
void cpu_check_features(void);
// Sets up this CPU: control registers, TSS, IDT, system call entry.
void cpu_setup(struct arch_cpu *cpu);
// The per-CPU base: the first thing that a CPU does in C.
void cpu_set_base(struct arch_cpu *cpu);
// Makes a struct arch_cpu and its stacks for one more CPU.
void cpu_add(u32 id);
// For NMI, double fault and machine check: each a stack of its own, above a guard page.
void cpu_add_exception_stacks(struct arch_cpu *cpu);
extern struct arch_cpu *cpu_table[MAX_CPUS]; // by id; its cpu.syscall_stack is where it starts
extern u32 cpu_running;                      // have come up: 0..cpu_running-1

// ---- boot_memory.c: the memory map and the allocator of boot
void boot_memory_init(u64 start_info_paddr);
u64 boot_page_alloc(void); // zeroed; panics when there is none
extern u64 boot_rsdp;      // where the ACPI tables begin; 0: not told
// True if the kernel command line has this text.
bool boot_option(const char *text);
// Calls back for the 2 MiB-aligned regions with any RAM or ACPI table in them; they may overlap.
void boot_memory_regions(void (*region)(u64 paddr, u64 size));

// ---- mmu.c: the kernel's half of the address space
void mmu_init(void);
extern u64 mmu_kernel_top; // physical address of the kernel's top-level table
// Copies the kernel's slots into a new top-level table.
void mmu_copy_kernel_slots(u64 *top);
void mmu_clear_kernel_slots(u64 *top);
// A page of zeros for a table, paid by `payer` (nullptr, at boot: nobody); 0: it can't be paid.
SLOW_PATH u64 mmu_table_alloc(struct ledger *payer);

// ---- shootdown.c
// Has `cpus` (this one may be among them) forget [start, end), and waits for all.
void shootdown_range(u64 cpus, u64 start, u64 end);
// Has all CPUs that have `pmap` loaded load the kernel's own instead, and waits.
void shootdown_leave(struct arch_pmap *pmap);
void shootdown_serve(void);

// ---- thread.c
// Loads page tables on this CPU and keeps the pmaps' lists of CPUs.
void pmap_load(struct arch_cpu *cpu, struct arch_pmap *pmap, u64 cr3);
extern struct arch_pmap kernel_pmap; // no address space; its table is mmu_kernel_top

// ---- smp.c: what a CPU but the first does, on its idle stack
NORETURN void smp_cpu_main(struct arch_cpu *cpu);

// ---- panic.c
NORETURN void panic_trap(struct arch_trap *trap);
// In the NMI of a CPU that shall stop.
NORETURN void panic_stop_here(void);

// Before each return to user mode: scheduling, kills. In trap.c.
void syscall_return_work(void);

// ---- restricted.c
// Leaves restricted mode from a trap: restricted_enter returns to the personality.
NORETURN void restricted_leave(const struct arch_trap *trap, u64 reason, u64 address,
                               u64 error_code);

// ---- entry.S
extern u8 entry_stubs[]; // 256 stubs of 16 bytes
void syscall_entry(void);
void thread_start(void);
NORETURN void restricted_return(void);
