// The options of `run`.
#pragma once

#include "lib/manager_protocol.h"
#include "lib/records.h"
#include "shell/shell.h"

struct run_options {
    u32 flags; // MANAGER_FLAG_REMOVE
    bool is_detached;
    bool is_interactive;
    bool has_terminal;
    const char *name;
    const char *image;
    const char *command; // the first word behind the image, or NULL
};

// Reads the words of `run`. False: a usage error was said.
bool run_options_read(const struct words *words, struct run_options *options);

// Adds the environment that the options set to a request.
void run_options_environment(const struct words *words, struct records_writer *writer);
