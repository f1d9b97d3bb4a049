// Constants that assembly and C share; thread.c checks those that C has under another name.
#ifndef X86_ASM_H
#define X86_ASM_H

// Above struct syscall_args, what syscall_entry pushed first.
#define ARGS_RFLAGS 88
#define ARGS_RIP 96
#define ARGS_RSP 104

#define WORK_RESTRICTED 2
#define REASON_SYSCALL 0

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
#define ASM_BAD_POINTER -9

#endif
