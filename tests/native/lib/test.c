// See test.h.
#include "test.h"
#include "abi/names.h"
#include "lib/format.h"
#include "lib/string.h"

enum { LINE_MAX = 512, MESSAGE_MAX = 4096, LOG_RETRY_MS = 20, START_MS = 10000 };

static handle_t handles[OBJ_COUNT];
static uint32_t failures;       // in all
static uint32_t failures_since; // since the last test_pass()

// Unless the library brings its own: bootstrap handle and argument are where C expects them.
__attribute__((weak, naked, section(".text.start"))) void _start(void)
{
    __asm__("xor %ebp, %ebp\n\t"
            "and $-16, %rsp\n\t"
            "call main\n\t"
            "ud2");
}

handle_t test_handle(uint32_t object_type)
{
    return object_type < OBJ_COUNT ? handles[object_type] : 0;
}

uint64_t test_deadline(uint64_t milliseconds)
{
    uint64_t now_ns = 0;
    clock_get(CL_CLOCK_MONOTONIC, &now_ns);
    return now_ns + milliseconds * 1000000;
}

static void pause(void)
{
    static const uint32_t word = 0;
    futex_wait((uint64_t)&word, word, 0, test_deadline(LOG_RETRY_MS));
}

static void print_line(char *line, usize size)
{
    line[size] = '\n';
    while (log_write(line, size + 1) == ERR_SHOULD_WAIT)
        pause();
}

void test_print(const char *text)
{
    char line[LINE_MAX + 1];
    usize size = strnlen(text, LINE_MAX);
    memcpy(line, text, size);
    print_line(line, size);
}

void test_printf(const char *format, ...)
{
    char line[LINE_MAX + 1];
    va_list args;
    va_start(args, format);
    usize size = format_text_args(line, LINE_MAX, format, args);
    va_end(args);
    print_line(line, size < LINE_MAX ? size : LINE_MAX - 1);
}

void test_result(const char *name, const char *text, const char *failure)
{
    if (failure) {
        failures++;
        failures_since++;
    }
    test_printf("TEST %s %s %s", name, failure ? "FAIL" : "PASS", failure ? failure : text);
}

// The file's name without its `.c`.
static int name_size(const char *file)
{
    const char *end = strrchr(file, '.');
    return end ? (int)(end - file) : (int)strlen(file);
}

void test_pass_at(const char *file, const char *text)
{
    if (failures_since == 0)
        test_printf("TEST %.*s PASS %s", name_size(file), file, text);
    failures_since = 0;
}

void test_fail_at(const char *file, int line, const char *text)
{
    failures++;
    failures_since++;
    test_printf("TEST %.*s FAIL %s:%d: %s", name_size(file), file, file, line, text);
}

void test_ok_at(const char *file, int line, status_t status, const char *text)
{
    if (status == OK)
        return;
    test_printf("TEST %.*s FAIL %s:%d: %s: %s", name_size(file), file, file, line, text,
                cl_error_name(status));
    process_exit(1);
}

// The types of the handles are asked for, so that whoever starts a test need not say them.
static void handles_receive(handle_t bootstrap)
{
    static uint8_t bytes[MESSAGE_MAX];
    handle_t values[CL_MESSAGE_HANDLES_MAX];
    struct cl_received received;
    struct cl_message room = {
        .bytes = (uint64_t)bytes,
        .bytes_size = sizeof(bytes),
        .handles = (uint64_t)values,
        .handles_count = CL_MESSAGE_HANDLES_MAX,
    };
    status_t status =
        channel_receive(bootstrap, &room, (uint64_t)&received, 0, test_deadline(START_MS));
    if (status != OK) {
        test_printf("TEST start FAIL no message on the bootstrap channel: %s",
                    cl_error_name(status));
        process_exit(1);
    }
    for (uint32_t i = 0; i < received.handles_count; i++) {
        struct cl_object_info info;
        if (object_info(values[i], &info) == OK && info.type < OBJ_COUNT && !handles[info.type])
            handles[info.type] = values[i];
    }
}

int main(handle_t bootstrap, uint64_t argument);
int main(handle_t bootstrap, uint64_t argument)
{
    (void)argument;
    if (bootstrap != CL_HANDLE_INVALID)
        handles_receive(bootstrap);
    test_run();
    process_exit(failures ? 1 : 0);
}
