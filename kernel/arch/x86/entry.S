// Entry and exit: system calls, restricted mode, interrupts and exceptions, thread switch.
//
// User mode has the user's GS base in GS and struct cpu in KERNEL_GS_BASE; the kernel the other
// way round: every way in or out has one swapgs. NMI, double fault and machine check may come
// between the two, so they take struct cpu from the top of their own stack instead.
// Interrupts stay off from entry to exit. SYSCALL clears DF and AC (SMAP) by SFMASK; the trap
// stubs do it by hand.
#include "kernel/asm.h"

// Above struct syscall_args, what syscall_entry pushed first.
.set ARGS_RFLAGS, syscall_args.size
.set ARGS_RIP, ARGS_RFLAGS + 8
.set ARGS_RSP, ARGS_RIP + 8

.text

.macro save register, offset, base
    movq %\register, \offset(\base)
.endm
.macro load register, offset, base
    movq \offset(\base), %\register
.endm
// Registers that go between the state at rbx and themselves; the others need more.
.macro each_plain action
    .set offset, cl_restricted_state.rdx
    .irp register, rdx, rsi, rdi, rbp, r8, r9, r10
    \action \register, offset, %rbx
    .set offset, offset + 8
    .endr
    .set offset, cl_restricted_state.r12
    .irp register, r12, r13, r14, r15
    \action \register, offset, %rbx
    .set offset, offset + 8
    .endr
.endm

// ---- System calls -------------------------------------------------------------------------------

// On the kernel stack: struct syscall_args, then rflags, rip, rsp of the caller. rbx, rbp and
// r12-r15 are left to C to preserve: they are the user's own again when the handler has returned.
.globl syscall_entry
.type syscall_entry, @function
syscall_entry:
    swapgs
    movq %rsp, %gs:cpu.syscall_scratch
    movq %gs:cpu.syscall_stack, %rsp
    cmpl $0, %gs:cpu.restricted
    jne restricted_syscall
    pushq %gs:cpu.syscall_scratch
    pushq %rcx
    pushq %r11
    .rept 4                     // out, status
    pushq $0
    .endr
    .irp register, rax, r9, r8, r10, rdx, rsi, rdi
    pushq %\register
    .endr
    movq %rsp, %rdi
    cmpq syscall_count(%rip), %rax
    jae 1f
    call *syscall_table(, %rax, 8)
syscall_done:
    cmpl $0, %gs:cpu.work
    jne syscall_work
    movq syscall_args.status(%rsp), %rax
    movq syscall_args.out(%rsp), %rdx
    movq syscall_args.out + 8(%rsp), %r8
    movq syscall_args.out + 16(%rsp), %r9
    xorl %edi, %edi
    xorl %esi, %esi
    xorl %r10d, %r10d
    movq ARGS_RIP(%rsp), %rcx
    movq ARGS_RFLAGS(%rsp), %r11
    movq ARGS_RSP(%rsp), %rsp
    swapgs
    sysretq
1:
    call syscall_unknown
    jmp syscall_done

// Something is to be done before the return: scheduling (in C), or entering restricted mode.
syscall_work:
    cmpl $CPU_WORK_RESTRICTED, %gs:cpu.work
    je restricted_enter
    call syscall_return_work
    jmp syscall_done

// ---- Restricted mode ----------------------------------------------------------------------------

// The system call restricted_enter returns. Its frame stays where it is, at the top of the stack
// (struct restricted_frame): whatever comes out of restricted mode begins below. Load the state
// straight into the registers, each word once. The loads may fault and block like any access to user
// memory (exception table); nothing of the CPU's is kept across them, and what came meanwhile is
// looked at afterwards.
restricted_enter:
    .irp register, rbx, rbp, r12, r13, r14, r15
    pushq %\register
    .endr
    movq %gs:cpu.current, %rax
    movq arch_thread.restricted_state(%rax), %rbx
    stac
restricted_load:
    movq cl_restricted_state.rip(%rbx), %rcx
    movq cl_restricted_state.rflags(%rbx), %r11
    andl $RFLAGS_USER, %r11d
    orl $RFLAGS_FIXED, %r11d
    movq %rcx, %rdx
    shrq $39, %rdx
    cmpq $254, %rdx
    ja restricted_slow
    // sysret loses rcx and r11: good enough only when they hold what it puts there.
    cmpq cl_restricted_state.rcx(%rbx), %rcx
    jne restricted_slow
    cmpq cl_restricted_state.r11(%rbx), %r11
    jne restricted_slow
    pushq cl_restricted_state.rsp(%rbx)
    each_plain load
    pushq cl_restricted_state.rax(%rbx)
    pushq cl_restricted_state.rbx(%rbx)
restricted_load_end:
    cmpl $CPU_WORK_RESTRICTED, %gs:cpu.work
    jne restricted_slow
    cmpl $0, thread.kick(%rax)
    jne restricted_slow
    clac
    movl $0, %gs:cpu.work
    movl $0, arch_thread.armed(%rax)
    movl $1, arch_thread.restricted(%rax)
    movl $1, %gs:cpu.restricted
    movq arch_thread.restricted_cr3(%rax), %rbx
    movq %rbx, arch_thread.cr3(%rax)
    movq %rbx, %cr3
    popq %rbx
    popq %rax
    popq %rsp
    swapgs
    sysretq

// All else, from the state in memory: the full register set by iretq (after a signal, an exec, an
// exception), a kick, work to do, an address that is refused or faults. C builds the trap, or says in
// the frame how the call returns.
restricted_slow:
    clac
    movq %gs:cpu.syscall_stack, %rsp
    subq $restricted_frame.size + arch_trap.size, %rsp
    movq %rsp, %rdi
    call restricted_enter_trap
    testl %eax, %eax
    jz trap_return_user
    jmp restricted_return

// A system call of the restricted program: its registers go to the state, and the call
// restricted_enter returns 0 and the reason 0. The stores may fault (exception table).
restricted_syscall:
    subq $restricted_frame.size, %rsp
    pushq %gs:cpu.syscall_scratch
    pushq %rax
    pushq %rbx
    movq %gs:cpu.current, %rax
    movl $0, %gs:cpu.restricted
    movl $0, arch_thread.restricted(%rax)
    movq arch_thread.normal_cr3(%rax), %rbx
    movq %rbx, arch_thread.cr3(%rax)
    movq %rbx, %cr3
    movq arch_thread.restricted_state(%rax), %rbx
    stac
restricted_store:
    popq cl_restricted_state.rbx(%rbx)
    popq cl_restricted_state.rax(%rbx)
    popq cl_restricted_state.rsp(%rbx)
    movq %rcx, cl_restricted_state.rip(%rbx)
    movq %rcx, cl_restricted_state.rcx(%rbx)
    movq %r11, cl_restricted_state.rflags(%rbx)
    movq %r11, cl_restricted_state.r11(%rbx)
    each_plain save
    movq $CL_RESTRICTED_REASON_SYSCALL, cl_restricted_state.reason(%rbx)
restricted_store_end:
    clac
1:
    .irp register, r15, r14, r13, r12, rbp, rbx
    popq %\register
    .endr
    jmp syscall_done
restricted_store_fault:
    movq %gs:cpu.syscall_stack, %rax
    movq $ERR_BAD_POINTER, restricted_frame.args + syscall_args.status - restricted_frame.size(%rax)
// From anywhere in restricted mode or on the way there: returns from restricted_enter as its frame says.
.globl restricted_return
.type restricted_return, @function
restricted_return:
    movq %gs:cpu.syscall_stack, %rsp
    subq $restricted_frame.size, %rsp
    jmp 1b

// ---- Interrupts and exceptions ------------------------------------------------------------------

// struct arch_trap, from r15 down to rax.
.macro push_registers
    .irp register, r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax
    pushq %\register
    .endr
.endm

.macro pop_registers
    .irp register, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
    popq %\register
    .endr
    addq $16, %rsp
.endm

// One stub of 16 bytes for each vector; those without an error code of the CPU's push 0.
.balign 16
.globl entry_stubs
entry_stubs:
.set vector, 0
.rept 256
    .balign 16
    .if !((vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || (vector == 21))
    pushq $0
    .endif
    pushq $vector
    .if (vector == 2) || (vector == 8) || (vector == 18) // NMI, double fault, machine check
    jmp trap_alone
    .else
    jmp trap_common
    .endif
    .set vector, vector + 1
.endr

.balign 16
trap_common:
    cld
    clac
    testb $3, 24(%rsp)
    jz 1f
    swapgs
    push_registers
    movq %rsp, %rdi
    xorl %ebp, %ebp
    call trap_user
trap_return_user:
    pop_registers
    swapgs
    iretq
1:
    push_registers
    movq %rsp, %rdi
    call trap_kernel
    pop_registers
    iretq

// On a stack of its own, whose last word is struct cpu; GS may be anybody's. No way back.
trap_alone:
    cld
    clac
    push_registers
    movq %rsp, %rdi
    movq %rsp, %rax
    orq $0xfff, %rax
    movq -7(%rax), %rax
    wrgsbase %rax
    call trap_paranoid
    ud2

// ---- Threads ------------------------------------------------------------------------------------

// The first switch to a thread comes here (thread.c): rdi is whom the CPU ran before; on the stack
// are argument and entry.
.globl thread_start
.type thread_start, @function
thread_start:
    call thread_switched
    popq %rdi
    popq %rax
    xorl %ebp, %ebp
    call *%rax
    ud2

// void user_enter(struct arch_trap *trap): leaves by the trap, for good.
.globl user_enter
.type user_enter, @function
user_enter:
    movq %rdi, %rsp
    jmp trap_return_user

// Where the kernel may touch user memory, and where it goes on when that fails.
.section .exception_table, "a"
    .quad restricted_load, restricted_load_end, restricted_slow
    .quad restricted_store, restricted_store_end, restricted_store_fault
