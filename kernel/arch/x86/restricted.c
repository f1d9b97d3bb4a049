// Restricted mode, the parts that are not worth assembly (entry.S has the system call path).
//
// struct arch_thread says where a thread is: `armed` from arch_restricted_arm() until the system
// call returns into restricted mode; `restricted` while it is there; then its page table is the
// one without the process's slot. The caller's registers wait in saved_*.
#include "abi/errors.h"
#include "abi/types.h"
#include "cpu.h"
#include "lib/string.h"
#include "sched/thread.h"

// rax to r15, in the same order in both structures.
enum { GENERAL_SIZE = 15 * sizeof(u64) };
static_assert(offsetof(struct cl_restricted_state, r15) + sizeof(u64) ==
              offsetof(struct cl_restricted_state, rax) + GENERAL_SIZE);
static_assert(offsetof(struct arch_trap, vector) == GENERAL_SIZE);

status_t arch_restricted_arm(u64 state_address) {
    struct arch_thread *t = arch_thread_of(arch_current_thread());
    if (t->restricted_cr3 == 0) return ERR_BAD_STATE;
    t->restricted_state = state_address;
    t->armed = 1;
    arch_this_cpu()->work |= CPU_WORK_RESTRICTED;
    return 0;
}

bool arch_in_restricted(void) { return arch_this_cpu()->restricted; }

static void restricted_switch(struct arch_thread *t, u32 restricted) {
    t->restricted = restricted;
    arch_this_cpu()->restricted = restricted;
    t->cr3 = restricted ? t->restricted_cr3 : t->normal_cr3;
    cr3_write(t->cr3);
}

// The system call restricted_enter returns by `trap`.
static void trap_to_caller(struct arch_trap *trap, const struct arch_thread *t, status_t status,
                           u64 reason) {
    *trap = (struct arch_trap){
        .rax = (u64)status,
        .rdx = reason,
        .rbx = t->saved_rbx,
        .rbp = t->saved_rbp,
        .r12 = t->saved_r12,
        .r13 = t->saved_r13,
        .r14 = t->saved_r14,
        .r15 = t->saved_r15,
        .rip = t->saved_rip,
        .rsp = t->saved_rsp,
        .rflags = t->saved_rflags,
        .cs = SELECTOR_USER_CODE,
        .ss = SELECTOR_USER_DATA,
    };
}

// Enters with all registers, also rcx and r11, by the trap that the caller then returns from.
status_t restricted_enter_trap(struct arch_trap *trap) {
    struct arch_thread *t = arch_thread_of(arch_current_thread());
    struct cl_restricted_state s;
    status_t status = arch_copy_from_user(&s, t->restricted_state, sizeof(s));
    if (status) return status;
    if (s.rip >= ARCH_USER_SPLIT) return ERR_OUT_OF_RANGE;
    // The copy may have blocked: a kill, kick or another's turn came without an interrupt.
    syscall_return_work();
    t->armed = 0;
    arch_this_cpu()->work &= ~CPU_WORK_RESTRICTED;
    if (__atomic_exchange_n(&arch_current_thread()->kick, 0, __ATOMIC_SEQ_CST)) {
        trap_to_caller(trap, t, 0, CL_RESTRICTED_REASON_KICKED);
        return 0;
    }
    *trap = (struct arch_trap){
        .rip = s.rip,
        .cs = SELECTOR_USER_CODE,
        .rflags = (s.rflags & RFLAGS_USER) | RFLAGS_FIXED,
        .rsp = s.rsp,
        .ss = SELECTOR_USER_DATA,
    };
    memcpy(&trap->rax, &s.rax, GENERAL_SIZE);
    restricted_switch(t, 1);
    return 0;
}

void restricted_leave(struct arch_trap *trap, u64 reason, u64 address, u64 error_code) {
    struct arch_thread *t = arch_thread_of(arch_current_thread());
    struct cl_restricted_state s = {
        .rip = trap->rip,
        .rsp = trap->rsp,
        .rflags = trap->rflags,
        .reason = reason,
        .fault_address = address,
        .error_code = error_code,
    };
    memcpy(&s.rax, &trap->rax, GENERAL_SIZE);
    restricted_switch(t, 0);
    status_t status = arch_copy_to_user(t->restricted_state, &s, sizeof(s));
    trap_to_caller(trap, t, status, status ? 0 : reason);
}
