"""`./cloister run`: the machine's console on this terminal, QEMU's monitor behind Ctrl-A."""

import shlex
import subprocess
import sys

from pybuild.machine import MachineConfig, machine_command
from pybuild.paths import ROOT


def terminal_command(config: MachineConfig) -> list[str]:
    """The QEMU command with the console on stdio; the console also goes to the log."""
    return [
        *machine_command(config),
        *("-chardev", f"stdio,id=console,mux=on,signal=off,logfile={config.log}"),
        *("-serial", "chardev:console", "-mon", "chardev=console"),
    ]


def run_on_terminal(config: MachineConfig) -> int:
    """Runs until poweroff or Ctrl-A x; QEMU's status, 125 when it can't be started."""
    config.log.unlink(missing_ok=True)
    command = terminal_command(config)
    try:
        return subprocess.run(command, cwd=ROOT, check=False).returncode
    except OSError as error:
        print(f"cloister: {error}\ncommand: {shlex.join(command)}", file=sys.stderr)
        return 125
