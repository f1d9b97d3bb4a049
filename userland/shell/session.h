// Where commands come from.
#pragma once

#include "lib/types.h"

// Commands from the console, until `poweroff` or its end; with a prompt on a terminal. The last one's
// status.
i32 session_console(void);

// One command over the command channel (docs/decisions/console-and-command-channel.md).
i32 session_command(void);

// The command that the container was started with: `-c LINE`, `sh` for a prompt, or words. Its status.
i32 session_words(void);
