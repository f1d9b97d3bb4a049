// The shell: Docker's verbs on the console, or one command: over the command channel, or as the
// arguments of the container that the system runs in. It holds the console, the machine's totals, the
// ledgers of the namespaces of the boot manifest, and the manager's channel; nothing of a container's.
// When it ends, init ends the system.
#include "cloister.h"

#include "lib/log.h"
#include "lib/string.h"
#include "shell/session.h"
#include "shell/shell.h"

struct shell shell;

int main(struct startup *startup) {
    const char *channel = startup_option(startup, "channel");
    shell.startup = startup;
    console_open(&shell.console, startup);
    shell.system = startup_handle(startup, "system");
    if (channel && strcmp(channel, "com2") == 0) {
        shell.command = startup_handle(startup, "command");
        if (!shell.command) {
            log_line("shell: there is no second serial line for channel=com2");
        }
    }
    if (port_create(0, &shell.port) != OK) {
        log_line("shell: it has no memory to start with");
        return 1;
    }
    if (shell.command) return session_command();
    i32 status;
    const char *word = startup_argument(startup, NULL);
    if (!shell.console.serial && word && strcmp(word, "sh") != 0) {
        status = session_words();
    } else {
        shell.has_input = console_input(&shell.console) != 0;
        status = session_console();
    }
    output_flush();
    return status;
}
