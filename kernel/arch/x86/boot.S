// PVH entry (32-bit, no paging; Xen's docs/misc/pvh.pandoc) and the start of the other CPUs.
//
// Both switch to long mode with the boot page table: it has the first GiB of RAM at 0, at the
// direct map and, from -2 GiB, at the kernel image. mmu_init() replaces it; after that only CPUs
// that start use it for a moment.
#include "kernel/asm.h"

#define IMAGE_BASE 0xffffffff80000000
#define PHYSICAL(symbol) ((symbol) - IMAGE_BASE)
#define TRAMPOLINE 0x8000
#define PAGE_PRESENT_WRITE 3
#define PAGE_LARGE 0x80

.section .note.pvh, "a", @note
    .balign 4
    .long 4, 8, 18              // name size, descriptor size, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .quad PHYSICAL(pvh_entry)

.text

.code32
.globl pvh_entry
pvh_entry:
    cld
    movl %ebx, %esi             // start info
    movl $0x80000001, %eax
    cpuid
    testl $(1 << 29), %edx
    jz no_long_mode
    lgdt PHYSICAL(gdt_pointer)
    ljmp $SELECTOR_BOOT_CODE32, $PHYSICAL(cpu_start_32)

no_long_mode:
    movw $0x3f8, %dx
    movl $PHYSICAL(no_long_mode_text), %esi
1:
    lodsb
    outb %al, %dx
    testb %al, %al
    jnz 1b
2:
    hlt
    jmp 2b

// ---- Other CPUs ---------------------------------------------------------------------------------

// Copied to TRAMPOLINE; each CPU starts here in real mode, ds = 0, interrupts off.
.code16
.globl trampoline_begin, trampoline_end
trampoline_begin:
    lgdtl TRAMPOLINE + gdt_pointer - trampoline_begin
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl $SELECTOR_BOOT_CODE32, $PHYSICAL(cpu_start_32)
gdt_pointer:
    .word gdt_end - gdt - 1
    .long PHYSICAL(gdt)
trampoline_end:

// All CPUs: long mode, paging. Keeps esi.
.code32
cpu_start_32:
    movl $SELECTOR_KERNEL_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $CR4_PAE, %eax
    movl %eax, %cr4
    movl $PHYSICAL(boot_pml4), %eax
    movl %eax, %cr3
    movl $MSR_EFER, %ecx
    movl $EFER_VALUE, %eax
    xorl %edx, %edx
    wrmsr
    movl $CR0_VALUE, %eax
    movl %eax, %cr0
    ljmp $SELECTOR_KERNEL_CODE, $PHYSICAL(1f)
.code64
1:
    movq $2f, %rax
    jmp *%rax
2:
    movq mmu_kernel_top(%rip), %rax
    movq %rax, %cr3
    lgdt gdt_pointer_64(%rip)
    xorl %eax, %eax
    lldt %ax
    .irp segment, ds, es, fs, gs
    movl %eax, %\segment
    .endr
    // Each takes a ticket: it is the CPU with this number.
    movl $1, %edi
    lock xaddl %edi, smp_tickets(%rip)
    cmpl smp_ticket_limit(%rip), %edi
    jae 3f
    movq cpu_table(, %rdi, 8), %rax
    movq cpu.syscall_stack(%rax), %rsp
    xorl %ebp, %ebp
    movl %esi, %esi
    call cpu_main
3:
    hlt
    jmp 3b

.section .rodata
no_long_mode_text:
    .asciz "PANIC: this CPU has no 64-bit mode\n"
gdt_pointer_64:
    .word gdt_end - gdt - 1
    .quad gdt

.data
.balign 8
.globl mmu_kernel_top
mmu_kernel_top:                 // until mmu_init()
    .quad PHYSICAL(boot_pml4)
smp_tickets:
    .quad 0
.globl gdt
gdt:                            // SELECTOR_*; Intel SDM volume 3, 3.4.5
    .quad 0
    .quad 0x00af9b000000ffff    // kernel code, 64-bit
    .quad 0x00cf93000000ffff    // kernel data
    .quad 0x00cff3000000ffff    // user data
    .quad 0x00affb000000ffff    // user code, 64-bit
    .quad 0x00cf9b000000ffff    // code, 32-bit
    .fill 2 * MAX_CPUS, 8, 0    // task states
gdt_end:

.balign 4096
boot_pml4:
    .quad PHYSICAL(boot_pdpt_low) + PAGE_PRESENT_WRITE
    .fill 255, 8, 0
    .quad PHYSICAL(boot_pdpt_low) + PAGE_PRESENT_WRITE
    .fill 254, 8, 0
    .quad PHYSICAL(boot_pdpt_high) + PAGE_PRESENT_WRITE
boot_pdpt_low:
    .quad PHYSICAL(boot_pd) + PAGE_PRESENT_WRITE
    .fill 511, 8, 0
boot_pdpt_high:
    .fill 510, 8, 0
    .quad PHYSICAL(boot_pd) + PAGE_PRESENT_WRITE
    .quad 0
boot_pd:
    .set large_page, 0
    .rept 512
    .quad large_page + PAGE_LARGE + PAGE_PRESENT_WRITE
    .set large_page, large_page + 0x200000
    .endr

.bss
.balign 4096
.globl boot_stack_guard, boot_stack_top
boot_stack_guard:               // mmu_init() unmaps one page
    .skip 4 * 4096
boot_stack_top:
