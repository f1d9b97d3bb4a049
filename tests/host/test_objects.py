"""Whatever calls on the object kernel: fuzzed one at a time, and by several threads at once."""

from __future__ import annotations

from pathlib import Path

import object_calls
import pytest

from pybuild import host
from pybuild.paths import ROOT

DRIVER = ROOT / "tests" / "host" / "kernel" / "test_objects.c"
SECONDS_SHORT = 4
SECONDS_LONG = 600
# Of the lines of kernel/object and kernel/mm, by the saved corpus; 0: what the host can't run.
COVERED_MIN = 0.8


def program(*sanitizers: str) -> host.HostProgram:
    """Threads that make calls."""
    return object_calls.program("objects", DRIVER, *sanitizers)


@pytest.mark.parametrize("seed", [1, 2])
def test_many(seed: int) -> None:
    """Six threads and more on three CPUs, and then nothing is left."""
    said = host.run(program("address", "undefined"), str(seed), "20", "3")
    assert "PASS" in said


def test_races() -> None:
    """The same under ThreadSanitizer."""
    assert "PASS" in host.run(program("thread"), "3", "15", "3")


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10, 15))
def test_races_long(seed: int) -> None:
    """For minutes."""
    said = host.run(program("thread"), str(1000 * seed), "1000", "3", timeout_s=900)
    assert "PASS" in said


def test_fuzz(tmp_path: Path) -> None:
    """What the saved corpus reaches, and some seconds more."""
    object_calls.run(tmp_path, SECONDS_SHORT)


@pytest.mark.long
def test_fuzz_long(tmp_path: Path) -> None:
    """Ten minutes of fuzzing, and how much of the kernel was reached by what it kept."""
    object_calls.run(tmp_path, SECONDS_LONG)
    found = object_calls.coverage(tmp_path / "corpus")
    text = object_calls.coverage_text(found)
    object_calls.COVERAGE.write_text(text)
    print(text)
    print(f"{object_calls.reduce(tmp_path / 'corpus', tmp_path)} inputs in {object_calls.REDUCED}")
    executed, lines = object_calls.totals(found)
    assert executed >= COVERED_MIN * lines
