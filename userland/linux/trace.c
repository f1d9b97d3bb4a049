#include "linux/trace.h"

#include "lib/format.h"
#include "lib/heap.h"
#include "lib/string.h"
#include "linux/calls.h"
#include "linux/fs/stream.h"
#include "linux/output.h"
#include "linux/process.h"
#include "linux/signal.h"
#include "linux/thread.h"
#include "linux/trace_line.h"

bool trace_is_on;

// A container with a terminal has no standard error of its own: then the log gets the line.
static void line_write(struct thread *thread, struct trace_line *line) {
    enum { STANDARD_ERROR = 2 };
    usize size = min(line->size, sizeof(line->text) - 1);
    line->text[size++] = '\n';
    if (stream_write_standard(thread, STANDARD_ERROR, line->text, size) < 0) {
        output_log(LOG_SYSTEM, line->text, size);
    }
}

static struct trace_line *line_begin(const struct thread *thread) {
    struct trace_line *line = heap_alloc(sizeof(*line));
    if (line) {
        line->size = 0;
        trace_print(line, "[pid %d] ", thread->process->pid);
    }
    return line;
}

static void line_end(struct thread *thread, struct trace_line *line) {
    line_write(thread, line);
    heap_free(line);
}

// What a call returns in memory can be shown only afterwards; what it takes, only before, as it may
// change that memory (execve).
static bool shows_results(const struct linux_call *call) {
    for (u32 i = 0; i < call->arguments_count; i++) {
        enum linux_argument_kind kind = call->arguments[i].kind;
        if (kind == ARGUMENT_FILLED || kind == ARGUMENT_PAIR || kind == ARGUMENT_STATUS) {
            return true;
        }
    }
    return false;
}

static void print_arguments(struct trace_line *line, const struct linux_call *call,
                            const u64 registers[TRACE_REGISTERS], i64 result) {
    trace_print(line, "%s(", call->name);
    for (u32 i = 0; i < call->arguments_count; i++) {
        trace_print(line, "%s", i ? ", " : "");
        trace_argument(line, call->arguments, registers, i, result);
    }
    trace_print(line, ")");
}

static bool never_returns(u64 number) {
    enum { CALL_EXIT = 60, CALL_EXIT_GROUP = 231, CALL_SIGRETURN = 15 };
    return number == CALL_EXIT || number == CALL_EXIT_GROUP || number == CALL_SIGRETURN;
}

void trace_call(struct thread *thread, u64 number) {
    const struct linux_call *call = &linux_calls[number];
    const struct cl_restricted_state *state = &thread->state;
    const u64 registers[TRACE_REGISTERS] = {state->rdi, state->rsi, state->rdx,
                                            state->r10, state->r8,  state->r9};
    bool is_after = shows_results(call);
    struct trace_line *line = line_begin(thread);
    if (line && !is_after) {
        print_arguments(line, call, registers, 0);
    }
    if (line && never_returns(number)) {
        trace_print(line, " = ?");
        line_end(thread, line);
        line = NULL;
    }
    thread->state.rax = (u64)call->run(thread);
    if (line) {
        i64 result = (i64)thread->state.rax;
        if (is_after) {
            print_arguments(line, call, registers, result);
        }
        bool is_address = call->arguments_count > 0 && call->arguments->kind == ARGUMENT_HEX;
        trace_result(line, result, is_address ? TRACE_ADDRESS : TRACE_NUMBER);
        line_end(thread, line);
    }
}

void trace_unknown(struct thread *thread, u64 number) {
    struct trace_line *line = line_begin(thread);
    if (!line) return;
    if (number < LINUX_CALLS && linux_calls[number].name)
        trace_print(line, "%s(...)", linux_calls[number].name);
    else
        trace_print(line, "syscall_%lu(...)", number);
    trace_print(line, " = -1 ENOSYS");
    line_end(thread, line);
}

void trace_signal(struct thread *thread, const struct queued_signal *signal) {
    struct trace_line *line = line_begin(thread);
    if (!line) return;
    trace_print(line, "--- ");
    trace_value(line, LINUX_VALUES_SIGNAL, (u64)signal->signal);
    trace_print(line, " {si_code=%d, si_pid=%d, si_uid=%u} ---", signal->code, signal->pid,
                signal->uid);
    line_end(thread, line);
}

void trace_end(struct thread *thread, i32 wait_status) {
    struct trace_line *line = line_begin(thread);
    if (!line) return;
    if (wait_status & 0x7f) {
        trace_print(line, "+++ killed by ");
        trace_value(line, LINUX_VALUES_SIGNAL, (u64)wait_status & 0x7f);
        trace_print(line, " +++");
    } else {
        trace_print(line, "+++ exited with %d +++", wait_status >> 8 & 0xff);
    }
    line_end(thread, line);
}
