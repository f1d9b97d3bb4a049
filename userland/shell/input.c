#include "cloister.h"

#include "shell/input.h"
#include "shell/shell.h"

enum { INPUT_BYTES_MAX = 4096, KEY_CTRL_C = 3 };

static char typed[INPUT_BYTES_MAX];
static u32 typed_begin;
static u32 typed_count;

void input_poll(enum input_overflow overflow) {
    char bytes[256];
    u64 count;
    while ((overflow == INPUT_DROP || INPUT_BYTES_MAX - typed_count >= sizeof(bytes)) &&
           serial_read(shell.console, bytes, sizeof(bytes), &count) == OK && count > 0) {
        for (u64 i = 0; i < count && typed_count < INPUT_BYTES_MAX; i++) {
            typed[(typed_begin + typed_count++) % INPUT_BYTES_MAX] = bytes[i];
        }
    }
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

char input_wait(void) {
    i32 byte;
    u32 observed;
    while ((byte = input_take()) < 0) {
        input_poll(INPUT_DROP);
        if (typed_count == 0 &&
            object_wait(shell.console, SIGNAL_READABLE, 0, CL_DEADLINE_NEVER, &observed) != OK) {
            process_exit(1); // the console is gone
        }
    }
    return (char)byte;
}
