"""Programs for the build machine: kernel code as a Unix process, with sanitizers or a fuzzer.

The compiler is Debian's clang-19: ziglang's can't link ASan or libFuzzer. Built into build/host/,
again only when a source, a header or the command has changed.
"""

import hashlib
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pybuild import parts
from pybuild.alone import alone
from pybuild.paths import BUILD, GEN, ROOT, relative
from pybuild.toolchain import LATE_ATTRIBUTES, headers_digest, run_tool

COMPILER = "clang-19"
FLAGS = ["-std=gnu23", "-g", "-O1", "-fno-omit-frame-pointer", "-pthread", LATE_ATTRIBUTES]
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wthread-safety"]
KERNEL_FOLDERS = ("mm", "sched", "object", "device", "arch/host")
# Beside the folders: what needs no device. Strings are libc's, so that sanitizers look into them.
KERNEL_FILES = (
    "lib/print.c",
    "drivers/blockdev.c",
    "drivers/chacha20.c",
    "drivers/netdev.c",
    "drivers/random.c",
)
# Starts the first program of the boot bundle.
KERNEL_WITHOUT = ("object/boot.c",)
# What a sanitizer does when it finds something: say it and end with a status of its own.
ENVIRONMENT = {
    "ASAN_OPTIONS": "exitcode=99:detect_leaks=1",
    "UBSAN_OPTIONS": "exitcode=99:halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "exitcode=99:halt_on_error=1",
}


# With these the kernel's objects are the same for all programs of one set of sanitizers.
KERNEL_INCLUDES = ("kernel", "kernel/arch/host/include", "build/gen")
# The sanitizers call libc's sched_yield.
KERNEL_DEFINES = ("-D__KERNEL__", "-DCLOISTER_DEBUG=1", "-Dsched_yield=kernel_sched_yield")


@dataclass(frozen=True)
class HostProgram:
    """A program to build: sources and include folders relative to the root.

    `sanitizers` as for -fsanitize=, e.g. ("address", "undefined"), ("thread",) or
    ("fuzzer", "address").
    """

    name: str
    sources: tuple[Path, ...]
    sanitizers: tuple[str, ...] = ("address", "undefined")
    includes: tuple[str, ...] = KERNEL_INCLUDES
    flags: tuple[str, ...] = KERNEL_DEFINES
    # For compiler and linker, beside the sanitizers.
    instrumentation: tuple[str, ...] = ()

    @property
    def out(self) -> Path:
        """The program."""
        return BUILD / "host" / "-".join([self.name, *self.sanitizers])

    @property
    def shared(self) -> Path:
        """What programs with the same kernel objects are named for; also their lock's name."""
        words = (*self.sanitizers, *(word.strip("-") for word in self.instrumentation))
        return BUILD / "host" / "-".join(["kernel", *words])

    def object_of(self, source: Path) -> Path:
        """The object of a source."""
        is_plain = (self.includes, self.flags) == (KERNEL_INCLUDES, KERNEL_DEFINES)
        is_kernel = source.is_relative_to(ROOT / "kernel") or source.is_relative_to(GEN)
        owner = self.shared if is_plain and is_kernel else self.out
        return owner.with_name(owner.name + ".obj") / (relative(source) + ".o")

    def compile_command(self, source: Path) -> list[str]:
        """Command that compiles a source."""
        obj = relative(self.object_of(source))
        sanitize = [f"-fsanitize={','.join(self.sanitizers)}"] if self.sanitizers else []
        folders = [f"-I{folder}" for folder in self.includes]
        return [
            *(COMPILER, *FLAGS, *WARNINGS, *sanitize, "-fno-sanitize-recover=all"),
            *(*self.instrumentation, *self.flags, *folders, "-MMD", "-MF", obj + ".d"),
            *("-c", relative(source), "-o", obj),
        ]


def kernel_sources() -> list[Path]:
    """The part of the kernel that runs as a Unix process."""
    kernel = ROOT / "kernel"
    without = {kernel / name for name in KERNEL_WITHOUT}
    found = [s for f in KERNEL_FOLDERS for s in parts.sources_below(kernel / f)]
    found += [kernel / name for name in KERNEL_FILES] + [GEN / "kernel" / "objects.c"]
    found += parts.checks("host")
    return [s for s in found if s not in without]


def kernel_program(name: str, *tests: Path, sanitizers: tuple[str, ...]) -> HostProgram:
    """A program of test sources and the kernel's portable part."""
    return HostProgram(name, (*tests, *kernel_sources()), sanitizers)


def _stamp(program: HostProgram, source: Path) -> str:
    command = " ".join(program.compile_command(source))
    known = headers_digest(program.object_of(source))
    return hashlib.sha256(f"{command}\n{known}".encode()).hexdigest() if known else ""


def _compile(program: HostProgram, source: Path) -> None:
    """Compiles a source when it has to be."""
    obj = program.object_of(source)
    stamp = obj.with_name(obj.name + ".stamp")
    known = _stamp(program, source)
    if known and obj.exists() and stamp.exists() and stamp.read_text() == known:
        return
    obj.parent.mkdir(parents=True, exist_ok=True)
    run_tool(program.compile_command(source))
    stamp.write_text(_stamp(program, source))


def build(program: HostProgram) -> Path:
    """Builds a program and gives its path; BuildError with the compiler's words."""
    with alone(program.shared), alone(program.out):
        _build(program)
    return program.out


def _build(program: HostProgram) -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda source: _compile(program, source), program.sources))
    # Another program may have compiled what both share.
    made_ns = program.out.stat().st_mtime_ns if program.out.exists() else 0
    if any(program.object_of(s).stat().st_mtime_ns >= made_ns for s in program.sources):
        sanitize = [f"-fsanitize={','.join(program.sanitizers)}"] if program.sanitizers else []
        objects = [relative(program.object_of(source)) for source in program.sources]
        sanitize += program.instrumentation
        command = [COMPILER, *FLAGS, *sanitize, *objects, "-o", relative(program.out)]
        run_tool(command)


def run(program: HostProgram, *arguments: str, timeout_s: float = 120.0) -> str:
    """Builds and runs; its output. AssertionError with all that it said when its status is not 0.

    subprocess.TimeoutExpired when it takes longer.
    """
    command = [str(build(program)), *arguments]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **ENVIRONMENT},
        text=True,
        capture_output=True,
        timeout=timeout_s,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"{' '.join(command)}: status {done.returncode}\n{said}"
    return done.stdout
