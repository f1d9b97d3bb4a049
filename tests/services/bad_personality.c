// A personality that misbehaves as the first word of its command says. It takes the place of `linux`
// in a boot bundle; nothing that it does may hurt more than its own container.
#include "cloister.h"

#include "lib/container_protocol.h"
#include "lib/message.h"
#include "lib/startup.h"
#include "lib/string.h"

static struct startup startup_here;
static u8 clone_stack[16 * PAGE_SIZE] __attribute__((aligned(16)));

static void report(u32 version, u32 kind, i32 status, u32 size_bytes) {
    struct container_report text = {.version = version, .kind = kind, .status = status};
    message_send(startup_here.bootstrap, &text, size_bytes, NULL, 0);
}

static void hang(void) {
    u32 observed;
    for (;;) {
        object_wait(startup_here.bootstrap, SIGNAL_USER0, 0, CL_DEADLINE_NEVER, &observed);
    }
}

// Tells the end of each program that it is asked for, and then once more.
static void repeat(void) {
    static char bytes[CL_MESSAGE_BYTES_MAX];
    handle_t handles[RECORDS_HANDLES_MAX];
    struct cl_received received;
    const struct container_request *request = (const void *)bytes;
    while (message_receive(startup_here.bootstrap, bytes, sizeof(bytes), handles,
                           RECORDS_HANDLES_MAX, CL_DEADLINE_NEVER, &received) == OK) {
        struct container_report text = {.version = CONTAINER_PROTOCOL_VERSION,
                                        .kind = CONTAINER_EXEC_ENDED,
                                        .id = request->id,
                                        .status = 7};
        message_send(startup_here.bootstrap, &text, sizeof(text), NULL, 0);
        message_send(startup_here.bootstrap, &text, sizeof(text), NULL, 0);
    }
}

// Reports a good end, but with handles that nobody has asked for: to close them is for nobody else.
static void report_with_handles(void) {
    struct container_report text = {
        .version = CONTAINER_PROTOCOL_VERSION, .kind = CONTAINER_EXITED, .status = 3};
    handle_t handles[2];
    event_create(0, &handles[0]);
    event_create(0, &handles[1]);
    message_send(startup_here.bootstrap, &text, sizeof(text), handles, 2);
}

// Writes until the stream is full, and then waits for somebody to read.
static void flood(void) {
    static char bytes[4096];
    handle_t out = startup_handle(&startup_here, "stdout");
    memset(bytes, 'x', sizeof(bytes));
    for (u32 i = 0; i < 256; i++) {
        u32 observed;
        while (message_send(out, bytes, sizeof(bytes), NULL, 0) == ERR_SHOULD_WAIT) {
            object_wait(out, SIGNAL_WRITABLE, 0, CL_DEADLINE_NEVER, &observed);
        }
    }
    report(CONTAINER_PROTOCOL_VERSION, CONTAINER_EXITED, 0, sizeof(struct container_report));
    hang();
}

static void misbehave(const char *how) {
    const u32 size = sizeof(struct container_report);
    if (strcmp(how, "crash") == 0) {
        __builtin_trap();
    } else if (strcmp(how, "kill-namespace") == 0) {
        ns_kill(startup_handle(&startup_here, "ns"));
    } else if (strcmp(how, "short") == 0) {
        report(CONTAINER_PROTOCOL_VERSION, CONTAINER_EXITED, 0, size - 1);
    } else if (strcmp(how, "version") == 0) {
        report(77, CONTAINER_EXITED, 0, size);
    } else if (strcmp(how, "status") == 0) {
        report(CONTAINER_PROTOCOL_VERSION, CONTAINER_EXITED, 256, size);
    } else if (strcmp(how, "failed") == 0) {
        report(CONTAINER_PROTOCOL_VERSION, CONTAINER_FAILED, 9, size);
    } else if (strcmp(how, "twice") == 0) {
        report(CONTAINER_PROTOCOL_VERSION, CONTAINER_EXITED, 5, size);
        report(CONTAINER_PROTOCOL_VERSION, CONTAINER_EXITED, 6, size);
    } else if (strcmp(how, "handles") == 0) {
        report_with_handles();
    } else if (strcmp(how, "flood") == 0) {
        flood();
    } else if (strcmp(how, "repeat") == 0) {
        repeat();
    } else if (strcmp(how, "hang") == 0) {
        hang();
    }
    process_exit(0); // without a word
}

[[noreturn, gnu::used]] static void clone_enter(handle_t control) {
    status_t status = startup_receive(&startup_here, control);
    const char *how = status == OK ? startup_argument(&startup_here, NULL) : NULL;
    misbehave(how ? how : "");
    process_exit(0);
}

[[gnu::naked]] static void clone_start(void) { __asm__("call %c0\nud2" ::"i"(clone_enter)); }

int main(struct startup *startup) {
    (void)startup;
    process_freeze((u64)clone_start, (u64)clone_stack + sizeof(clone_stack));
    return 1;
}
