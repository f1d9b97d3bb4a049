#include "cloister.h"

#include "shell/input.h"
#include "shell/shell.h"

enum { INPUT_BYTES_MAX = 2 * CONSOLE_READ_MIN, KEY_CTRL_C = 3 };

static char typed[INPUT_BYTES_MAX];
static u32 typed_begin;
static u32 typed_count;
static bool has_ended;

void input_poll(enum input_overflow overflow) {
    static char bytes[CONSOLE_READ_MIN];
    status_t status = OK;
    u64 count;
    while (status == OK &&
           (overflow == INPUT_DROP || INPUT_BYTES_MAX - typed_count >= sizeof(bytes))) {
        status = console_read(&shell.console, bytes, sizeof(bytes), &count);
        for (u64 i = 0; status == OK && i < count && typed_count < INPUT_BYTES_MAX; i++) {
            typed[(typed_begin + typed_count++) % INPUT_BYTES_MAX] = bytes[i];
        }
    }
    has_ended |= status != OK && status != ERR_SHOULD_WAIT;
}

bool input_interrupted(void) {
    for (u32 i = typed_count; i > 0; i--) {
        if (typed[(typed_begin + i - 1) % INPUT_BYTES_MAX] == KEY_CTRL_C) {
            typed_begin = (typed_begin + i) % INPUT_BYTES_MAX;
            typed_count -= i;
            return true;
        }
    }
    return false;
}

bool input_has_ended(void) { return has_ended && typed_count == 0; }

bool input_is_empty(void) { return typed_count == 0; }

i32 input_take(void) {
    if (typed_count == 0) {
        return -1;
    }
    u8 byte = (u8)typed[typed_begin];
    typed_begin = (typed_begin + 1) % INPUT_BYTES_MAX;
    typed_count--;
    return byte;
}

i32 input_wait(void) {
    i32 byte;
    u32 observed;
    while ((byte = input_take()) < 0 && !has_ended) {
        input_poll(INPUT_KEEP);
        if (typed_count == 0 && !has_ended)
            has_ended =
                object_wait(console_input(&shell.console), SIGNAL_READABLE | SIGNAL_PEER_CLOSED, 0,
                            CL_DEADLINE_NEVER, &observed) != OK;
    }
    return byte;
}

bool console_watch(u64 key) {
    return shell.has_input && port_register(shell.port, console_input(&shell.console),
                                            SIGNAL_READABLE | SIGNAL_PEER_CLOSED, key, 0) == OK;
}
