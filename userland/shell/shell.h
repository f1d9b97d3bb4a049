// The shell's state and what its parts share. One thread; no locks.
#pragma once

#include "shell/console.h"
#include "shell/words.h"

enum {
    STATUS_OK = 0,
    STATUS_FAILED = 1,      // of an error outside of `run`, as Docker has it
    STATUS_OURS = 125,      // a usage error, or `run` did not get as far as the program
    STATUS_NOT_FOUND = 127, // no such command
    STATUS_INTERRUPTED = 130,
};

struct shell {
    struct startup *startup;
    struct console console;
    handle_t command; // the command channel; 0: commands and their output go over the console
    handle_t system;  // 0: the system runs in a container
    handle_t port;
    bool has_input; // what is typed on the console is for the shell and what it runs
    bool is_over;   // `poweroff` was asked for
};

extern struct shell shell;

// Runs a line's commands; the last one's status.
i32 line_run(const char *line, usize size_bytes);
// Runs one command.
i32 command_run(const struct words *words);

// One command of the shell.
struct verb {
    const char *name;
    const char *usage;   // what may stand behind the name
    const char *summary; // one line
    const char *text;    // more, in lines; may be empty
    i32 (*run)(const struct words *words);
};

extern const struct verb verbs[];
extern const u32 verbs_count;

// A usage error: says what is wrong and how it is meant. Returns STATUS_OURS.
i32 usage_error(const char *verb, const char *format, ...) __attribute__((format(printf, 2, 3)));

i32 run_verb(const struct words *words);
i32 exec_verb(const struct words *words);
i32 attach_verb(const struct words *words);
i32 start_verb(const struct words *words);
i32 restart_verb(const struct words *words);
i32 rename_verb(const struct words *words);
i32 names_verb(const struct words *words);
i32 acl_verb(const struct words *words);
i32 bind_verb(const struct words *words);
i32 unbind_verb(const struct words *words);
i32 update_verb(const struct words *words);
i32 tree_verb(const struct words *words);
i32 top_verb(const struct words *words);
i32 cp_verb(const struct words *words);
i32 stats_verb(const struct words *words);
i32 logs_verb(const struct words *words);
i32 ps_verb(const struct words *words);
i32 images_verb(const struct words *words);
i32 rm_verb(const struct words *words);
i32 kill_verb(const struct words *words);
i32 stop_verb(const struct words *words);
i32 wait_verb(const struct words *words);
i32 inspect_verb(const struct words *words);
i32 free_verb(const struct words *words);
i32 version_verb(const struct words *words);
i32 help_verb(const struct words *words);
i32 poweroff_verb(const struct words *words);
