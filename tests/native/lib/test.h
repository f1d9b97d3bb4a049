// What native test programs share: start-up, handles, results.
//
// Rules:
// - A program defines test_run(); when it returns, the program ends with status 0 if all passed.
// - Results are lines `TEST name PASS text` and `TEST name FAIL text` on the console (without one,
//   in the kernel's log). The name is that of the source file, unless test_result() gives another.
// - A failed check is printed and counted; the test goes on. test_ok() ends the program, for steps
//   without which the rest means nothing.
#pragma once
#include "cloister.h"

// The program's own.
void test_run(void);

// What init gave the program, by name (`ns` its own namespace with all rights, `root` to look at,
// `system`, `console`, `bundle`, `block0`, `nic0`) or the one of them by its type; 0 when there is
// none. The handles stay the library's.
handle_t test_named(const char *name);
// The value of KEY=VALUE on the kernel's command line; nullptr when it is not there.
const char *test_option(const char *key);
handle_t test_handle(uint32_t object_type);
static inline handle_t test_namespace(void) { return test_handle(OBJ_NAMESPACE); }

// One line, without its end.
void test_print(const char *text);
void test_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

// A structured result; nullptr for `failure` when it passed.
void test_result(const char *name, const char *text, const char *failure);

// ns since boot, some ms from now: for waits that must end.
uint64_t test_deadline(uint64_t milliseconds);

void test_pass_at(const char *file, const char *text);
void test_fail_at(const char *file, int line, const char *text);
void test_ok_at(const char *file, int line, status_t status, const char *text);

// PASS, if nothing has failed since the last test_pass().
#define test_pass(text) test_pass_at(__FILE_NAME__, text)
#define test_fail(text) test_fail_at(__FILE_NAME__, __LINE__, text)
#define test_check(condition, text)        \
    do {                                   \
        if (!(condition)) test_fail(text); \
    } while (0)
#define test_ok(status, text) test_ok_at(__FILE_NAME__, __LINE__, status, text)
