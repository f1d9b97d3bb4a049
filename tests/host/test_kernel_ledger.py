"""Ledgers as a Unix process, under sanitizers, against a model of what may be charged."""

import pytest

from pybuild import host
from pybuild.paths import ROOT


def program(*sanitizers: str) -> host.HostProgram:
    """The test program with these sanitizers."""
    source = ROOT / "tests" / "host" / "kernel" / "test_ledger.c"
    return host.kernel_program("ledger", source, sanitizers=sanitizers)


@pytest.mark.parametrize("seed", range(1, 7))
def test_model(seed: int) -> None:
    """What fits is granted, whatever pieces it is in; what does not is refused, at once."""
    built = program("address", "undefined")
    assert "PASS" in host.run(built, str(seed), "20000", "1", timeout_s=20)


def test_many() -> None:
    """Three CPUs short of memory: no more is given out than there is, and all comes back."""
    assert "PASS" in host.run(program("address", "undefined"), "1", "200000", "3")


def test_races() -> None:
    """The same under ThreadSanitizer."""
    assert "PASS" in host.run(program("thread"), "1", "20000", "3")
