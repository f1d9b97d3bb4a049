// Asks a debug kernel to compare all that it counts with what is there (kernel/check): a panic says
// what differs. A released kernel knows no such call, and refuses it.
#pragma once

#include "lib/types.h"

static inline void kernel_check(void) {
    u64 number = 0x636865636b; // "check"; CALL_CHECK in kernel/check/arch_x86.c
    __asm__ volatile("syscall"
                     : "+a"(number)
                     :
                     : "rcx", "rdx", "rdi", "rsi", "r8", "r9", "r10", "r11", "memory");
}
