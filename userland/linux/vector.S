// The vector registers: the only place that touches them, by whole-state instructions. XSAVE areas
// are aligned to 64 bytes; the mask is everything that the system has enabled.

    .section .text.vector, "ax", @progbits
    .hidden vector_save, vector_load, vector_reset, processor_identify
    .globl vector_save, vector_load, vector_reset, processor_identify

// void vector_save(void *area)
    .type vector_save, @function
vector_save:
    mov $-1, %eax
    mov $-1, %edx
    xsave64 (%rdi)
    ret

// void vector_load(const void *area)
    .type vector_load, @function
vector_load:
    mov $-1, %eax
    mov $-1, %edx
    xrstor64 (%rdi)
    ret

// void vector_reset(void): as after power-on, from an area that says that nothing is in it.
    .type vector_reset, @function
vector_reset:
    mov $-1, %eax
    mov $-1, %edx
    xrstor64 vector_initial(%rip)
    ret

    .section .rodata.vector, "a", @progbits
    .balign 64
vector_initial:
    .short 0x37f            // x87 control word
    .zero 22
    .long 0x1f80            // MXCSR
    .zero 576 - 28
