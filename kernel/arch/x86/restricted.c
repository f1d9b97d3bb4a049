// Restricted mode, the parts that are not worth assembly (entry.S has the system call path).
//
// struct arch_thread says where a thread is: `armed` from arch_restricted_arm() until the system
// call returns into restricted mode; `restricted` while it is there; then its page table is the
// one without the process's slot. The caller waits in a struct restricted_frame.
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
static_assert(sizeof(struct restricted_frame) % 16 == 0); // the CPU aligns stacks of traps
static_assert(CL_RESTRICTED_REASON_SYSCALL == 0);         // out[0] as it was (entry.S)

status_t arch_restricted_arm(u64 state_address) {
    struct arch_thread *t = arch_thread_of(arch_current_thread());
    if (t->restricted_cr3 == 0) return ERR_BAD_STATE;
    t->restricted_state = state_address;
    t->armed = 1;
    arch_this_cpu()->work |= CPU_WORK_RESTRICTED;
    return 0;
}

static void restricted_switch(struct arch_thread *t, u32 restricted) {
    t->restricted = restricted;
    arch_this_cpu()->restricted = restricted;
    t->cr3 = restricted ? t->restricted_cr3 : t->normal_cr3;
    cr3_write(t->cr3);
}

// How the system call restricted_enter returns.
static void result_set(const struct arch_thread *t, status_t status, u64 reason) {
    struct restricted_frame *frame = (struct restricted_frame *)t->stack_top - 1;
    frame->args.status = status;
    frame->args.out[0] = status == OK ? reason : 0;
}

// Enters with all registers, also rcx and r11, by the trap that the caller then returns from: 0. Else
// the call returns, with nothing changed.
[[gnu::used]] status_t restricted_enter_trap(struct arch_trap *trap) {
    struct arch_thread *t = arch_thread_of(arch_current_thread());
    struct cl_restricted_state s;
    status_t status = arch_copy_from_user(&s, t->restricted_state, sizeof(s));
    if (status == OK && s.rip >= ARCH_USER_SPLIT) status = ERR_OUT_OF_RANGE;
    // The copy may have blocked: a kill, kick or another's turn came without an interrupt.
    if (status == OK) syscall_return_work();
    t->armed = 0;
    arch_this_cpu()->work &= ~CPU_WORK_RESTRICTED;
    result_set(t, status, CL_RESTRICTED_REASON_KICKED);
    if (status != OK || __atomic_exchange_n(&arch_current_thread()->kick, 0, __ATOMIC_SEQ_CST))
        return 1;
    result_set(t, OK, CL_RESTRICTED_REASON_SYSCALL);
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

void restricted_leave(const struct arch_trap *trap, u64 reason, u64 address, u64 error_code) {
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
    result_set(t, arch_copy_to_user(t->restricted_state, &s, sizeof(s)), reason);
    restricted_return();
}
