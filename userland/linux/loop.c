// The life of a Linux thread in the personality: run Linux code until it traps, deal with the trap,
// deliver signals, again.
#include "lib/format.h"
#include "linux/calls.h"
#include "linux/kernel_if.h"
#include "linux/memory.h"
#include "linux/oom.h"
#include "linux/report.h"
#include "linux/process.h"
#include "linux/signal.h"
#include "linux/thread.h"
#include "linux/trace.h"

enum {
    VECTOR_DIVIDE = 0,
    VECTOR_DEBUG = 1,
    VECTOR_BREAKPOINT = 3,
    VECTOR_OVERFLOW = 4,
    VECTOR_OPCODE = 6,
    VECTOR_STACK = 12,
    VECTOR_PROTECTION = 13,
    VECTOR_X87 = 16,
    VECTOR_ALIGNMENT = 17,
    VECTOR_SIMD = 19,
    FAULT_IS_PROTECTION = 1,
    FAULT_IS_WRITE = 2,
    FAULT_IS_FETCH = 16,
};

static void unknown_call(struct thread *thread, u64 number) {
    const char *name =
        number < LINUX_CALLS && linux_calls[number].name ? linux_calls[number].name : NULL;
    if (name) {
        report_line("unknown system call %s in %s (pid %d)", name, thread->process->name,
                    thread->process->pid);
    } else {
        report_line("unknown system call %lu in %s (pid %d)", number, thread->process->name,
                    thread->process->pid);
    }
}

static void thread_call(struct thread *thread) {
    u64 number = thread->state.rax;
    thread->call_number = number;
    bool is_known = number < LINUX_CALLS && linux_calls[number].run;
    if (unlikely(trace_is_on)) {
        (is_known ? trace_call : trace_unknown)(thread, number);
        if (is_known) return;
    }
    if (likely(is_known)) {
        thread->state.rax = (u64)linux_calls[number].run(thread);
        return;
    }
    unknown_call(thread, number);
    thread->state.rax = (u64)-ENOSYS;
}

// What a processor's exception is to the program: signal and code.
static void exception_signal(u32 vector, struct queued_signal *signal) {
    switch (vector) {
    case VECTOR_DIVIDE: signal->signal = SIGFPE, signal->code = FPE_INTDIV; break;
    case VECTOR_X87:
    case VECTOR_SIMD: signal->signal = SIGFPE, signal->code = FPE_FLTINV; break;
    case VECTOR_DEBUG: signal->signal = SIGTRAP, signal->code = TRAP_TRACE; break;
    case VECTOR_OPCODE: signal->signal = SIGILL, signal->code = ILL_ILLOPN; break;
    case VECTOR_ALIGNMENT: signal->signal = SIGBUS, signal->code = BUS_ADRALN; break;
    case VECTOR_STACK: signal->signal = SIGBUS, signal->code = SI_KERNEL; break;
    case VECTOR_BREAKPOINT: signal->signal = SIGTRAP, signal->code = SI_KERNEL; break;
    default: signal->signal = SIGSEGV, signal->code = SI_KERNEL; break;
    }
}

// A page fault that the kernel has no page for. True: there is one now.
static bool page_fault(struct thread *thread, struct queued_signal *signal) {
    u64 error = thread->state.error_code;
    u32 access = error & FAULT_IS_WRITE   ? CL_MAP_WRITE
                 : error & FAULT_IS_FETCH ? CL_MAP_EXECUTE
                                          : CL_MAP_READ;
    int result = memory_resolve(thread->process->memory, thread->state.fault_address, access);
    if (result == -EFAULT) {
        signal->signal = SIGBUS;
        signal->code = BUS_ADRERR;
    } else if (result != 0) {
        signal->code = error & FAULT_IS_PROTECTION ? SEGV_ACCERR : SEGV_MAPERR;
    }
    return result == 0;
}

static void thread_fault(struct thread *thread, u32 reason) {
    struct queued_signal signal = {.signal = SIGSEGV, .address = thread->state.fault_address};
    switch (reason) {
    case CL_RESTRICTED_REASON_EXCEPTION:
        exception_signal((u32)(thread->state.error_code >> 32), &signal);
        signal.address = signal.code == SI_KERNEL ? 0 : thread->state.rip;
        break;
    case CL_RESTRICTED_REASON_PAGE_FAULT:
        if (page_fault(thread, &signal)) {
            return;
        }
        break;
    default:
        thread->call_number = ~0UL;
        oom_relieve(thread);
        return;
    }
    thread->call_number = ~0UL;
    signal_force(thread, &signal);
}

void thread_loop(struct thread *thread) {
    for (;;) {
        u32 reason;
        if (unlikely(__atomic_load_n(&thread->attention, __ATOMIC_ACQUIRE))) {
            signal_deliver(thread);
        }
        int result = kernel_enter(&thread->state, &reason);
        if (unlikely(result != 0)) {
            // The program counter or flags can't be loaded: as a general protection fault.
            thread->state.error_code = (u64)VECTOR_PROTECTION << 32;
            reason = CL_RESTRICTED_REASON_EXCEPTION;
        }
        if (likely(reason == CL_RESTRICTED_REASON_SYSCALL)) {
            thread_call(thread);
        } else if (reason != CL_RESTRICTED_REASON_KICKED) {
            thread_fault(thread, reason);
        } else {
            thread->call_number = ~0UL;
        }
    }
}

void thread_main(void *argument) {
    struct thread *thread = argument;
    register_set_fs_base(thread->fs_base);
    register_set_gs_base(thread->gs_base);
    if (kernel_aspace_bind(thread->process->memory->aspace) != 0) {
        process_end(thread, SIGKILL);
    }
    if (thread->vector_area) {
        vector_load(thread->vector_area);
        thread->vector_area = NULL;
    }
    if (!linux_is_null(thread->clear_tid) && thread->sets_tid &&
        copy_to_linux(thread->clear_tid, &thread->tid, sizeof(thread->tid)) != 0) {
        report_line("fork: the child's thread id can't be stored");
    }
    thread_loop(thread);
}
