// Copies that survive faults on Linux memory. The kernel resumes a fault in
// [user_copy_start, user_copy_end) at user_copy_fault; nothing is on the stack in between, so that
// it can return from there.
// No frame, no calls, general registers only.

    .section .text.user_copy, "ax", @progbits
    .hidden user_copy, user_clear, user_load_u32, page_touch, user_copy_start, user_copy_end, user_copy_fault
    .globl user_copy, user_clear, user_load_u32, page_touch, user_copy_start, user_copy_end, user_copy_fault

user_copy_start:
// i64 user_copy(void *target, const void *source, usize size): 0, or an error.
    .type user_copy, @function
user_copy:
    mov %rdx, %rcx
    shr $3, %rcx
    rep movsq
    mov %edx, %ecx
    and $7, %ecx
    rep movsb
    xor %eax, %eax
    ret

// i64 user_clear(void *target, usize size): 0, or an error.
    .type user_clear, @function
user_clear:
    xor %eax, %eax
    mov %rsi, %rcx
    shr $3, %rcx
    rep stosq
    mov %esi, %ecx
    and $7, %ecx
    rep stosb
    ret

// i64 user_load_u32(const u32 *source, u32 *value): one access.
    .type user_load_u32, @function
user_load_u32:
    mov (%rdi), %eax
    mov %eax, (%rsi)
    xor %eax, %eax
    ret

// i64 page_touch(void *page): 0, or an error when the page can't be paid.
    .type page_touch, @function
page_touch:
    lock orb $0, (%rdi)
    xor %eax, %eax
    ret
user_copy_end:

    .type user_copy_fault, @function
user_copy_fault:
    mov $-1, %rax
    ret
