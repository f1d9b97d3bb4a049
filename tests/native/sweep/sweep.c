// Runs the table: good arguments, one of them spoilt, the error that must come back; and that a
// failed call gives nothing back in its registers, and leaves as many objects and handles as before.
#include "sweep.h"
#include "abi/names.h"
#include "lib/format.h"
#include "lib/string.h"
#include "test.h"
#include "tests/sweep_table.h"

enum { ARGS_MAX = 6, NAME_SIZE = 64, TEXT_SIZE = 200 };

// What is known of the call that is being swept.
struct sweep {
    const struct sweep_call *call;
    uint64_t args[ARGS_MAX];
    // Handles before this argument are there; all, if it is args_count.
    uint32_t handles_until;
    uint32_t checks, left_out, failed;
    char failure[TEXT_SIZE]; // the first
};

// Registers after the call are in `args`.
static status_t system_call(uint64_t number, uint64_t args[ARGS_MAX]) {
    uint64_t rax = number, rdi = args[0], rsi = args[1], rdx = args[2];
    register uint64_t r10 __asm__("r10") = args[3];
    register uint64_t r8 __asm__("r8") = args[4];
    register uint64_t r9 __asm__("r9") = args[5];
    __asm__ volatile("syscall"
                     : "+a"(rax), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+r"(r10), "+r"(r8), "+r"(r9)
                     :
                     : "rcx", "r11", "memory");
    args[0] = rdi;
    args[1] = rsi;
    args[2] = rdx;
    args[3] = r10;
    args[4] = r8;
    args[5] = r9;
    return (status_t)rax;
}

static void failed(struct sweep *sweep, uint32_t arg, uint64_t value, const char *what,
                   const char *expected) {
    if (sweep->failed++ == 0)
        format_text(sweep->failure, sizeof(sweep->failure), "argument %u = 0x%lx: %s, not %s", arg,
                    value, what, expected);
}

// Calls with the sweep's arguments but `value` for one; `other` is allowed beside `error`.
static void expect_either(struct sweep *sweep, uint32_t arg, uint64_t value, status_t error,
                          status_t other) {
    uint64_t args[ARGS_MAX];
    memcpy(args, sweep->args, sizeof(args));
    args[arg] = value;
    status_t status = system_call(sweep->call->number, args);
    sweep->checks++;
    if (status != error && status != other) {
        failed(sweep, arg, value, cl_error_name(status), cl_error_name(error));
        return;
    }
    for (uint32_t i = 0; i < ARGS_MAX; i++)
        if (args[i] != 0) failed(sweep, arg, value, "a register came back with something", "zero");
}

static void expect(struct sweep *sweep, uint32_t arg, uint64_t value, status_t error) {
    expect_either(sweep, arg, value, error, error);
}

// All arguments right, as far as there are objects.
static void arguments_make(struct sweep *sweep) {
    const struct sweep_call *call = sweep->call;
    sweep->handles_until = call->args_count;
    for (uint32_t i = 0; i < call->args_count; i++) {
        const struct sweep_arg *arg = &call->args[i];
        bool is_memory = sweep_is_memory(arg->kind);
        sweep->args[i] =
            is_memory && (arg->kind != SWEEP_ADDRESS || arg->good == 0) ? sweep_page(i) : arg->good;
        if (arg->kind == SWEEP_IN_STRUCT && arg->bytes)
            memcpy((void *)sweep_page(i), arg->bytes, arg->good);
        else if (arg->kind == SWEEP_IN_STRUCT)
            memset((void *)sweep_page(i), 0, arg->good);
        else if (arg->kind == SWEEP_STRING)
            memset((void *)sweep_page(i), 'a', arg->good);
        if (arg->kind != SWEEP_HANDLE) continue;
        sweep->args[i] = sweep_object_of(arg->types);
        if (sweep->args[i] == 0 && !arg->optional && sweep->handles_until == call->args_count)
            sweep->handles_until = i;
    }
}

static void handle_values_try(struct sweep *sweep, uint32_t i) {
    static const uint64_t outside[] = {65535,      65536,     0x7fffffff,         0x80000000,
                                       0xffffffff, 1ul << 32, 0xffffffff00000000, 1ul << 63,
                                       ~0ul};
    for (uint32_t value = sweep->call->args[i].optional ? 1 : 0; value < SWEEP_HANDLES; value++)
        if (!sweep_is_live(value)) expect(sweep, i, value, ERR_BAD_HANDLE);
    for (uint32_t j = 0; j < sizeof(outside) / sizeof(outside[0]); j++)
        expect(sweep, i, outside[j], ERR_BAD_HANDLE);
    if (sweep->args[i] != 0) expect(sweep, i, sweep->args[i] | 1ul << 32, ERR_BAD_HANDLE);
}

static void handle_try(struct sweep *sweep, uint32_t i) {
    const struct sweep_arg *arg = &sweep->call->args[i];
    if (i > sweep->handles_until) {
        sweep->left_out++;
        return;
    }
    handle_values_try(sweep, i);
    expect(sweep, i, sweep_dead(), ERR_DEAD);
    expect(sweep, i, sweep_revoked(), ERR_REVOKED);
    for (uint32_t type = 0; type < OBJ_COUNT; type++)
        if (!(arg->types & OBJ_MASK(type)) && sweep_object(type) != 0)
            expect(sweep, i, sweep_object(type), ERR_WRONG_TYPE);
}

// Pointers that lead nowhere, or run out of what is there.
static void pointer_try(struct sweep *sweep, uint32_t i) {
    const struct sweep_arg *arg = &sweep->call->args[i];
    bool is_read_by_handler = arg->kind == SWEEP_IN_BYTES;
    if (sweep->handles_until < sweep->call->args_count ||
        (is_read_by_handler && !sweep->call->can_run)) {
        sweep->left_out++;
        return;
    }
    status_t other =
        is_read_by_handler && sweep->call->may_wait ? ERR_SHOULD_WAIT : ERR_BAD_POINTER;
    if (!arg->optional) expect_either(sweep, i, 0, ERR_BAD_POINTER, other);
    expect_either(sweep, i, sweep_unmapped(), ERR_BAD_POINTER, other);
    if (arg->kind == SWEEP_OUT) expect(sweep, i, sweep_read_only(), ERR_BAD_POINTER);
    if (arg->good > 1) {
        expect_either(sweep, i, sweep_unmapped() - (arg->good - 1), ERR_BAD_POINTER, other);
        if (arg->kind == SWEEP_OUT)
            expect(sweep, i, sweep_read_only() - (arg->good - 1), ERR_BAD_POINTER);
    }
}

static void right_try(struct sweep *sweep, const struct sweep_case *entry) {
    struct cl_object_info info;
    handle_t good = (handle_t)sweep->args[entry->arg], less;
    if (entry->arg >= sweep->handles_until || object_info(good, &info) != OK ||
        !(info.rights & entry->value) ||
        handle_duplicate(good, info.rights & ~(uint32_t)entry->value, &less) != OK) {
        sweep->left_out++;
        return;
    }
    uint64_t other = sweep->args[entry->other];
    if (entry->flags != 0) sweep->args[entry->other] = entry->flags;
    expect(sweep, entry->arg, less, entry->error);
    sweep->args[entry->other] = other;
    handle_close(less);
}

static void field_try(struct sweep *sweep, const struct sweep_case *entry) {
    if (sweep->handles_until < sweep->call->args_count) {
        sweep->left_out++;
        return;
    }
    uint64_t good = 0;
    char *field = (char *)sweep->args[entry->arg] + entry->offset;
    memcpy(&good, field, entry->width);
    memcpy(field, &entry->value, entry->width);
    expect(sweep, entry->arg, sweep->args[entry->arg], entry->error);
    memcpy(field, &good, entry->width);
}

static void case_try(struct sweep *sweep, const struct sweep_case *entry) {
    switch (entry->how) {
    case SWEEP_SET: expect(sweep, entry->arg, entry->value, entry->error); break;
    case SWEEP_ADD:
        expect(sweep, entry->arg, sweep->args[entry->arg] + entry->value, entry->error);
        break;
    case SWEEP_FIELD: field_try(sweep, entry); break;
    case SWEEP_RIGHT: right_try(sweep, entry); break;
    }
}

static void call_sweep(const struct sweep_call *call) {
    struct sweep sweep = {.call = call};
    char name[NAME_SIZE], text[TEXT_SIZE];
    arguments_make(&sweep);
    for (uint32_t i = 0; i < call->cases_count; i++)
        case_try(&sweep, &call->cases[i]);
    for (uint32_t i = 0; i < call->args_count; i++) {
        enum sweep_kind kind = call->args[i].kind;
        if (kind == SWEEP_HANDLE)
            handle_try(&sweep, i);
        else if (sweep_is_memory(kind) && kind != SWEEP_ADDRESS)
            pointer_try(&sweep, i);
    }
    format_text(name, sizeof(name), "sweep.%s", call->name);
    format_text(text, sizeof(text), "%u wrong arguments refused, %u left out", sweep.checks,
                sweep.left_out);
    test_result(name, text, sweep.failed ? sweep.failure : nullptr);
}

static bool is_number(uint64_t number) {
    for (uint32_t i = 0; i < sizeof(sweep_calls) / sizeof(sweep_calls[0]); i++)
        if (sweep_calls[i].number == number) return true;
    for (uint32_t i = 0; sweep_left_out[i].name; i++)
        if (sweep_left_out[i].number == number) return true;
    return false;
}

static void numbers_sweep(void) {
    static const uint64_t outside[] = {1ul << 31, 0xffffffff, 1ul << 32, 1ul << 63, ~0ul};
    const struct sweep_call call = {.name = "numbers"};
    struct sweep sweep = {.call = &call};
    for (uint64_t number = 0; number < SYSCALL_COUNT + 4096; number++) {
        uint64_t args[ARGS_MAX] = {};
        if (!is_number(number) && system_call(number, args) != ERR_BAD_SYSCALL)
            failed(&sweep, 0, number, "a call of no number", "BAD_SYSCALL");
    }
    for (uint32_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
        uint64_t args[ARGS_MAX] = {};
        if (system_call(outside[i], args) != ERR_BAD_SYSCALL)
            failed(&sweep, 0, outside[i], "a call of no number", "BAD_SYSCALL");
    }
    test_result("sweep.numbers", "numbers without a call are refused",
                sweep.failed ? sweep.failure : nullptr);
}

void test_run(void) {
    struct cl_ns_info before, after;
    sweep_memory_make();
    sweep_objects_make();
    test_ok(ns_info(test_namespace(), &before), "ns_info");
    for (uint32_t i = 0; i < sizeof(sweep_calls) / sizeof(sweep_calls[0]); i++)
        call_sweep(&sweep_calls[i]);
    numbers_sweep();
    test_ok(ns_info(test_namespace(), &after), "ns_info");
    bool same = before.objects == after.objects && before.handles == after.handles &&
                before.names == after.names && before.threads == after.threads;
    test_result("sweep.balance", "as many objects, handles, names and threads as before",
                same ? nullptr : "objects, handles, names or threads were left over");
    for (uint32_t i = 0; sweep_left_out[i].name; i++)
        test_printf("sweep leaves out %s: %s", sweep_left_out[i].name, sweep_left_out[i].why);
    test_pass("every system call refuses every wrong argument with the error that it documents");
}
