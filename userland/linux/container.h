// The personality's side of being a container: its start message and its end.
#pragma once

#include "lib/types.h"

// Reports the first process's wait status, and ends the personality with all its threads.
[[noreturn]] void container_exit(i32 wait_status);
