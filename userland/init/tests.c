// Each test program runs in a namespace of its own, `test`, with all rights on it; the namespace is
// killed afterwards, and the machine's free pages and its counts of objects, handles and threads
// must be what they were before.
#include "cloister.h"

#include "abi/names.h"
#include "init/machine.h"
#include "init/tests.h"
#include "lib/kernel_check.h"
#include "lib/loader.h"
#include "lib/serial_io.h"
#include "lib/string.h"

enum : u64 { GONE_TIMEOUT_NS = 20'000'000'000 };
enum { FAILURES_MAX = 100 };
static const char name_prefix[] = "test/";

static struct {
    handle_t console;
    handle_t system;
    u32 run_count;
    u32 failed_count;
} here;

static void test_failed(const char *name, const char *text, const char *detail) {
    serial_print(here.console, "TEST %s FAIL %s %s\r\n", name, text, detail);
    here.failed_count++;
}

// Idle credit is recalled before the machine's totals are read.
static struct cl_system_info totals_read(void) {
    struct cl_ns_info root;
    struct cl_system_info info = {};
    ns_info(machine.root, &root);
    system_info(here.system, &info);
    return info;
}

static void total_compare(const char *name, const char *what, u64 before, u64 after) {
    if (before != after) {
        serial_print(here.console, "TEST %s FAIL the machine had %lu %s before and has %lu now\r\n",
                     name, before, what, after);
        here.failed_count++;
    }
}

static void totals_compare(const char *name, const struct cl_system_info *before) {
    struct cl_system_info after = totals_read();
    total_compare(name, "free pages", before->memory_free_pages, after.memory_free_pages);
    total_compare(name, "objects", before->objects, after.objects);
    total_compare(name, "handles", before->handles, after.handles);
    total_compare(name, "threads", before->threads, after.threads);
}

static void give_copy(struct records_writer *records, const char *name, handle_t handle,
                      u32 rights) {
    if (handle) {
        records_add_handle(records, name, machine_copy(handle, rights, name));
    }
}

static char start_message[4 * CL_PAGE_SIZE];

static void records_make(struct records_writer *records, handle_t ns) {
    static const char *const devices[] = {"system", "console", "bundle", "block0", "nic0"};
    records_begin(records, start_message, sizeof(start_message));
    give_copy(records, "ns", ns, RIGHT_MASK);
    for (u32 i = 0; i < ARRAY_SIZE(devices); i++) {
        give_copy(records, devices[i], startup_handle(machine.startup, devices[i]), RIGHT_MASK);
    }
    const char *argument = NULL;
    while ((argument = startup_argument(machine.startup, argument))) {
        records_add(records, 'a', argument);
    }
}

static void test_check_end(const char *name, handle_t process) {
    u32 observed;
    struct cl_object_info info;
    status_t status = object_wait(process, SIGNAL_TERMINATED, 0, CL_DEADLINE_NEVER, &observed);
    if (status == OK) {
        status = object_info(process, &info);
    }
    if (status != OK) {
        test_failed(name, "its end is not known:", cl_error_name(status));
    } else if (info.detail[0] == CL_PROCESS_STATE_CRASHED) {
        test_failed(name, "it crashed", "");
    } else if (info.detail[0] != CL_PROCESS_STATE_EXITED || info.detail[1] != 0) {
        test_failed(name, "its exit status is not 0", "");
    }
}

static void test_run_in(const char *name, const char *program, handle_t ns) {
    struct records_writer records;
    handle_t process, control;
    const char *problem;
    records_make(&records, ns);
    status_t status =
        program_start(ns, machine.bundle, program, &records, &process, &control, &problem);
    if (status != OK) {
        test_failed(name, cl_error_name(status), problem);
        return;
    }
    test_check_end(name, process);
    handle_close(process);
    handle_close(control);
}

static void namespace_end(const char *name, handle_t ns) {
    u64 now_ns = 0;
    u32 observed;
    status_t status = ns_kill(ns);
    clock_get(CL_CLOCK_MONOTONIC, &now_ns);
    if (status == OK) {
        status = object_wait(ns, SIGNAL_TERMINATED, 0, now_ns + GONE_TIMEOUT_NS, &observed);
    }
    if (status != OK) {
        test_failed(name, "its namespace does not go:", cl_error_name(status));
    }
    handle_close(ns);
}

// `program` is test/NAME.
static void test_run(const char *program) {
    const char *name = program + sizeof(name_prefix) - 1;
    struct cl_system_info before = totals_read();
    struct cl_ns_limits limits;
    handle_t ns;
    memset(&limits, 0xff, sizeof(limits)); // LIMIT_SAME: the defaults
    here.run_count++;
    status_t status = ns_create(machine.root, "test", 4, &limits, &ns);
    if (status != OK) {
        test_failed(name, "no namespace:", cl_error_name(status));
        return;
    }
    test_run_in(name, program, ns);
    namespace_end(name, ns);
    totals_compare(name, &before);
    kernel_check();
}

static void tests_run_all(void) {
    struct bundle_file file;
    for (u32 i = 0; bundle_file_at(machine.bundle, i, &file) == OK; i++) {
        if (strncmp(file.name, name_prefix, sizeof(name_prefix) - 1) == 0 &&
            strncmp(file.name, "test/bench_", 11) != 0) {
            test_run(file.name);
        }
    }
}

static void tests_run_named(const char *names) {
    while (*names) {
        char program[BUNDLE_NAME_MAX + 1];
        const char *comma = strchr(names, ',');
        usize size = comma ? (usize)(comma - names) : strlen(names);
        if (size < sizeof(program) - sizeof(name_prefix)) {
            memcpy(program, name_prefix, sizeof(name_prefix) - 1);
            memcpy(program + sizeof(name_prefix) - 1, names, size);
            program[sizeof(name_prefix) - 1 + size] = 0;
            test_run(program);
        } else {
            test_failed("name", "it is too long", names);
        }
        names += size + (comma != NULL);
    }
}

void tests_run(const char *names) {
    here.console = startup_handle(machine.startup, "console");
    here.system = startup_handle(machine.startup, "system");
    // What init itself touches first must not count as a test's loss.
    memset(start_message, 1, sizeof(start_message));
    if (strcmp(names, "all") == 0) {
        tests_run_all();
    } else {
        tests_run_named(names);
    }
    serial_print(here.console, "TESTS %u run, %u failed\r\n", here.run_count, here.failed_count);
    machine_poweroff(min(here.failed_count, (u32)FAILURES_MAX));
}
