"""The compiler and linker: clang and lld out of the PyPI package `ziglang`, called directly.

`zig clang` is plain clang without zig's own defaults (no UBSan traps, no cache), so every flag
that counts is in this file. Reproducible bytes: relative paths from ROOT, prefix maps for the
rest, the build id is a hash of the contents.
"""

import hashlib
import importlib.util
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pybuild.paths import BUILD, ROOT, relative

WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wthread-safety", "-Wvla"]
# A member may name a lock that comes after it.
LATE_ATTRIBUTES = "-fexperimental-late-parse-attributes"
COMMON = [
    "--target=x86_64-unknown-none-elf",
    "-std=gnu23",
    "-O2",
    "-g",
    "-ffreestanding",
    "-nostdinc",
    "-fno-omit-frame-pointer",
    "-fno-common",
    "-fno-asynchronous-unwind-tables",
    "-fno-strict-aliasing",
    "-mgeneral-regs-only",
    LATE_ATTRIBUTES,
    *WARNINGS,
]
LINK = ["--build-id=sha1", "--no-dynamic-linker", "-z", "noexecstack", "-static"]


class BuildError(Exception):
    """A tool failed; the text says which command and what it printed."""


@dataclass(frozen=True)
class Flavour:
    """One way to compile C: a name for the object folder, flags, include roots."""

    name: str
    flags: tuple[str, ...]
    includes: tuple[str, ...]
    link_flags: tuple[str, ...] = ()

    def object_of(self, source: Path) -> Path:
        """Where the object of a source is kept."""
        return BUILD / "obj" / self.name / (relative(source).removeprefix("build/") + ".o")


KERNEL_FLAGS = (
    *("-mcmodel=kernel", "-mno-red-zone", "-fno-pic", "-fno-stack-protector"),
    "-D__KERNEL__",
)
KERNEL_INCLUDES = ("kernel", "kernel/arch/x86/include", "build/gen")
# Optimised as a whole when it is linked: a system call crosses many files.
KERNEL = Flavour("kernel", (*KERNEL_FLAGS, "-DCLOISTER_DEBUG=0", "-flto"), KERNEL_INCLUDES)
# What kernel/check/ is asked before, in the kernel of the tests.
CHECKED = (
    *("apic_eoi", "boot_start_init", "arch_poweroff", "syscall_unknown"),
    *("arch_context_switch", "lock_debug_acquire"),
)
# The kernel of the tests: DASSERT and lock ranks are checked, and invariants on demand.
KERNEL_DEBUG = Flavour(
    "kernel-debug",
    (*KERNEL_FLAGS, "-DCLOISTER_DEBUG=1"),
    KERNEL_INCLUDES,
    tuple(f"--wrap={name}" for name in CHECKED),
)
# Linked far above 2 GiB: code is position-independent so that no 32-bit address is needed,
# visibility hidden so that nothing goes through a GOT.
USER = Flavour(
    "user",
    (
        "-fPIE",
        "-fvisibility=hidden",
        "-fno-stack-protector",
        "-ffunction-sections",
        "-fdata-sections",
    ),
    ("userland/lib", "userland", "build/gen/user", "build/gen", "tests/native/lib"),
    ("--gc-sections",),
)


@cache
def zig_root() -> Path:
    """Folder of the installed `ziglang` package."""
    spec = importlib.util.find_spec("ziglang")
    if spec is None or not spec.submodule_search_locations:
        raise BuildError("the Python package ziglang is missing; run ./cloister once")
    return Path(spec.submodule_search_locations[0])


def compile_command(flavour: Flavour, source: Path, extra: tuple[str, ...] = ()) -> list[str]:
    """Command that compiles one C or assembly source to `flavour.object_of(source)`."""
    zig = zig_root()
    out = flavour.object_of(source)
    return [
        str(zig / "zig"),
        "clang",
        *COMMON,
        *flavour.flags,
        *extra,
        f"-ffile-prefix-map={zig}=zig",
        "-fdebug-compilation-dir=.",
        *[f"-I{folder}" for folder in flavour.includes],
        "-isystem",
        str(zig / "lib" / "include"),
        "-MMD",
        "-MF",
        relative(out) + ".d",
        "-c",
        relative(source),
        "-o",
        relative(out),
    ]


def link_command(flavour: Flavour, objects: list[Path], script: Path, out: Path) -> list[str]:
    """Command that links objects with a linker script; the map goes beside the output."""
    return [
        str(zig_root() / "zig"),
        "ld.lld",
        *LINK,
        *flavour.link_flags,
        "-T",
        relative(script),
        f"-Map={relative(out)}.map",
        "-o",
        relative(out),
        *[relative(o) for o in objects],
    ]


def run_tool(command: list[str], cwd: Path = ROOT) -> str:
    """Runs a tool and gives its stdout; BuildError with the command and its words on failure."""
    done = subprocess.run(command, cwd=cwd, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        shown = " ".join(command)
        raise BuildError(f"{shown}\nexit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def compile_source(flavour: Flavour, source: Path, extra: tuple[str, ...] = ()) -> None:
    """Compiles one source; BuildError with the compiler's words."""
    flavour.object_of(source).parent.mkdir(parents=True, exist_ok=True)
    run_tool(compile_command(flavour, source, extra))


def link(flavour: Flavour, objects: list[Path], script: Path, out: Path) -> None:
    """Links; BuildError with the linker's words."""
    out.parent.mkdir(parents=True, exist_ok=True)
    run_tool(link_command(flavour, objects, script, out))


def depfile_headers(obj: Path) -> list[Path]:
    """Files below ROOT that the object was compiled from, out of its depfile; [] without one."""
    depfile = obj.with_name(obj.name + ".d")
    if not depfile.exists():
        return []
    words = depfile.read_text().replace("\\\n", " ").split()[1:]
    return [ROOT / word for word in words if not word.startswith("/")]


@cache
def _digest(path: str, _mtime_ns: int) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def headers_digest(obj: Path) -> str:
    """Digest of the contents of all that the object was compiled from; "" when unknown."""
    total = hashlib.sha256()
    headers = depfile_headers(obj)
    for header in headers:
        if not header.exists():
            return ""
        total.update(_digest(str(header), header.stat().st_mtime_ns).encode())
    return total.hexdigest() if headers else ""
