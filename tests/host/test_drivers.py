"""The kernel's drivers against a model of a virtio device, on the host with sanitizers."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLANG = shutil.which("clang-19")
FLAGS = ["-std=gnu23", "-Wall", "-Wextra", "-Werror", "-g", "-O1", "-DCLOISTER_DEBUG=1"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
# The test's own folder comes first: its arch_this.h and drivers/mmio.h replace the kernel's.
INCLUDES = ["tests/host/drivers/include", "tests/host/drivers", "kernel"]
TARGET = ROOT / "build" / "host" / "test_drivers"
GEN = ROOT / "build" / "host" / "gen"
CASES = ROOT / "tests" / "host" / "drivers" / "test_drivers.c"
GARBAGE_SEEDS = 50
# Drivers of the PC itself, which the model does not have.
NOT_MODELLED = {"acpi.c", "apic.c", "clock.c", "cmos.c", "serial.c"}

pytestmark = pytest.mark.skipif(CLANG is None, reason="clang-19 is not installed")


@pytest.fixture(scope="module")
def program() -> Path:
    """Generate the ABI headers and compile the test program, once."""
    assert CLANG is not None
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    generate = [sys.executable, "-m", "pybuild.abi", "kernel/abi", str(GEN)]
    subprocess.run(generate, cwd=ROOT, check=True, timeout=60)
    drivers = [p for p in (ROOT / "kernel/drivers").glob("*.c") if p.name not in NOT_MODELLED]
    sources = [*drivers, *(ROOT / "tests/host/drivers").glob("*.c")]
    includes = [f"-I{ROOT / folder}" for folder in INCLUDES] + [f"-I{GEN}"]
    command = [CLANG, *FLAGS, *SANITIZERS, *includes, *map(str, sources), "-o", str(TARGET)]
    subprocess.run(command, check=True, timeout=300)
    return TARGET


def case_names() -> list[str]:
    """Names of the cases, out of the list in the source."""
    lines = [line.strip() for line in CASES.read_text().splitlines()]
    return [line[5 : line.index(",")] for line in lines if line.startswith("CASE(")]


def run_case(program: Path, name: str) -> None:
    """Run one case in a process of its own; fail with what it printed."""
    done = subprocess.run([program, name], text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", case_names())
def test_case(program: Path, name: str) -> None:
    """One case of test_drivers.c."""
    run_case(program, name)


@pytest.mark.parametrize("how", range(4))
def test_disk_breaks(program: Path, how: int) -> None:
    """A bad id, an id given back twice, a bad length, a jumping index: each stops the disk."""
    run_case(program, f"breaks{how}")


def test_garbage(program: Path) -> None:
    """A disk that writes garbage wherever it may, with a number of fixed seeds."""
    for seed in range(GARBAGE_SEEDS):
        run_case(program, f"garbage{seed}")
