"""Pages of images given back under pressure: the kernel as a Unix process, under sanitizers."""

import pytest

from pybuild import host
from pybuild.paths import ROOT

FOLDER = ROOT / "tests" / "host" / "kernel"


def program(*sanitizers: str) -> host.HostProgram:
    """The test program with these sanitizers."""
    sources = (FOLDER / "test_pressure.c", FOLDER / "model.c", FOLDER / "disk.c")
    return host.kernel_program("pressure", *sources, sanitizers=sanitizers)


@pytest.mark.parametrize("cpus", [1, 3])
def test_pressure(cpus: int) -> None:
    """What is read is right, what is set aside stays, and every page is back at the end."""
    assert "PASS" in host.run(program("address", "undefined"), "1", "3000", str(cpus))


def test_races() -> None:
    """The same under ThreadSanitizer."""
    assert "PASS" in host.run(program("thread"), "1", "1500", "3")
