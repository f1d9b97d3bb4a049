"""The serial driver against a model of its UARTs, on the host with sanitizers."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLANG = shutil.which("clang-19")
FLAGS = ["-std=gnu23", "-Wall", "-Wextra", "-Werror", "-g", "-O1"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
# The test's own folder comes first: its arch_this.h replaces the kernel's.
INCLUDES = ["tests/host/serial/include", "kernel"]
SOURCES = ["tests/host/serial/serial_test.c", "kernel/drivers/serial.c"]

pytestmark = pytest.mark.skipif(CLANG is None, reason="clang-19 is not installed")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generate the ABI headers and compile the test program, once."""
    assert CLANG is not None
    folder = tmp_path_factory.mktemp("serial")
    generate = [sys.executable, "-m", "pybuild.abi", "kernel/abi", str(folder / "gen")]
    subprocess.run(generate, cwd=ROOT, check=True, timeout=60)
    includes = [f"-I{ROOT / name}" for name in INCLUDES] + [f"-I{folder / 'gen'}"]
    sources = [str(ROOT / source) for source in SOURCES]
    out = folder / "serial_test"
    command = [CLANG, *FLAGS, *SANITIZERS, *includes, *sources, "-o", str(out)]
    subprocess.run(command, check=True, timeout=300)
    return out


@pytest.mark.parametrize("name", ["fair", "whole", "stuck", "drained"])
def test_case(program: Path, name: str) -> None:
    """One case of serial_test.c."""
    done = subprocess.run([program, name], text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
