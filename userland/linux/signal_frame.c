// Signal frames on the Linux stack, as Linux lays them out on x86-64: from the top down the vector
// state (an XSAVE area), then struct linux_signal_frame, whose first word is where the handler
// returns to: the program's restorer, which calls rt_sigreturn.
#include "lib/string.h"
#include "linux/calls.h"
#include "linux/kernel_if.h"
#include "linux/signal.h"
#include "linux/thread.h"

enum {
    RED_ZONE_BYTES = 128,
    VECTOR_ALIGN = 64,
    VECTOR_MAX_BYTES = 4096,
    VECTOR_LEGACY_BYTES = 512,
    VECTOR_HEADER_BYTES = 64,
    SOFTWARE_OFFSET = 464, // in the legacy area: what the frame holds, for programs
    MXCSR_OFFSET = 24,
    MXCSR_KNOWN = 0xffff,
    VECTOR_MAGIC1 = 0x46505853,
    VECTOR_MAGIC2 = 0x46505845,
    CONTEXT_FLAGS = 7, // extended vector state, SS is saved, SS is restored as it is
    USER_CODE_SELECTOR = 0x33,
    USER_STACK_SELECTOR = 0x2b,
    FLAG_TRAP = 1 << 8,
    FLAG_DIRECTION = 1 << 10,
    FLAGS_RESTORED = 0x50dd5 | 0x200000, // carry ... overflow, direction, trap, alignment, id
};

struct vector_software {
    u32 magic1;
    u32 extended_size;
    u64 features;
    u32 size;
    u32 padding[7];
};

static bool stack_holds(const struct linux_stack *stack, u64 address) {
    return address - stack->pointer < stack->size;
}

static u64 frame_stack_top(struct thread *thread, const struct linux_sigaction *action) {
    const struct linux_stack *stack = &thread->signal_stack;
    if ((action->flags & SA_ONSTACK) && !(stack->flags & SS_DISABLE) &&
        !stack_holds(stack, thread->state.rsp)) {
        return stack->pointer + stack->size;
    }
    return thread->state.rsp - RED_ZONE_BYTES;
}

// Saves the live vector state and copies it to the Linux stack, with the marks that tell programs
// its size.
static int frame_push_vector(u64 address, usize size) {
    _Alignas(VECTOR_ALIGN) u8 area[VECTOR_MAX_BYTES];
    u32 magic2 = VECTOR_MAGIC2;
    struct vector_software software = {
        .magic1 = VECTOR_MAGIC1,
        .extended_size = (u32)size + 4,
        .features = vector_features(),
        .size = (u32)size,
    };
    memset(area + VECTOR_LEGACY_BYTES, 0, VECTOR_HEADER_BYTES);
    vector_save(area);
    memcpy(area + SOFTWARE_OFFSET, &software, sizeof(software));
    if (copy_to_linux(linux_pointer(address), area, size) != 0) {
        return -EFAULT;
    }
    return copy_to_linux(linux_pointer(address + size), &magic2, sizeof(magic2));
}

static void registers_save(const struct thread *thread, struct linux_sigcontext *out) {
    const struct cl_restricted_state *state = &thread->state;
    *out = (struct linux_sigcontext){
        .r8 = state->r8,
        .r9 = state->r9,
        .r10 = state->r10,
        .r11 = state->r11,
        .r12 = state->r12,
        .r13 = state->r13,
        .r14 = state->r14,
        .r15 = state->r15,
        .rdi = state->rdi,
        .rsi = state->rsi,
        .rbp = state->rbp,
        .rbx = state->rbx,
        .rdx = state->rdx,
        .rax = state->rax,
        .rcx = state->rcx,
        .rsp = state->rsp,
        .rip = state->rip,
        .rflags = state->rflags,
        .cs = USER_CODE_SELECTOR,
        .ss = USER_STACK_SELECTOR,
        .error = state->error_code & 0xffffffff,
        .trap = state->error_code >> 32,
        .fault_address = state->fault_address,
    };
}

static void registers_load(struct thread *thread, const struct linux_sigcontext *in) {
    struct cl_restricted_state *state = &thread->state;
    state->r8 = in->r8, state->r9 = in->r9, state->r10 = in->r10, state->r11 = in->r11;
    state->r12 = in->r12, state->r13 = in->r13, state->r14 = in->r14, state->r15 = in->r15;
    state->rdi = in->rdi, state->rsi = in->rsi, state->rbp = in->rbp, state->rbx = in->rbx;
    state->rdx = in->rdx, state->rax = in->rax, state->rcx = in->rcx, state->rsp = in->rsp;
    state->rip = in->rip;
    state->rflags = (state->rflags & ~(u64)FLAGS_RESTORED) | (in->rflags & FLAGS_RESTORED);
}

void siginfo_fill(struct linux_siginfo *info, const struct queued_signal *signal) {
    *info = (struct linux_siginfo){.signo = signal->signal, .code = signal->code};
    info->error = signal->error;
    if (signal->code > 0 && signal->signal != SIGCHLD) {
        info->address = signal->address;
        return;
    }
    info->sender.pid = signal->pid;
    info->sender.uid = signal->uid;
    info->sender.value = signal->value;
    info->sender.utime = signal->utime;
    info->sender.stime = signal->stime;
}

int signal_frame_push(struct thread *thread, const struct linux_sigaction *action,
                      const struct queued_signal *signal, u64 mask) {
    usize vector_size = vector_state_size();
    u64 vector = (frame_stack_top(thread, action) - vector_size - 4) & ~(u64)(VECTOR_ALIGN - 1);
    // At the handler's entry the stack is as after a call: 8 below a multiple of 16.
    u64 address = ((vector - sizeof(struct linux_signal_frame)) & ~15UL) - 8;
    struct linux_signal_frame frame = {
        .return_address = action->restorer,
        .context.flags = CONTEXT_FLAGS,
        .context.stack = thread->signal_stack,
        .context.mask = mask,
    };
    if (vector_size > VECTOR_MAX_BYTES || !(action->flags & SA_RESTORER)) {
        return -EFAULT;
    }
    registers_save(thread, &frame.context.registers);
    frame.context.registers.vector_state = vector;
    frame.context.registers.old_mask = mask;
    siginfo_fill(&frame.info, signal);
    if (frame_push_vector(vector, vector_size) != 0 ||
        copy_to_linux(linux_pointer(address), &frame, sizeof(frame)) != 0) {
        return -EFAULT;
    }
    struct cl_restricted_state *state = &thread->state;
    state->rip = action->handler;
    state->rsp = address;
    state->rdi = (u64)signal->signal;
    state->rsi = address + __builtin_offsetof(struct linux_signal_frame, info);
    state->rdx = address + __builtin_offsetof(struct linux_signal_frame, context);
    state->rax = 0;
    state->rflags &= ~(u64)(FLAG_DIRECTION | FLAG_TRAP);
    return 0;
}

// What a program may have written into the area must not make XRSTOR fault.
static bool vector_area_is_valid(const u8 *area) {
    u64 header[VECTOR_HEADER_BYTES / 8];
    u32 mxcsr;
    memcpy(header, area + VECTOR_LEGACY_BYTES, sizeof(header));
    memcpy(&mxcsr, area + MXCSR_OFFSET, sizeof(mxcsr));
    u64 reserved = 0;
    for (usize i = 1; i < ARRAY_SIZE(header); i++) {
        reserved |= header[i];
    }
    return reserved == 0 && (header[0] & ~vector_features()) == 0 && !(mxcsr & ~(u32)MXCSR_KNOWN);
}

static int frame_pop_vector(u64 address) {
    _Alignas(VECTOR_ALIGN) u8 area[VECTOR_MAX_BYTES];
    usize size = vector_state_size();
    if (address == 0) {
        vector_reset();
        return 0;
    }
    if (size > sizeof(area) || (address & (VECTOR_ALIGN - 1)) ||
        copy_from_linux(area, linux_pointer(address), size) != 0 || !vector_area_is_valid(area)) {
        return -EFAULT;
    }
    vector_load(area);
    return 0;
}

i64 linux_rt_sigreturn(struct thread *thread) {
    // The handler's return popped the first word.
    u64 address = thread->state.rsp - 8;
    struct linux_ucontext context;
    u64 offset = __builtin_offsetof(struct linux_signal_frame, context);
    if (copy_from_linux(&context, linux_pointer(address + offset), sizeof(context)) != 0 ||
        frame_pop_vector(context.registers.vector_state) != 0) {
        signal_force(thread, &(struct queued_signal){.signal = SIGSEGV, .code = SI_KERNEL});
        return 0;
    }
    registers_load(thread, &context.registers);
    thread->signal_stack = context.stack;
    thread->call_number = ~0UL;
    thread->restart.resume = NULL;
    mutex_lock(&tasks.lock);
    thread->blocked = context.mask & ~(signal_bit(SIGKILL) | signal_bit(SIGSTOP));
    mutex_unlock(&tasks.lock);
    __atomic_store_n(&thread->attention, 1, __ATOMIC_RELEASE);
    return (i64)thread->state.rax;
}
