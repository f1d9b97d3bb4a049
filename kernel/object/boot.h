// The first process.
#ifndef OBJECT_BOOT_H
#define OBJECT_BOOT_H

// Loads `init` from the boot bundle into the root namespace, gives it a handle to each thing that
// there is, and starts it. Panics with the reason when there is no bundle or no valid init.
void boot_start_init(void);

#endif
