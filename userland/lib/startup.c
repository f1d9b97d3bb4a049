// The first code of a native program.
#include "cloister.h"

#include "lib/message.h"
#include "lib/startup.h"

static struct startup startup_here;
static char startup_bytes[CL_MESSAGE_BYTES_MAX];

status_t startup_receive(struct startup *startup, handle_t bootstrap) {
    handle_t handles[RECORDS_HANDLES_MAX];
    struct cl_received received;
    status_t status = message_receive(bootstrap, startup_bytes, sizeof(startup_bytes), handles,
                                      RECORDS_HANDLES_MAX, CL_DEADLINE_NEVER, &received);
    if (status != OK) {
        return status;
    }
    startup->bootstrap = bootstrap;
    bool is_fine = records_open(&startup->records, startup_bytes, received.bytes_size, handles,
                                received.handles_count);
    return is_fine ? OK : ERR_INVALID_ARGUMENT;
}

[[gnu::used, noreturn]] static void startup_enter(handle_t bootstrap) {
    status_t status = startup_receive(&startup_here, bootstrap);
    process_exit(status == OK ? main(&startup_here) : (i32)status);
}

// Weak: the program's own _start comes before this one.
[[gnu::naked, gnu::weak, gnu::visibility("default")]] void _start(void);
void _start(void) {
    __asm__("xor %%ebp, %%ebp\n"
            "and $-16, %%rsp\n"
            "call %c0\n"
            "ud2" ::"i"(startup_enter));
}
