"""System calls with whatever arguments, on the host: the saved corpus, and some seconds more."""

from __future__ import annotations

import shutil
from pathlib import Path

import fuzz_calls
import pytest
from test_personality import CLANG

SECONDS_SHORT = 5
SECONDS_LONG = 600

pytestmark = [
    pytest.mark.skipif(CLANG is None, reason="clang-19 is not installed"),
    pytest.mark.skipif(shutil.which("mkfs.erofs") is None, reason="erofs-utils is missing"),
]


def test_fuzz_calls(tmp_path: Path) -> None:
    """What was found once stays mended."""
    fuzz_calls.run(fuzz_calls.build(tmp_path), tmp_path, SECONDS_SHORT)


@pytest.mark.long
def test_fuzz_calls_long(tmp_path: Path) -> None:
    """Ten minutes of fuzzing."""
    fuzz_calls.run(fuzz_calls.build(tmp_path), tmp_path, SECONDS_LONG)
