// The first process.
#pragma once

// Loads `init` from the boot bundle into the root namespace, gives it a handle to each thing that
// there is, and starts it. Panics with the reason when there is no bundle or no valid init.
void boot_start_init(void);
