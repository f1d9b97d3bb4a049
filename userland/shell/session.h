// Where commands come from.
#pragma once

#include "lib/types.h"

// A prompt on the console, until `poweroff`.
void session_console(void);

// One command over the command channel (docs/decisions/console-and-command-channel.md).
void session_command(void);
