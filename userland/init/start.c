// init's first code. On a machine, where nobody is there to send a start message, the kernel fills in
// the bundle's first page and gives the bundle: of that this makes the records. In a container init
// is a program like any other, and is given the channel on which its records wait.
#include "cloister.h"

#include "lib/bundle.h"
#include "lib/startup.h"

// By enum gift of kernel/object/boot.c.
static const char *const gifts[] = {"ns",     "system", "console", "command",
                                    "bundle", "block0", "nic0"};
static struct startup startup_here;
static struct bundle_header header;
static char bytes[2 * CL_PAGE_SIZE]; // a word each may be one letter

static void words_add(struct records_writer *writer, char *line) {
    while (*line) {
        char *end = line;
        while (*end && *end != ' ') {
            end++;
        }
        char *next = end + (*end != 0);
        *end = 0;
        if (*line) {
            records_add(writer, 'a', line);
        }
        line = next;
    }
}

static status_t bundle_receive(handle_t bundle) {
    struct records_writer writer;
    records_begin(&writer, bytes, sizeof(bytes));
    status_t status = memobj_read(bundle, 0, &header, sizeof(header));
    if (status == OK) {
        for (u32 i = 0; i < ARRAY_SIZE(gifts); i++) {
            records_add_handle(&writer, gifts[i], header.handles[i]);
        }
        words_add(&writer, header.command_line);
        records_open(&startup_here.records, bytes, writer.size_bytes, writer.handles,
                     writer.handles_count);
    }
    return status;
}

[[gnu::used, noreturn]] static void init_enter(handle_t given) {
    struct cl_object_info info;
    status_t status = object_info(given, &info);
    if (status == OK)
        status = info.type == OBJ_CHANNEL ? startup_receive(&startup_here, given)
                                          : bundle_receive(given);
    process_exit(status == OK ? main(&startup_here) : (i32)status);
}

[[gnu::naked, gnu::visibility("default")]] void _start(void);
void _start(void) {
    __asm__("xor %%ebp, %%ebp\n"
            "and $-16, %%rsp\n"
            "call %c0\n"
            "ud2" ::"i"(init_enter));
}
