// Just enough of kernel/object/process.h for the generated decoding.
#pragma once
struct process {
    struct aspace *aspace;
};
static inline struct process *process_current(void) {
    static struct process process;
    return &process;
}
