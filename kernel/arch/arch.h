// What an architecture gives the kernel, and the few functions that it calls back.
//
// Rules:
// - arch/x86/ implements all of it, arch/host/ what the objects need in a Unix process. Both
//   provide arch_this.h (found by -Ikernel/arch/x86/include or -Ikernel/arch/host/include) with
//   struct arch_thread, struct arch_pmap, MAX_CPUS, the layout constants, and the inline functions
//   marked "inline" below.
// - The kernel runs with interrupts off, but for arch_interrupts_open() and user mode.
// - Physical addresses are u64 `paddr`; user addresses are u64, never pointers.
// - Page-table and stack pages are on the account of the ledger that is given.
#pragma once

#include "lib/list.h"
#include "lib/lock.h"
#include "lib/types.h"

struct thread;
struct lock;

// ---- CPUs -------------------------------------------------------------------------------------

// Bits of cpu->work, looked at before each return to user mode.
enum : u32 {
    CPU_WORK_RESCHED = 1 << 0,    // call sched_return_work()
    CPU_WORK_RESTRICTED = 1 << 1, // the current thread has called arch_restricted_arm()
    CPU_WORK_RELIEF = 1 << 2,     // with RESCHED: memory is low
};

// A recall of credit holds a lock for each level of namespaces.
enum { CPU_HELD_LOCKS = 40 };

// One per CPU; found through GS. Only its own CPU writes it, but for what is marked shared.
struct cpu {
    struct cpu *self;
    struct thread *current; // set by arch_context_switch and arch_thread_init_idle
    u32 id;                 // 0..arch_cpu_count()-1
    u32 work;               // CPU_WORK_* bits
    u64 syscall_stack;      // top of the current thread's kernel stack (arch/ only)
    u64 syscall_scratch;    // (arch/ only)
    u32 restricted;         // 1 while a restricted context runs; only arch/ changes it
    u32 held_count;         // debug builds only
    const struct lock *held[CPU_HELD_LOCKS]; // debug builds only
    u64 lock_wait_ns;                        // time lost spinning
};

// Inline: struct cpu *arch_this_cpu(void), u32 arch_cpu_id(void),
//         struct thread *arch_current_thread(void)
u32 arch_cpu_count(void);
struct cpu *arch_cpu(u32 id);

// Starts the other CPUs; each calls cpu_start() on a stack of its own (an arch_thread-less boot
// stack, which becomes that of its idle thread). Returns when all have come up or timed out.
void arch_smp_start(void);

// Inline: void arch_interrupts_disable(void)
// Inline: bool arch_interrupts_enabled(void)
// Inline: void arch_interrupts_open(void): lets pending interrupts in, then closes again.
// Inline: void arch_idle(void): atomically enables interrupts and halts; returns with interrupts
//         off after one came. Check for work with interrupts off before.

// Serves incoming TLB shoot-downs; to be called in every loop that waits with interrupts off.
void arch_spin_poll(void);

// Sets CPU_WORK_RESCHED on that CPU and interrupts it (also out of arch_idle()). Any context.
void arch_ipi_resched(u32 cpu_id);

// ---- Time -------------------------------------------------------------------------------------

// Nanoseconds since boot, the same on every CPU, never going back.
u64 arch_time_ns(void);
// The numbers behind it: (tsc - base) * ns_per_tsc >> 32; 0: it is not made like that.
void arch_time_scale(u64 *tsc_base, u64 *ns_per_tsc);
// Wall-clock at time 0 of arch_time_ns(), in seconds since 1970 (from the CMOS clock).
u64 arch_boot_wall_s(void);
// This CPU's timer: timer_interrupt() is called at or after `deadline_ns` (arch_time_ns scale).
// Replaces the deadline before; ARCH_TIMER_OFF for none.
enum : u64 { ARCH_TIMER_OFF = ~0ul };
void arch_timer_set_ns(u64 deadline_ns);
// The same, unless one that is sooner is set: the end of a slice, say.
void arch_timer_sooner_ns(u64 deadline_ns);
// Random bits from the CPU (RDRAND when there, else time-stamp jitter). Not for keys.
u64 arch_entropy(void);

// ---- Machine ----------------------------------------------------------------------------------

struct arch_range {
    u64 paddr;
    u64 size;
};

// Calls back for each range of free RAM (whole pages, not the kernel, the bundle or the tables
// made at boot). To be called once; from then on the boot allocator is closed.
void arch_boot_memory(void (*add)(u64 paddr, u64 size));
// All RAM, free or not: the highest address + 1 (for the size of the page array).
u64 arch_memory_end(void);
// The boot bundle, in the direct map; nullptr and size 0 without one.
void *arch_boot_bundle(u64 *size);
// The kernel command line, zero-ended.
const char *arch_command_line(void);

enum arch_poweroff_kind { ARCH_POWEROFF, ARCH_REBOOT };
NORETURN void arch_poweroff(enum arch_poweroff_kind kind);

// Inline: void *arch_direct(u64 paddr): RAM in the direct map. u64 arch_paddr(const void *):
// of a direct-map or kernel-image address.

// ---- Threads ----------------------------------------------------------------------------------

struct ledger;
// A kernel stack: 3 pages under a guard page. Returns its top address, or 0 (NO_RESOURCES).
// The page tables of the stack area itself are paid by `tables` and never given back.
u64 arch_kstack_alloc(struct ledger *payer, struct ledger *tables);
// The stack's thread must not run on it any more, on any CPU. No shoot-down is needed.
void arch_kstack_free(u64 stack_top);

// Size and alignment (64) of a vector state area, and its initial content.
usize arch_vector_size(void);
void arch_vector_init(void *area);

// `thread` starts with struct arch_thread. The first switch to it calls entry(argument) with
// interrupts off on `stack_top`; entry must not return. `vector` may be nullptr for threads that
// never run in user mode.
void arch_thread_init(struct thread *thread, u64 stack_top, void *vector,
                      void (*entry)(void *argument), void *argument);
// Makes the running boot context the thread `idle` of this CPU.
void arch_thread_init_idle(struct thread *idle);
// Which address space the thread runs in: `pmap` of its process, or the restricted pmap bound to
// it. If it is the current thread, takes effect at once. Before: whatever is loaded.
struct arch_pmap;
void arch_thread_set_pmap(struct thread *thread, struct arch_pmap *pmap);
// Switches stacks, vector state, FS/GS bases and page tables. Called and returning with
// interrupts off, no locks held but those that the scheduler hands over.
CHANGES_ALL void arch_context_switch(struct thread *prev, struct thread *next);
// True until `thread`, after it was switched away from, is completely off its stack.
bool arch_thread_on_cpu(const struct thread *thread);

// First entry to user mode of the current thread; registers but these are zero.
struct arch_user_start {
    u64 ip;
    u64 sp;
    u64 arg[5]; // rdi, rsi, rdx, rcx, r8
};
NORETURN void arch_user_enter(const struct arch_user_start *start);

// ---- System calls -----------------------------------------------------------------------------

// On the kernel stack of the calling thread. The arch layer fills arg and number, zeroes the
// rest, and gives status and out back in rax, rdx, r8, r9.
struct syscall_args {
    u64 arg[6];
    u64 number;
    i64 status;
    u64 out[3];
};
typedef void (*syscall_entry_t)(struct syscall_args *args);

// Generated: build/gen/kernel/dispatch.c. Numbers are 0..syscall_count-1.
extern const syscall_entry_t syscall_table[];
extern const u64 syscall_count;
// Called for numbers out of range.
void syscall_unknown(struct syscall_args *args);

// ---- Restricted mode --------------------------------------------------------------------------

// For the system call restricted_enter: the current thread, bound to a restricted pmap, enters
// restricted mode with the state at `state_address` (checked user range, 8-aligned) when the
// running system call returns. The system call's status and out[0] then come from the exit:
// 0 and the reason (restricted_reason); BAD_POINTER when the state can't be read or written,
// OUT_OF_RANGE when its rip is not below the split. A kick that waits ends it before the first
// instruction.
status_t arch_restricted_arm(u64 state_address);

// ---- Page tables ------------------------------------------------------------------------------

enum : u32 {
    ARCH_MAP_READ = 1 << 0,
    ARCH_MAP_WRITE = 1 << 1,
    ARCH_MAP_EXECUTE = 1 << 2,
    ARCH_MAP_UNCACHED = 1 << 3,
};

// Process pmap: slot 255. Restricted pmap (`process` is not nullptr): slots 0-254, and a second
// top-level table that shares the process's slot 255. `payer` pays for the tables.
// The caller's lock serializes all calls on one pmap but activate. NO_RESOURCES.
status_t arch_pmap_init(struct arch_pmap *pmap, struct arch_pmap *process, struct ledger *payer);
// Frees the tables. All leaf pages must have been unmapped (or their owner known otherwise);
// CPUs that still have it loaded are moved to the kernel's table first. Long: no locks may be
// held, others may run meanwhile.
void arch_pmap_destroy(struct arch_pmap *pmap);

// Maps one page at `va` where nothing, or the same page with fewer rights, was mapped (replacing
// a different page needs an unmap). Without rights the page is entered, but inaccessible.
// NO_RESOURCES.
status_t arch_pmap_map(struct arch_pmap *pmap, u64 va, u64 paddr, u32 map_flags);
// Makes the tables for [va, va + count pages) so that mapping there can't fail. NO_RESOURCES.
status_t arch_pmap_reserve(struct arch_pmap *pmap, u64 va, u64 count);
// True if a page is entered; then *paddr and *map_flags (0: inaccessible).
bool arch_pmap_query(struct arch_pmap *pmap, u64 va, u64 *paddr, u32 *map_flags);

// What was unmapped and may still be in a TLB. Initialize with arch_gather_init; pages collected
// here may be freed only after arch_gather_flush(), which waits for all CPUs concerned.
enum { ARCH_GATHER_PAGES = 64 };
struct arch_gather {
    struct arch_pmap *pmap;
    u64 start;
    u64 end;
    u32 count;
    u32 walked; // how much has been looked through, for nothing perhaps
    u64 paddr[ARCH_GATHER_PAGES];
    u64 va[ARCH_GATHER_PAGES];
};
static inline void arch_gather_init(struct arch_gather *gather, struct arch_pmap *pmap) {
    gather->pmap = pmap;
    gather->start = ~0ul;
    gather->end = 0;
    gather->count = 0;
    gather->walked = 0;
}
// The first address of [va, end) where a page is entered, or `end`. Holes cost nothing per page.
u64 arch_pmap_next(struct arch_pmap *pmap, u64 va, u64 end);
// Maps those of `count` pages from `va` on, all in one aligned window of 64 pages, that are not
// nullptr, where nothing is entered. Their references go to the entries, and nullptr to pages[i].
// NO_RESOURCES.
struct page;
status_t arch_pmap_map_window(struct arch_pmap *pmap, u64 va, u32 count, struct page **pages,
                              u32 map_flags);
// Enters pages of one pmap at the same addresses of another where nothing is entered: the same
// pages, each with a reference more, in neither writable; or with a payer copies of them, with
// `map_flags`. The locks of both owners are held.
struct arch_pmap_copy {
    struct arch_pmap *from, *to;
    struct arch_gather *gather; // of `from`; nullptr: `from` stays as it is
    struct ledger *payer;       // of copies
    u32 map_flags;              // of copies
    u64 limit;                  // stop after so many pages
    u64 count;                  // out: pages entered
    u64 walked;                 // out: as struct arch_gather's; enough is when that is
};
// From *va on towards `end`; *va is how far it came. NO_RESOURCES: no page for a table or a copy.
status_t arch_pmap_copy(struct arch_pmap_copy *copy, u64 *va, u64 end);
// Unmaps entered pages of [va, end) into the gather until that is full, or has seen enough tables
// (of the size of 64 full ones; one page is always done). Returns the address where to go on: `end`
// when done. Holes cost nothing per page.
u64 arch_pmap_unmap(struct arch_pmap *pmap, u64 va, u64 end, struct arch_gather *gather);
// Takes rights away from entered pages of [va, end) (never gives any: let it fault); the pages
// stay entered, even without any right. The caller flushes the gather afterwards; no pages are
// collected.
void arch_pmap_protect(struct arch_pmap *pmap, u64 va, u64 end, u32 map_flags,
                       struct arch_gather *gather);
// Shoots down what the gather spans, waits for the acknowledgements (serving others meanwhile),
// and leaves start/end empty; count and pages stay for the caller, who sets count to 0. May be
// called with locks held.
void arch_gather_flush(struct arch_gather *gather);

// ---- User memory ------------------------------------------------------------------------------

// [user, user + size) must lie in [0, ARCH_USER_END) — the caller's (generated) check. No locks
// held; may fault pages in and so block. 0 or BAD_POINTER; on error, part may have been copied.
// Inline: status_t arch_copy_from_user(void *to, u64 user, usize size)
//         status_t arch_copy_to_user(u64 user, const void *from, usize size)
// One aligned 32-bit word: reads it; finds out whether it can be written, without changing it.
status_t arch_user_load_u32(u64 user, u32 *value);
status_t arch_user_probe_write(u64 user);

// ---- Devices ----------------------------------------------------------------------------------

// Maps device registers uncached, read-write, for ever; nullptr when the area is full.
void *arch_mmio_map(u64 paddr, u64 size);
typedef void (*arch_irq_handler)(void *argument);
// A message-signalled interrupt: what to write into the device's MSI-X entry. Handlers run with
// interrupts off. NO_RESOURCES when vectors have run out.
status_t arch_irq_alloc_msi(arch_irq_handler handler, void *argument, u64 *address, u32 *data);
// An ISA interrupt (0..15) through the I/O APIC.
status_t arch_irq_alloc_isa(u32 irq, arch_irq_handler handler, void *argument);
// Inline: u8 arch_port_read8(u16 port), void arch_port_write8(u16 port, u8 value), and 16, 32.

// ---- Debugging --------------------------------------------------------------------------------

// Is this kernel address mapped? For whom must not fault: the panic report, firmware tables.
bool arch_kernel_mapped(u64 va);
// The build id of the kernel's ELF as hexadecimal text, zero-ended; at most size-1 characters.
void arch_build_id(char *text, usize size);

// ---- Called by the architecture, implemented above it -------------------------------------------

[[gnu::used]] NORETURN void kmain(void); // kernel/init.c, on the boot CPU
NORETURN void cpu_start(void);           // on each other CPU
// Page fault at a user address, from user mode or from user copy; `access` is ARCH_MAP_READ, WRITE
// or EXECUTE. Interrupts off; may block. 0: resolved, retry. NO_RESOURCES: can't be paid. IO_ERROR: the page could not be read. Else:
// not resolvable.
status_t fault_handle(u64 address, u32 access);
// An exception in (not restricted) user mode, or a fault there that fault_handle refused with
// `status`. Returns the ip where the thread goes on, or ends it.
u64 thread_exception(u64 ip, u64 sp, u32 vector, u64 address, u64 error_code);
// On a thread's stack, after each switch to it: clears prev's on_cpu. First thing before its entry.
[[gnu::used]] void thread_switched(struct thread *prev);
void timer_interrupt(void);   // this CPU's deadline has passed; interrupts off, any context
void sched_return_work(void); // before a return to user mode when CPU_WORK_RESCHED is set: clears
                              // it, may switch, may end the thread
// Adds lines to the panic report: current thread, process, namespace, last trace events. Must
// take no lock and trust no pointer more than needed.
void panic_describe(void);

#include "arch_this.h"
