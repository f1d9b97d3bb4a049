// The shell: Docker's verbs on the console, or one command over the command channel. It holds the
// console, the machine's totals and its power switch, the ledgers of the namespaces of the boot
// manifest, and the manager's channel; nothing of a container's.
#include "cloister.h"

#include "lib/log.h"
#include "lib/string.h"
#include "shell/session.h"
#include "shell/shell.h"

struct shell shell;

int main(struct startup *startup) {
    const char *channel = startup_option(startup, "channel");
    shell.startup = startup;
    shell.console = startup_handle(startup, "console");
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
    if (shell.command) {
        session_command();
    } else {
        session_console();
    }
    system_poweroff(shell.system, 0);
    return 0;
}
