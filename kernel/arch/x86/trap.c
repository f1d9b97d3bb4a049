// Interrupts and exceptions, after entry.S has saved the registers: who is to hear of them.
#include "abi/errors.h"
#include "abi/types.h"
#include "cpu.h"
#include "drivers/apic.h"
#include "drivers/clock.h"
#include "lib/print.h"
#include "sched/thread.h"

// A page fault's error code; what a personality is told of it also has bits 0 (protection) and 2.
enum : u64 { FAULT_WRITE = 1 << 1, FAULT_FETCH = 1 << 4, FAULT_TOLD = 0x17 };
enum : u64 { RFLAGS_AC = 1 << 18 };

struct exception_range {
    u64 begin;
    u64 end;
    u64 fixup;
};
extern const struct exception_range exception_table_begin[], exception_table_end[];

// Before each return to user mode with something to do.
void syscall_return_work(void) {
    while (unlikely(__atomic_load_n(&arch_this_cpu()->work, __ATOMIC_RELAXED) & CPU_WORK_RESCHED))
        sched_return_work();
}

// The user's registers are in `trap`; a kick ends a restricted run before it goes on.
static void return_work(struct arch_trap *trap) {
    syscall_return_work();
    struct thread *t = arch_current_thread();
    if (unlikely(t->arch.restricted && t->kick)) {
        t->kick = 0;
        restricted_leave(trap, CL_RESTRICTED_REASON_KICKED, 0, 0);
    }
}

static void interrupt(u32 vector) {
    if (vector == VECTOR_SPURIOUS) return;
    apic_eoi();
    if (vector == VECTOR_TIMER)
        clock_interrupt();
    else if (vector == VECTOR_RESCHED)
        arch_this_cpu()->work |= CPU_WORK_RESCHED;
    else if (vector == VECTOR_SHOOTDOWN)
        shootdown_serve();
    else
        apic_irq(vector);
}

static u32 fault_access(const struct arch_trap *trap) {
    if (trap->error_code & FAULT_WRITE) return ARCH_MAP_WRITE;
    return trap->error_code & FAULT_FETCH ? ARCH_MAP_EXECUTE : ARCH_MAP_READ;
}

static void user_exception(struct arch_trap *trap, u64 vector, u64 address) {
    trap->rip = thread_exception(trap->rip, trap->rsp, (u32)vector, address, trap->error_code);
}

static void user_page_fault(struct arch_trap *trap) {
    u64 address = cr2_read();
    status_t status =
        address < ARCH_USER_END ? fault_handle(address, fault_access(trap)) : ERR_BAD_POINTER;
    u64 reason = status == ERR_NO_RESOURCES ? CL_RESTRICTED_REASON_NO_RESOURCES
                                            : CL_RESTRICTED_REASON_PAGE_FAULT;
    if (status == 0) return;
    if (arch_this_cpu()->restricted)
        restricted_leave(trap, reason, address, trap->error_code & FAULT_TOLD);
    else
        user_exception(trap, status == ERR_NO_RESOURCES ? CL_CRASH_NO_MEMORY : trap->vector,
                       address);
}

void trap_user(struct arch_trap *trap) {
    u32 vector = (u32)trap->vector;
    if (vector >= VECTOR_EXCEPTIONS)
        interrupt(vector);
    else if (vector == VECTOR_PAGE_FAULT)
        user_page_fault(trap);
    else if (arch_this_cpu()->restricted)
        restricted_leave(trap, CL_RESTRICTED_REASON_EXCEPTION, 0,
                         (u64)vector << 32 | trap->error_code);
    else
        user_exception(trap, vector, 0);
    return_work(trap);
}

static u64 exception_fixup(u64 rip) {
    for (const struct exception_range *r = exception_table_begin; r < exception_table_end; r++) {
        if (rip >= r->begin && rip < r->end) return r->fixup;
    }
    return 0;
}

void trap_kernel(struct arch_trap *trap) {
    u32 vector = (u32)trap->vector;
    if (vector >= VECTOR_EXCEPTIONS) {
        interrupt(vector);
        return;
    }
    u64 address = cr2_read();
    u64 fixup = exception_fixup(trap->rip);
    if (vector != VECTOR_PAGE_FAULT || fixup == 0 || address >= ARCH_DIRECT_BASE) panic_trap(trap);
    if (address < ARCH_USER_END && fault_handle(address, fault_access(trap)) == OK) return;
    trap->rip = fixup;
    trap->rflags &= ~(u64)RFLAGS_AC; // the access is over
}

// NMI, double fault, machine check: on a stack of their own. An NMI is either another CPU's panic
// or somebody who wants to know where this machine hangs.
NORETURN void trap_paranoid(struct arch_trap *trap) {
    if (trap->vector == VECTOR_NMI && panic_running()) panic_stop_here();
    panic_trap(trap);
}
