"""Address spaces and memory objects as a Unix process, under sanitizers, against a model."""

import pytest

from pybuild import host
from pybuild.paths import ROOT

FOLDER = ROOT / "tests" / "host" / "kernel"
STEPS = 8000


def program(*sanitizers: str) -> host.HostProgram:
    """The test program with these sanitizers."""
    sources = (FOLDER / "test_memory.c", FOLDER / "model.c", FOLDER / "disk.c")
    return host.kernel_program("memory", *sources, sanitizers=sanitizers)


@pytest.mark.parametrize("limit_pages", [0, 60, 90, 150])
@pytest.mark.parametrize("seed", [1, 2])
def test_model(seed: int, limit_pages: int) -> None:
    """One CPU; with a limit, what can't be paid is refused, and nothing is lost or kept."""
    built = program("address", "undefined")
    assert "PASS" in host.run(built, str(seed), str(STEPS), str(limit_pages), "1")


@pytest.mark.parametrize("limit_pages", [0, 150])
def test_many(limit_pages: int) -> None:
    """Three CPUs at work on one address space; every page is back at the end."""
    built = program("address", "undefined")
    assert "PASS" in host.run(built, "1", str(STEPS), str(limit_pages), "3")


def test_races() -> None:
    """The same under ThreadSanitizer."""
    assert "PASS" in host.run(program("thread"), "1", "2000", "0", "3")
