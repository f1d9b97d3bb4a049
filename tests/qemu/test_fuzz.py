"""Random system calls (tests/native/fuzz.c), another run for each seed."""

import pytest

from pybuild.machine import Machine, MachineConfig
from pybuild.paths import BUILD, KERNEL_DEBUG_ELF, TEST_BUNDLE

BOOT_SECONDS = 120
SEEDS = range(1, 41)


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS)
def test_random_system_calls(seed: int) -> None:
    """The kernel stands, and nothing is left over when the program's namespace is gone."""
    config = MachineConfig(
        kernel=KERNEL_DEBUG_ELF,
        bundle=TEST_BUNDLE,
        append=f"test=fuzz seed={seed}",
        log=BUILD / "test" / f"fuzz{seed}.log",
    )
    with Machine(config) as machine:
        machine.wait(BOOT_SECONDS)
        text = machine.console.text.decode(errors="replace")
    assert "TEST fuzz PASS" in text, text[-4000:]
    assert "TESTS 1 run, 0 failed" in text, text[-4000:]
