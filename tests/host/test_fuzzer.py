"""Fuzzers that did nothing are told from those that found nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybuild import fuzzer


def fake(folder: Path, text: str, status: int = 0) -> list[str]:
    """A program that says this and ends so."""
    program = folder / "fuzz"
    program.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{text}\nEND\nexit {status}\n")
    program.chmod(0o755)
    return [str(program)]


def test_executed(tmp_path: Path) -> None:
    """The seeds and more is a run."""
    output = fuzzer.run(fake(tmp_path, "stat::number_of_executed_units: 12"), 1, seeds=11)
    assert fuzzer.executed(output) == 12


@pytest.mark.parametrize(
    "text", ["", "stat::number_of_executed_units: 0", "stat::number_of_executed_units: 11"]
)
def test_idle(tmp_path: Path, text: str) -> None:
    """Nothing, or the seeds alone, is none."""
    with pytest.raises(AssertionError, match="inputs"):
        fuzzer.run(fake(tmp_path, text), 1, seeds=11)


def test_found(tmp_path: Path) -> None:
    """What ends with an error is a finding, however much was executed."""
    command = fake(tmp_path, "found it\nstat::number_of_executed_units: 99", 77)
    with pytest.raises(AssertionError, match="found it"):
        fuzzer.run(command, 1, seeds=11)
