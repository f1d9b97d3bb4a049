"""The panic report, asked for by an NMI as an operator would of a machine that hangs."""

import fcntl
import re
import struct
import termios
import time

import pytest

from pybuild.machine import Machine, MachineConfig, MachineError, poll_until
from pybuild.paths import BUILD, KERNEL_DEBUG_ELF

BOOT_SECONDS = 60
REPORT_SECONDS = 20


def is_idle(machine: Machine) -> bool:
    """Whether every CPU waits for an interrupt."""
    registers = machine.qmp("human-monitor-command", **{"command-line": "info registers -a"})
    return "HLT=0" not in registers


@pytest.mark.parametrize("smp", [1, 2])
def test_an_nmi_gives_a_report_and_the_end(smp: int) -> None:
    config = MachineConfig(
        smp=smp,
        kernel=KERNEL_DEBUG_ELF,
        append="panic=poweroff",
        log=BUILD / "test" / "panic.log",
    )
    with Machine(config) as machine:
        machine.console.expect(rb"cloister# ", BOOT_SECONDS)
        poll_until(lambda: is_idle(machine), REPORT_SECONDS, "the idle machine")
        machine.qmp("inject-nmi")
        with pytest.raises(MachineError):
            machine.wait(REPORT_SECONDS)
        report = machine.console.text.decode(errors="replace")
    assert re.search(r"^PANIC: exception 2 NMI in (the kernel|user mode)", report, re.MULTILINE)
    assert re.search(r"CPU 0, \d+ us after boot, build [0-9a-f]{40}", report)
    assert re.search(r"rip [0-9a-f]+ cs [0-9a-f]+ rflags [0-9a-f]+", report)
    # An idle machine: the calls lead from the idle loop back to the start.
    assert re.search(r"[0-9a-f]{16} sched_idle\+0x[0-9a-f]+", report)
    assert "PANIC end of report" in report


def unread_bytes(machine: Machine) -> int:
    """How much of the console's output waits for us."""
    answer = fcntl.ioctl(machine.console.tube.fileno(), termios.FIONREAD, b"\0" * 4)
    return int(struct.unpack("i", answer)[0])


def is_full(machine: Machine) -> bool:
    """Whether nothing more comes of a console that is written to all the time."""
    before = unread_bytes(machine)
    time.sleep(0.5)
    return 0 < before == unread_bytes(machine)


def test_a_console_that_nobody_reads_does_not_hold_the_end_up() -> None:
    config = MachineConfig(
        kernel=KERNEL_DEBUG_ELF, append="panic=poweroff", log=BUILD / "test" / "panic.log"
    )
    with Machine(config) as machine:
        machine.console.expect(rb"cloister# ", BOOT_SECONDS)
        machine.console.send(b"run busybox yes\r")
        poll_until(lambda: is_full(machine), BOOT_SECONDS, "the console is full")
        machine.qmp("inject-nmi")
        poll_until(lambda: not machine.is_running(), REPORT_SECONDS, "the end")
