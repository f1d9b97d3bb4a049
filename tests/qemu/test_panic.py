"""The panic report, asked for by an NMI as an operator would of a machine that hangs."""

import re

import pytest

from pybuild.machine import Machine, MachineConfig, MachineError
from pybuild.paths import BUILD, KERNEL_DEBUG_ELF

BOOT_SECONDS = 60
REPORT_SECONDS = 20


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
