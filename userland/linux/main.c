// The personality's first code, twice: in the template, where everything is prepared that no
// container is needed for, and which then freezes itself; and in each clone of it, where a
// container starts.
//
// The clone runs on a stack of the template's, in slot 0 (thread.c): its struct thread is made
// there before the freeze.
#include "cloister.h"

#include "lib/message.h"
#include "lib/records.h"
#include "linux/boot.h"
#include "linux/processor.h"
#include "linux/random.h"

enum { FACTS_BYTES = 512, FACTS_HANDLES = 8 };

// What the template is told of the machine; the handles are not for it.
static void facts_receive(handle_t bootstrap) {
    char bytes[FACTS_BYTES];
    handle_t handles[FACTS_HANDLES];
    struct cl_received received;
    struct records records;
    status_t status = message_receive(bootstrap, bytes, sizeof(bytes), handles, FACTS_HANDLES,
                                      CL_DEADLINE_NEVER, &received);
    if (status == OK &&
        records_open(&records, bytes, received.bytes_size, handles, received.handles_count)) {
        const char *cpus = records_value(&records, 'o', "cpus");
        u32 count = 0;
        for (; cpus && *cpus >= '0' && *cpus <= '9' && count < PROCESSORS_MAX; cpus++) {
            count = count * 10 + (u32)(*cpus - '0');
        }
        processor_count_set(count);
    }
    for (u32 i = 0; status == OK && i < received.handles_count; i++) {
        handle_close(handles[i]);
    }
    handle_close(bootstrap);
}

[[gnu::used, noreturn]] static void template_enter(handle_t bootstrap) {
    facts_receive(bootstrap);
    struct boot boot;
    status_t status =
        fixup_register((u64)user_copy_start, (u64)user_copy_end, (u64)user_copy_fault);
    if (status == OK && boot_prepare(&boot) == 0) {
        status = process_freeze((u64)clone_start, boot.stack);
    }
    log_write("linux: the template can't be made", 33);
    process_exit(status == OK ? 1 : (i32)status);
    __builtin_unreachable();
}

[[gnu::used, noreturn]] static void clone_enter(handle_t bootstrap, u64 a, u64 b, u64 c, u64 d) {
    const u64 random[RANDOM_WORDS] = {a, b, c, d};
    random_give(random);
    boot_run(bootstrap);
}

// A native program's entry: bootstrap handle in rdi.
[[gnu::naked, gnu::visibility("default")]] void _start(void);
void _start(void) {
    __asm__("xor %%ebp, %%ebp\n"
            "and $-16, %%rsp\n"
            "call %c0\n"
            "ud2" ::"i"(template_enter));
}

// A clone's entry: bootstrap handle in rdi, new randomness in rsi, rdx, rcx, r8.
[[gnu::naked]] void clone_start(void) {
    __asm__("xor %%ebp, %%ebp\n"
            "and $-16, %%rsp\n"
            "call %c0\n"
            "ud2" ::"i"(clone_enter));
}
