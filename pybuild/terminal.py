"""`./cloister run`: the machine's console on this terminal, QEMU's monitor behind Ctrl-A."""

import os
import shlex
import shutil
import sys

from pybuild.machine import MachineConfig, machine_command
from pybuild.paths import ROOT
from pybuild.window import window_run


def terminal_command(config: MachineConfig) -> list[str]:
    """The QEMU command with the console on stdio; the console also goes to the log."""
    return [
        *machine_command(config),
        *("-chardev", f"stdio,id=console,mux=on,signal=off,logfile={config.log}"),
        *("-serial", "chardev:console", "-mon", "chardev=console"),
    ]


def run_on_terminal(config: MachineConfig) -> int:
    """Runs QEMU until poweroff or Ctrl-A x; 125 when it can't be started."""
    config.log.unlink(missing_ok=True)
    command = terminal_command(config)
    os.chdir(ROOT)
    try:
        if sys.stdin.isatty() and shutil.which(command[0]):
            return window_run(command)
        os.execvp(command[0], command)
    except OSError as error:
        print(f"cloister: {error}\ncommand: {shlex.join(command)}", file=sys.stderr)
        return 125
