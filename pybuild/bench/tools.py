"""What a bench needs built: the QEMU plugin and the Linux programs, compiled by ziglang.

These are not parts of the system (the plugin is for the host, the programs are Linux's), so they
have flags of their own and are built when a bench, or an image that holds one, asks for them.
"""

import subprocess
import sys
from pathlib import Path

from pybuild.alone import alone
from pybuild.paths import BUILD, ROOT, relative

PLUGIN_SOURCE = ROOT / "pybuild" / "bench" / "plugin.c"
PROGRAMS = ROOT / "tests" / "bench"
HEADERS = [PROGRAMS / "linux.h", ROOT / "userland" / "lib" / "marker.h"]
OUT = BUILD / "bench"

STRICT = ["-std=gnu23", "-Wall", "-Wextra", "-Werror", "-fno-sanitize=all"]
# The symbols that the plugin uses are QEMU's own.
PLUGIN_FLAGS = ["-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-Wl,--allow-shlib-undefined"]
PROGRAM_FLAGS = [
    "--target=x86_64-linux-none",
    "-Os",
    "-ffreestanding",
    "-nostdlib",
    "-static",
    "-fno-pie",
    "-fno-stack-protector",
    "-fno-asynchronous-unwind-tables",
    "-Wl,-z,noexecstack",
    "-Wl,--strip-all",
    "-Wl,--build-id=none",
]


class BenchError(Exception):
    """A bench can't be run or gave nonsense; the text says why."""


def run_checked(command: list[str], cwd: Path = ROOT) -> str:
    """Runs a tool and returns its output; BenchError with its words when it fails."""
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if result.returncode:
        raise BenchError(f"{' '.join(command)}: status {result.returncode}\n{result.stderr}")
    return result.stdout


def compile_to(out: Path, source: Path, inputs: list[Path], flags: list[str]) -> Path:
    """Compiles `source` to `out`, unless `out` is younger than every input."""
    newest = max(path.stat().st_mtime_ns for path in [source, *inputs, Path(__file__)])
    compiler = [sys.executable, "-m", "ziglang", "cc"]
    with alone(out):
        if not out.exists() or out.stat().st_mtime_ns <= newest:
            run_checked([*compiler, *STRICT, *flags, "-o", relative(out), relative(source)])
    return out


def plugin_build() -> Path:
    """The counting plugin, for the QEMU of this machine."""
    return compile_to(OUT / "plugin.so", PLUGIN_SOURCE, [], PLUGIN_FLAGS)


def program_build(name: str) -> Path:
    """The static Linux program tests/bench/NAME.c."""
    return compile_to(OUT / name, PROGRAMS / f"{name}.c", HEADERS, PROGRAM_FLAGS)
