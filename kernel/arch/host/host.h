// The machine that a Unix process is: what tests call beside the kernel's own functions.
#pragma once

#include "arch/arch.h"

enum : u64 { HOST_RAM_SIZE = MIB(64) };

// Becomes the boot CPU of a machine with `cpus` CPUs, and runs kernel code on it: after this, the
// scheduler, the root namespace and memory work. Then runs test(argument) as a kernel thread, and
// leaves the process with its result as status. A test that ends with exit(0) has all counts checked
// (kernel/check), and keeps no reference then but in handles.
NORETURN void host_run(u32 cpus, int (*test)(void *argument), void *argument);

// What an entry of "user code" points to: bootstrap handle and argument. It never returns.
typedef void (*host_user_entry)(u64 bootstrap, u64 argument);

// Where a user's program counter is in user memory, this runs instead; set before host_run.
extern host_user_entry host_user_code;
// Before host_run, with one CPU: from now on time passes a little whenever it is asked, and up to the
// next deadline when nobody has anything to do. So the same calls are the same run.
void host_time_stop(void);

// A user access by this CPU through its TLB: copies between `bytes` and [va, va + size), which lies
// in one page. `need`: ARCH_MAP_*; with ARCH_MAP_WRITE the user writes. False: it faults.
bool host_user_access(struct arch_pmap *pmap, u64 va, u32 need, void *bytes, usize size);
// What happens on the way back to user mode; test code that plays user calls it between calls.
void host_user_return(void);
// Pages that are entered in a pmap.
u64 host_pmap_pages(const struct arch_pmap *pmap);
