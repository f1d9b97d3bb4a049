"""Channels and ports as a Unix process, under sanitizers: processes that call, answer and die."""

import pytest

from pybuild import host
from pybuild.paths import ROOT

SOURCE = ROOT / "tests" / "host" / "kernel" / "test_ipc.c"


def program(*sanitizers: str) -> host.HostProgram:
    """The test program with these sanitizers."""
    return host.kernel_program("ipc", SOURCE, sanitizers=sanitizers)


@pytest.mark.parametrize("cpus", [1, 3])
def test_calls(cpus: int) -> None:
    """Nothing is used after it is gone, nothing is left over."""
    assert "PASS" in host.run(program("address", "undefined"), "1", "60", str(cpus))


def test_races() -> None:
    """The same under ThreadSanitizer."""
    assert "PASS" in host.run(program("thread"), "2", "30", "3")
