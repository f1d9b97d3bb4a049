// See test.h.
#include "test.h"
#include "abi/names.h"
#include "lib/format.h"
#include "lib/serial_io.h"
#include "lib/startup.h"
#include "lib/string.h"

enum { LINE_MAX = 512, LOG_RETRY_MS = 20 };

static const struct startup *started;
static uint32_t failures;       // in all
static uint32_t failures_since; // since the last test_pass()

handle_t test_named(const char *name) { return startup_handle(started, name); }

const char *test_option(const char *key) { return startup_option(started, key); }

handle_t test_handle(uint32_t object_type) {
    static const char *const names[OBJ_COUNT] = {
        [OBJ_NAMESPACE] = "ns",  [OBJ_SYSTEM] = "system", [OBJ_SERIAL] = "console",
        [OBJ_MEMOBJ] = "bundle", [OBJ_BLOCK] = "block0",  [OBJ_NIC] = "nic0",
    };
    return object_type < OBJ_COUNT && names[object_type] ? test_named(names[object_type]) : 0;
}

uint64_t test_deadline(uint64_t milliseconds) {
    uint64_t now_ns = 0;
    clock_get(CL_CLOCK_MONOTONIC, &now_ns);
    return now_ns + milliseconds * 1000000;
}

static void pause(void) {
    static const uint32_t word = 0;
    futex_wait((uint64_t)&word, word, 0, test_deadline(LOG_RETRY_MS));
}

// `line` has room for two more. On the console, where there is one: it has no rate.
static void print_line(char *line, usize size) {
    handle_t console = test_handle(OBJ_SERIAL);
    memcpy(line + size, "\r\n", 2);
    if (console != 0 && serial_write_all(console, line, size + 2) == OK) return;
    while (log_write(line, size) == ERR_SHOULD_WAIT)
        pause();
}

void test_print(const char *text) {
    char line[LINE_MAX + 2];
    usize size = strnlen(text, LINE_MAX);
    memcpy(line, text, size);
    print_line(line, size);
}

void test_printf(const char *format, ...) {
    char line[LINE_MAX + 2];
    va_list args;
    va_start(args, format);
    usize size = format_text_args(line, LINE_MAX, format, args);
    va_end(args);
    print_line(line, size < LINE_MAX ? size : LINE_MAX - 1);
}

void test_result(const char *name, const char *text, const char *failure) {
    if (failure) {
        failures++;
        failures_since++;
    }
    test_printf("TEST %s %s %s", name, failure ? "FAIL" : "PASS", failure ? failure : text);
}

// The file's name without its `.c`.
static int name_size(const char *file) {
    const char *end = strrchr(file, '.');
    return end ? (int)(end - file) : (int)strlen(file);
}

void test_pass_at(const char *file, const char *text) {
    if (failures_since == 0) test_printf("TEST %.*s PASS %s", name_size(file), file, text);
    failures_since = 0;
}

void test_fail_at(const char *file, int line, const char *text) {
    failures++;
    failures_since++;
    test_printf("TEST %.*s FAIL %s:%d: %s", name_size(file), file, file, line, text);
}

void test_ok_at(const char *file, int line, status_t status, const char *text) {
    if (status == OK) return;
    test_printf("TEST %.*s FAIL %s:%d: %s: %s", name_size(file), file, file, line, text,
                cl_error_name(status));
    process_exit(1);
}

int main(struct startup *startup) {
    started = startup;
    test_run();
    return failures ? 1 : 0;
}
