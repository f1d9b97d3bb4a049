"""What is built from what: the kernel, the native programs, the test programs.

Folders are the list: a new .c file in a kernel folder is part of the kernel, a new folder in
userland/ is a program, a new file or folder in tests/native/ is a test program.
"""

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from doit.exceptions import TaskFailed
from doit.tools import config_changed

from pybuild import symbols, toolchain
from pybuild.paths import BUILD, GEN, KERNEL_DEBUG_ELF, KERNEL_ELF, ROOT, relative
from pybuild.toolchain import KERNEL, KERNEL_DEBUG, USER, Flavour

KERNEL_FOLDERS = ("lib", "mm", "sched", "object", "syscall", "device", "drivers", "arch/x86")
# The invariants: of the debug kernel and of the host's tests only.
KERNEL_CHECK = ROOT / "kernel" / "check"
USER_SCRIPT = ROOT / "userland" / "user.ld"
# What init starts.
MANIFEST = ROOT / "disk" / "manifest"
ABI_SCHEMA = ROOT / "kernel" / "abi"
ABI_OUTPUTS = [
    GEN / "abi" / "errors.h",
    GEN / "abi" / "types.h",
    GEN / "abi" / "numbers.h",
    GEN / "abi" / "names.h",
    GEN / "docs" / "abi.md",
    GEN / "python" / "abi.py",
    GEN / "kernel" / "dispatch.c",
    GEN / "kernel" / "handlers.h",
    GEN / "kernel" / "objects.c",
    GEN / "user" / "cloister.h",
]
LINUX_SCHEMA = ROOT / "userland" / "linux" / "abi" / "x86_64.toml"
LINUX_OUTPUTS = [GEN / "linux" / "calls.h", GEN / "linux" / "dispatch.c"]
VDSO_OUTPUT = GEN / "linux" / "vdso_image.c"
# Folders of userland/ that are no programs.
NO_PROGRAMS = ("lib", "vdso")
# Order in the bundle; programs that are not listed follow by name.
BUNDLE_ORDER = ["init", "manager", "storage", "shell", "linux"]


@dataclass(frozen=True)
class Part:
    """One linked program: the kernel or a user program."""

    name: str
    flavour: Flavour
    sources: tuple[Path, ...]
    script: Path
    out: Path

    def objects(self) -> list[Path]:
        """Objects in the order of the sources."""
        return [self.flavour.object_of(source) for source in self.sources]

    def link(self) -> None:
        """Links the part; BuildError when the linker refuses."""
        objects = self.objects()
        if self.flavour is not USER:
            objects.append(self._symbols_object())
        toolchain.link(self.flavour, objects, self.script, self.out)

    def _symbols_object(self) -> Path:
        """The table of function names, from a first link with an empty one.

        The table comes behind the code, so the second link moves no function.
        """
        first = self.out.with_name(self.out.name + ".first")
        objects = [*self.objects(), self._table_object([])]
        toolchain.link(self.flavour, objects, self.script, first)
        return self._table_object(symbols.functions(first))

    def _table_object(self, found: list[tuple[int, str]]) -> Path:
        source = GEN / self.name / "symbols.S"
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(symbols.table_source(found))
        toolchain.compile_source(self.flavour, source)
        return self.flavour.object_of(source)


def sources_below(folder: Path) -> list[Path]:
    """All C and assembly sources below a folder, sorted."""
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.rglob("*") if p.suffix in (".c", ".S"))


def has_abi() -> bool:
    """Whether the schema and its generator are there."""
    return (ROOT / "pybuild" / "abi").is_dir() and any(ABI_SCHEMA.glob("*.toml"))


def generated(path: Path) -> list[Path]:
    """A generated source, where there is a schema to generate it from."""
    return [path] if has_abi() else []


def checks(arch: str) -> list[Path]:
    """The sources of kernel/check for this architecture."""
    found = sources_below(KERNEL_CHECK)
    return [p for p in found if not p.stem.startswith("arch_") or p.stem == f"arch_{arch}"]


def kernels() -> list[Part]:
    """The kernel, and the one of the tests; none while there is no linker script."""
    script = ROOT / "kernel" / "arch" / "x86" / "kernel.ld"
    sources = sorted((ROOT / "kernel").glob("*.c"))
    sources += [s for f in KERNEL_FOLDERS for s in sources_below(ROOT / "kernel" / f)]
    sources += generated(GEN / "kernel" / "dispatch.c") + generated(GEN / "kernel" / "objects.c")
    found = [
        Part("kernel", KERNEL, tuple(sources), script, KERNEL_ELF),
        Part("kernel-debug", KERNEL_DEBUG, (*sources, *checks("x86")), script, KERNEL_DEBUG_ELF),
    ]
    return found if script.exists() else []


def user_library() -> list[Path]:
    """Sources that every native program is linked with."""
    return sources_below(ROOT / "userland" / "lib")


def user_part(name: str, sources: list[Path]) -> Part:
    """A native program `build/user/NAME` of these sources and the library."""
    everything = tuple(sources + user_library())
    return Part(name, USER, everything, USER_SCRIPT, BUILD / "user" / name)


def program_sources(folder: Path) -> list[Path]:
    """A program's own sources, with what is generated for it."""
    generated = [*LINUX_OUTPUTS, VDSO_OUTPUT] if folder.name == "linux" else []
    extra = [p for p in generated if p.suffix == ".c"]
    return sources_below(folder) + extra


def programs() -> list[Part]:
    """Native programs: each folder of userland/ with sources, but the library."""
    folders = sorted(
        p for p in (ROOT / "userland").glob("*") if p.is_dir() and p.name not in NO_PROGRAMS
    )
    found = [user_part(f.name, program_sources(f)) for f in folders if sources_below(f)]
    names = {name: place for place, name in enumerate(BUNDLE_ORDER)}
    return sorted(found, key=lambda part: (names.get(part.name, len(names)), part.name))


def test_programs() -> list[Part]:
    """Native test programs: tests/native/NAME.c or tests/native/NAME/."""
    found = []
    for path in sorted((ROOT / "tests" / "native").glob("*")):
        if path.is_dir() and path.name != "lib" and sources_below(path):
            found.append((path.name, sources_below(path)))
        elif path.suffix == ".c":
            found.append((path.stem, [path]))
    shared = sources_below(ROOT / "tests" / "native" / "lib")
    return [user_part(f"test/{name}", sources + shared) for name, sources in found]


def all_parts() -> list[Part]:
    """Everything that is linked."""
    return kernels() + programs() + test_programs()


def compilations() -> Iterator[tuple[Flavour, Path]]:
    """Each (flavour, source) once, however many parts it goes into."""
    seen = {}
    for part in all_parts():
        for source in part.sources:
            seen[part.flavour.object_of(source)] = (part.flavour, source)
    yield from seen.values()


def copy_docs() -> None:
    """Copies the generated manual to build/docs, without what is no more."""
    docs = BUILD / "docs"
    shutil.rmtree(docs, ignore_errors=True)
    shutil.copytree(GEN / "docs", docs)
    shutil.copytree(GEN / "man", docs / "man2")
    print(f"{relative(docs)}: abi.md, and man2 for `man -l`", file=sys.stderr)


def action(work: Callable[..., None], *args: Any) -> list[Any]:
    """The actions of a task: the work, its BuildError made a failure with nothing but its text."""

    def run() -> TaskFailed | None:
        try:
            work(*args)
        except (toolchain.BuildError, OSError, ValueError) as error:
            return TaskFailed(str(error))
        return None

    return [(run,)]


def same_text(text: str) -> Any:
    """An uptodate check of doit: the text is what it was."""
    return config_changed(text)


def same_command(part: Part) -> Any:
    """An uptodate check of doit: the link command is what it was."""
    command = toolchain.link_command(part.flavour, part.objects(), part.script, part.out)
    return config_changed(" ".join(command))


def generate_abi() -> None:
    """Runs the ABI generator; BuildError with its words."""
    command = [sys.executable, "-m", "pybuild.abi", relative(ABI_SCHEMA), relative(GEN)]
    toolchain.run_tool(command)


def generate_vdso() -> None:
    """Builds the vDSO; BuildError with its words."""
    toolchain.run_tool([sys.executable, "-m", "pybuild.linuxvdso", relative(VDSO_OUTPUT)])


def generate_linux() -> None:
    """Runs the generator of the Linux system calls; BuildError with its words."""
    outputs = relative(LINUX_OUTPUTS[0].parent)
    toolchain.run_tool([sys.executable, "-m", "pybuild.linuxabi", relative(LINUX_SCHEMA), outputs])
