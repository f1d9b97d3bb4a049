// The options of `run` and `exec`, and of verbs that have one or two.
#pragma once

#include "lib/manager_protocol.h"
#include "lib/records.h"
#include "shell/limits.h"
#include "shell/shell.h"

enum run_verb : u32 { VERB_RUN = 1, VERB_EXEC = 2 };

struct run_options {
    enum run_verb verb;
    u32 flags; // MANAGER_FLAG_REMOVE
    bool is_detached;
    bool is_interactive;
    bool has_terminal;
    bool has_trace;
    const char *name;
    const char *cwd;
    const char *user;
    const char *ulimit; // NULL, or nofile=SOFT[:HARD]
    struct limits limits;
    const char *target;  // the image, or the container
    const char *command; // the first word behind it, or NULL
};

// Reads the words of `run` or `exec`. False: a usage error was said.
bool run_options_read(const struct words *words, enum run_verb verb, struct run_options *options);

// Adds what the options say, and the environment, to a request.
void run_options_write(const struct run_options *options, const struct words *words,
                       struct records_writer *writer);

// An option of a verb at *word: `-x VALUE`, `--long VALUE` or `--long=VALUE`. True: *value is set (NULL:
// it is missing) and *word has moved on.
bool option_take(const struct words *words, const char **word, const char *short_text,
                 const char *long_text, const char **value);
// The same for an option without a value.
bool option_flag(const struct words *words, const char **word, const char *short_text,
                 const char *long_text);

// `-t SECONDS` between TERM and KILL, or the default. False: a usage error was said.
bool stop_timeout_read(const char *verb, const struct words *words, const char **word,
                       u64 *timeout_ns);

// Decimal digits, nothing else. False: it is no number.
bool number_read(const char *text, u64 *number);
// The same with a unit behind: b, k, m, g.
bool size_read(const char *text, u64 *bytes);
// A number, or a name with or without SIG. 0: there is no such signal.
u32 signal_read(const char *text);
