// What is typed on the console, and what was typed ahead while a container ran.
#pragma once

#include "lib/types.h"

// Reads what has come, without waiting, into the bytes typed ahead; what has no room is dropped.
void input_poll(void);

// Whether Ctrl-C was typed; it and what stands before it is forgotten then.
bool input_interrupted(void);

// The next byte typed, or -1.
i32 input_take(void);

// The next byte, waiting for it.
char input_wait(void);
