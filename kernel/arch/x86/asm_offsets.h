// Offsets and constants for assembly; thread.c has a static_assert for each.
#ifndef X86_ASM_OFFSETS_H
#define X86_ASM_OFFSETS_H

// struct cpu
#define CPU_CURRENT 8
#define CPU_WORK 20
#define CPU_SYSCALL_STACK 24
#define CPU_SCRATCH 32
#define CPU_RESTRICTED 40

// struct arch_thread
#define THREAD_RSP 0
#define THREAD_CR3 16
#define THREAD_STATE 64
#define THREAD_NORMAL_CR3 72
#define THREAD_RESTRICTED_CR3 80
#define THREAD_SAVED_RIP 88
#define THREAD_SAVED_RSP 96
#define THREAD_SAVED_RFLAGS 104
#define THREAD_SAVED_RBX 112
#define THREAD_RESTRICTED 160
#define THREAD_ARMED 164
#define THREAD_KICK 168

// struct cl_restricted_state (abi/types.h)
#define STATE_RIP 0
#define STATE_RSP 8
#define STATE_RFLAGS 16
#define STATE_RAX 24
#define STATE_RBX 32
#define STATE_RCX 40
#define STATE_RDX 48
#define STATE_R11 104
#define STATE_R12 112
#define STATE_REASON 144

// struct syscall_args, and above it what syscall_entry pushed first
#define ARGS_NUMBER 48
#define ARGS_STATUS 56
#define ARGS_OUT 64
#define ARGS_RFLAGS 88
#define ARGS_RIP 96
#define ARGS_RSP 104

#define WORK_RESTRICTED 2
#define REASON_SYSCALL 0
#define REASON_KICKED 3

// Selectors: sysret takes user data from STAR + 8 and user code from STAR + 16.
#define SELECTOR_KERNEL_CODE 0x08
#define SELECTOR_KERNEL_DATA 0x10
#define SELECTOR_BOOT_CODE32 0x18
#define SELECTOR_USER_BASE 0x13
#define SELECTOR_USER_DATA 0x1b
#define SELECTOR_USER_CODE 0x23
#define SELECTOR_TSS 0x28

// What a restricted program may have set in RFLAGS: CF PF AF ZF SF TF DF OF RF AC ID.
#define RFLAGS_USER 0x250dd5
#define RFLAGS_FIXED 0x202

// Error codes used in assembly (abi/errors.h).
#define ASM_OUT_OF_RANGE -8
#define ASM_BAD_POINTER -9

#endif
