// What is typed on the console, and what was typed ahead while a container ran.
#pragma once

#include "lib/types.h"

// What is done with bytes that there is no room for.
enum input_overflow : u32 {
    INPUT_DROP, // so that Ctrl-C is seen behind them
    INPUT_KEEP, // they stay where they are
};

// Reads what has come, without waiting, into the bytes typed ahead.
void input_poll(enum input_overflow overflow);

// Whether Ctrl-C was typed; it and what stands before it is forgotten then.
bool input_interrupted(void);

bool input_is_empty(void);

// Whether there is nothing, and never will be.
bool input_has_ended(void);

// The next byte typed, or -1.
i32 input_take(void);

// The next byte, waiting for it; -1: the console is gone, or its input has ended.
i32 input_wait(void);

// Has `key` come out of the shell's port when there is input. False: there is none, or it can't.
bool console_watch(u64 key);
