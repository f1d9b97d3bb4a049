// Services and templates: started from the bundle with what the manifest says.
#pragma once

#include "init/machine.h"

enum { SERVICES_MAX = 8, TEMPLATES_MAX = 4, SERVICE_RESTARTS_MAX = 100 };

struct service {
    struct manifest_line line;
    handle_t ns;
    handle_t process; // 0: it does not run
    handle_t control; // our end of its bootstrap channel
    handle_t client;  // first end of its channel, while it serves one
    u32 restarts;
};

struct template {
    char name[MANIFEST_WORD_MAX + 1];
    handle_t process;
};

// Makes the namespaces that a line of the manifest speaks of.
void service_prepare(const struct manifest_line *line);

// Runs a program until it has frozen itself. A failure is a line on the log.
void template_start(const struct manifest_line *line);

// Starts a service for the first time, and waits for it if the manifest says so.
void service_add(const struct manifest_line *line);

// One more process of the service with the console, with a session's streams and words. Errors of
// program_start; NOT_FOUND when there is no such service.
status_t service_session(const struct records *session, handle_t *process, handle_t *control);

// Has the service with the console tell on this channel, which stays the caller's, when its log has grown.
void service_follow(handle_t channel);

// Watches services for ever, and starts those again that the manifest says so for.
[[noreturn]] void services_watch(void);
