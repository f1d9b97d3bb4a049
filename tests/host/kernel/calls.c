// The object kernel as a Unix process that does what it is told: system calls, one a line, through
// the generated decoding. test_model.py drives it and compares with a model.
//
// Input: NUMBER ARGUMENT...; an argument is a number, 'TEXT (its address), #HEX (the address of
// these bytes) or !SIZE (the address of room that is printed afterwards).
// Output: STATUS OUT OUT OUT [HEX]. First of all a line with the handle of the root namespace.
// Beside calls: "?probe NUMBER ARGUMENT..." closes the handle that the call gave, and "?look HANDLE"
// leaves it there; both say STATUS KOID TYPE RIGHTS USER REVOKER of it. "?make TYPE NS" says the
// handle of a new object.
#include "arch/host/host.h"
#include "kernel/handlers.h"
#include "calls_more.h"
#include "disk.h"
#include "mapping_calls.h"
#include "object/namespace.h"
#include "object/process.h"
#include <stdio.h>
#include <stdlib.h>

usize strspn(const char *text, const char *set);
usize strcspn(const char *text, const char *set);

enum { ARGUMENTS = 6, ROOM = 1024, LINE = 4096 };
enum : u64 { ROOMS = CL_PROCESS_BASE + MIB(1) }; // where the rooms are in user memory, one a page

struct call {
    struct syscall_args args;
    u64 out; // user address
    u64 out_size;
};

static u64 room_fill(u64 room, const void *bytes, usize size) {
    if (arch_copy_to_user(room, bytes, size) != OK) panic("the rooms can't be written");
    return room;
}

static u64 hex_read(const char *text, u64 room) {
    u8 bytes[ROOM];
    usize size = 0;
    unsigned byte;
    for (; size < ROOM && sscanf(text + 2 * size, "%2x", &byte) == 1; size++)
        bytes[size] = (u8)byte;
    return room_fill(room, bytes, size);
}

static u64 argument_read(struct call *call, u32 index, char *word) {
    u64 room = ROOMS + index * PAGE_SIZE;
    switch (word[0]) {
    case '\'': return room_fill(room, word + 1, strlen(word + 1));
    case '#': return hex_read(word + 1, room);
    case '!':
        call->out = room;
        call->out_size = min(strtoul(word + 1, nullptr, 0), (u64)ROOM);
        return room;
    default: return strtoul(word, nullptr, 0);
    }
}

static void rooms_map(void) {
    struct aspace_map_args args = {
        .address = ROOMS,
        .size = ARGUMENTS * PAGE_SIZE,
        .flags = CL_MAP_READ | CL_MAP_WRITE | CL_MAP_EXACT,
    };
    u64 mapped;
    if (aspace_map(process_current()->aspace, &args, &mapped) != OK) panic("no memory");
    // All are paid for from the beginning.
    for (u32 i = 0; i < ARGUMENTS; i++)
        (void)room_fill(ROOMS + i * PAGE_SIZE, "", 1);
}

// Cuts the next word off a line; nullptr at its end.
static char *word_next(char **rest) {
    char *word = *rest + strspn(*rest, " \n");
    usize size = strcspn(word, " \n");
    *rest = word + size + (word[size] != 0);
    word[size] = 0;
    return size ? word : nullptr;
}

static struct call *call_make(char *word, char *line) {
    static struct call call;
    __builtin_memset(&call, 0, sizeof(call));
    call.args.number = strtoul(word, nullptr, 0);
    for (u32 i = 0; i < ARGUMENTS && (word = word_next(&line)); i++)
        call.args.arg[i] = argument_read(&call, i, word);
    syscall_table[call.args.number](&call.args);
    return &call;
}

static void call_run(char *word, char *line) {
    const struct call *call = call_make(word, line);
    printf("%ld %lu %lu %lu ", call->args.status, call->args.out[0], call->args.out[1],
           call->args.out[2]);
    u8 bytes[ROOM] = {};
    if (arch_copy_from_user(bytes, call->out, call->out_size) != OK) panic("no output");
    for (u64 i = 0; i < call->out_size; i++)
        printf("%02x", bytes[i]);
}

static void facts_print(status_t status, handle_t handle) {
    struct handle_facts facts = status == OK ? handle_look(handle) : (struct handle_facts){};
    printf("%ld %lu %u %u %u %lu", status, facts.koid, facts.type, facts.rights, facts.user,
           facts.revoker_koid);
}

static void probe_run(char *line) {
    char *word = word_next(&line);
    const struct call *call = call_make(word, line);
    handle_t handle = (handle_t)call->args.out[0];
    facts_print(call->args.status, handle);
    if (call->args.status == OK && sys_handle_close(handle) != OK) panic("no handle");
}

static void line_run(char *line) {
    char *word = word_next(&line);
    switch (word[0] == '?' ? word[1] : 0) {
    case 'p': probe_run(line); break;
    case 'l': facts_print(OK, (handle_t)strtoul(line, nullptr, 0)); break;
    case 'm': {
        u32 type = (u32)strtoul(word_next(&line), nullptr, 0);
        printf("%u", object_make(type, (handle_t)strtoul(word_next(&line), nullptr, 0)));
        break;
    }
    default: call_run(word, line);
    }
    printf("\n");
    fflush(stdout);
}

static void user_main(u64 bootstrap, u64 argument) {
    char line[LINE];
    (void)argument;
    rooms_map();
    printf("%lu\n", bootstrap);
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin))
        line_run(line);
    exit(0);
}

// The output is for answers.
static void log_print(const char *text, usize size) { fwrite(text, 1, size, stderr); }

static int run(void *argument) {
    (void)argument;
    log_set_output(log_print);
    struct process *process;
    static struct waitq forever;
    static struct lock lock = LOCK_INIT(LOCK_OBJECT);
    struct arch_user_start start = {.ip = (u64)user_main};
    handle_t root;
    if (process_create(ns_root, nullptr, &process) != OK ||
        handles_reserve(&process->handles, 1, &root) != OK)
        panic("no memory");
    object_get(&ns_root->base);
    handle_fill_new(&process->handles, root, &ns_root->base);
    start.arg[0] = root;
    if (process_start(process, &start, CL_HANDLE_INVALID) != OK) panic("no memory");
    object_put(&process->base);
    disk_start();
    waitq_init(&forever);
    for (;;) {
        lock_acquire(&lock);
        (void)waitq_block(&forever, &lock, CL_DEADLINE_NEVER, 0);
    }
}

int main(void) { host_run(1, run, nullptr); }
