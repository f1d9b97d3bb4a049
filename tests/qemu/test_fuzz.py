"""Random system calls (tests/native/fuzz), on two CPUs of the debug kernel: ten million in all.

The ordinary suite does some ten thousand of them among the native tests.
"""

import re

import pytest

from pybuild.machine import Machine, MachineConfig
from pybuild.paths import BUILD, KERNEL_DEBUG_ELF, TEST_BUNDLE

BOOT_SECONDS = 1500
CALLS = 500_000
SEEDS = range(1, 21)
REPORT = re.compile(r"fuzz: seed (\d+): (\d+) calls in \d+ rounds, \d+ done")


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS)
def test_random_system_calls(seed: int) -> None:
    """The kernel stands, all is as recorded after each round, and nothing is left over."""
    config = MachineConfig(
        kernel=KERNEL_DEBUG_ELF,
        bundle=TEST_BUNDLE,
        append=f"test=fuzz seed={seed} calls={CALLS}",
        log=BUILD / "test" / f"fuzz{seed}.log",
    )
    with Machine(config) as machine:
        machine.wait(BOOT_SECONDS)
        text = machine.console.text.decode(errors="replace")
    report = REPORT.search(text)
    assert report and int(report[1]) == seed and int(report[2]) >= CALLS, text[-4000:]
    assert "TEST fuzz PASS" in text, text[-4000:]
    assert "TESTS 1 run, 0 failed" in text, text[-4000:]
    assert text.rstrip().splitlines()[-1].startswith("check: all is as recorded"), text[-4000:]
