// Interrupts and exceptions, after entry.S has saved the registers: who is to hear of them.
#include "abi/errors.h"
#include "abi/types.h"
#include "cpu.h"
#include "drivers/apic.h"
#include "drivers/clock.h"
#include "lib/print.h"

struct exception_range {
    u64 begin;
    u64 end;
    u64 fixup;
};
extern const struct exception_range exception_table_begin[], exception_table_end[];

u64 arch_trap_ip(const struct arch_trap *trap) { return trap->rip; }

void arch_trap_set_ip(struct arch_trap *trap, u64 ip) { trap->rip = ip; }

u64 arch_trap_sp(const struct arch_trap *trap) { return trap->rsp; }

// Before each return to user mode with something to do.
void syscall_return_work(void) {
    while (unlikely(__atomic_load_n(&arch_this_cpu()->work, __ATOMIC_RELAXED) & CPU_WORK_RESCHED))
        sched_return_work();
}

// The user's registers are in `trap`; a kick ends a restricted run before it goes on.
static void return_work(struct arch_trap *trap) {
    syscall_return_work();
    struct arch_thread *t = arch_thread_of(arch_current_thread());
    if (unlikely(t->restricted && t->kick)) {
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

static u32 fault_flags(const struct arch_trap *trap) {
    return (u32)trap->error_code &
           (ARCH_FAULT_PRESENT | ARCH_FAULT_WRITE | ARCH_FAULT_USER | ARCH_FAULT_EXECUTE);
}

static void restricted_fault(struct arch_trap *trap, status_t status, u64 address) {
    u64 reason = CL_RESTRICTED_REASON_PAGE_FAULT;
    if (status == ERR_NO_RESOURCES) reason = CL_RESTRICTED_REASON_NO_RESOURCES;
    restricted_leave(trap, reason, address, fault_flags(trap));
}

static void user_page_fault(struct arch_trap *trap) {
    u64 address = cr2_read();
    status_t status =
        address < ARCH_USER_END ? fault_handle(address, fault_flags(trap)) : ERR_BAD_POINTER;
    if (status == 0) return;
    if (arch_in_restricted())
        restricted_fault(trap, status, address);
    else
        thread_exception(trap, VECTOR_PAGE_FAULT, address, trap->error_code);
}

void trap_user(struct arch_trap *trap) {
    u32 vector = (u32)trap->vector;
    if (vector >= VECTOR_EXCEPTIONS)
        interrupt(vector);
    else if (vector == VECTOR_PAGE_FAULT)
        user_page_fault(trap);
    else if (arch_in_restricted())
        restricted_leave(trap, CL_RESTRICTED_REASON_EXCEPTION, 0,
                         (u64)vector << 32 | trap->error_code);
    else
        thread_exception(trap, vector, 0, trap->error_code);
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
    if (address >= ARCH_USER_END || fault_handle(address, fault_flags(trap) | ARCH_FAULT_USER) != 0)
        trap->rip = fixup;
}

// NMI, double fault, machine check: on a stack of their own. An NMI is either another CPU's panic
// or somebody who wants to know where this machine hangs.
NORETURN void trap_paranoid(struct arch_trap *trap) {
    if (trap->vector == VECTOR_NMI && panic_running()) panic_stop_here();
    panic_trap(trap);
}
