"""Kernels with one thing left out (kernel/check/hooks.h): each proof that ought to find it does."""

import re
from dataclasses import dataclass

import pytest

from pybuild import broken
from pybuild.machine import Machine, MachineConfig, MachineError
from pybuild.paths import BUILD, TEST_BUNDLE

BOOT_SECONDS = 180
# What the kernel says at the end can be in the middle of a line of the console.
LAST_WORDS = re.compile(r"(check: all is as recorded[^\n]*|power off, status \d+\r?)\n")


@dataclass(frozen=True)
class Proof:
    """A test program, and what is to be read when it runs on the broken kernel."""

    name: str
    program: str
    finding: str


PROOFS = [
    Proof("CHARGE", "fuzz", "handles that it pays for: recorded"),
    Proof("CHARGE", "handles", "handles that it pays for: recorded"),
    Proof("REFERENCE", "fuzz", "PANIC: "),
    Proof("REFERENCE", "port", "references: recorded 1, found 2"),
    Proof("SHOOTDOWN", "memory", "TEST mappings FAIL"),
    Proof("SHOOTDOWN", "fuzz", "after it was freed: 50f050f050f050f"),
    Proof("RIGHTS", "fuzz", ": no call is done without the rights that it asks for"),
    Proof("RIGHTS", "sweep", "TEST sweep.ns_bind FAIL argument 3"),
]


def log_of(proof: Proof) -> str:
    """All that the machine said."""
    log = BUILD / "test" / f"broken-{proof.name}-{proof.program}.log"
    config = MachineConfig(
        kernel=broken.build(proof.name),
        bundle=TEST_BUNDLE,
        append=f"test={proof.program}",
        log=log,
    )
    with Machine(config) as machine:
        try:
            machine.wait(BOOT_SECONDS)
        except MachineError as error:
            return machine.console.text.decode(errors="replace") + str(error)
        return machine.console.text.decode(errors="replace")


@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: f"{proof.name}-{proof.program}")
def test_what_is_left_out_is_found(proof: Proof) -> None:
    said = LAST_WORDS.sub("", log_of(proof))
    assert proof.finding in said, said[-4000:]


def test_each_break_is_tried() -> None:
    """And what is broken is as small as it can be: one place in one source."""
    assert {proof.name for proof in PROOFS} == set(broken.NAMES)
    for name in broken.NAMES:
        places = [s for s in broken.sources() if f"BREAK({name}," in s.read_text()]
        assert len(places) == 1
