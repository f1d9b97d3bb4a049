// Starting a native program from the boot bundle in a new process.
#pragma once

#include "lib/bundle.h"
#include "lib/records.h"

enum : u32 { PROGRAM_REPORTS_BYTES_MAX = 24576 }; // that wait for us on its bootstrap channel

// Makes a process in `ns` that runs the bundle's program `name`, with the records as its start-up
// message. When the records' handles have moved, which may be before an error, handles_count is 0.
// NOT_FOUND no such program, INVALID_ARGUMENT (*problem says why) no program that can be loaded.
// *process has all rights. *control is our end of its bootstrap channel. With an error both are 0.
status_t program_start(handle_t ns, handle_t bundle, const char *name,
                       struct records_writer *records, handle_t *process, handle_t *control,
                       const char **problem);
