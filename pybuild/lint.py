"""The checks of `./cloister lint`: each gives lines that say what is wrong, none when all is well.

Tools check style and types; the own checks keep what the design promises: includes point one way,
the core of ring 0 stays small, no page of the linked kernel is writable and executable.
"""

import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from pybuild import parts
from pybuild.paths import BUILD, KERNEL_DEBUG_ELF, KERNEL_ELF, ROOT, relative

# A folder may include its own files and those of these folders (under kernel/).
MAY_INCLUDE = {
    "lib": [],
    "arch": ["lib"],
    "mm": ["lib", "arch"],
    "sched": ["lib", "arch", "mm"],
    "object": ["lib", "arch", "mm", "sched", "device", "drivers", "kernel", "syscall"],
    "device": ["lib", "arch", "mm", "sched", "object", "drivers", "kernel"],
    "syscall": ["lib", "arch", "mm", "sched", "object", "kernel"],
    "drivers": ["lib", "arch", "mm"],
    "arch/x86": ["lib", "arch", "mm", "sched", "syscall", "object", "kernel", "drivers"],
    "check": ["lib", "arch", "arch/x86", "arch/host", "mm", "sched", "object", "device", "drivers"],
    "arch/host": ["lib", "arch", "mm", "sched", "object", "drivers", "check"],
}
C_FOLDERS = ("kernel", "userland", "tests", "pybuild")
# What is left of 10,000 is for later.
CORE_LINES_MAX = 9_500
FILE_LINES_MAX = 500
SHARED_PAGE = "docs/invariants.md"
SHARED_TITLE = "# State that two namespaces share"
SERVICES = ("init", "manager", "shell", "storage")
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^">]+)[">]', re.MULTILINE)
COMMENT = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"', re.DOTALL)


def c_files(*folders: str) -> list[Path]:
    """Hand-written C sources and headers below these folders."""
    found = [p for f in folders for p in (ROOT / f).rglob("*") if p.suffix in (".c", ".h")]
    return sorted(found)


def code_lines(path: Path) -> int:
    """Lines of a C, header or assembly file without comments and blanks."""

    def blank(match: re.Match[str]) -> str:
        text = match.group()
        return text if text.startswith('"') else "\n" * text.count("\n")

    text = COMMENT.sub(blank, path.read_text())
    return sum(1 for line in text.splitlines() if line.strip())


def tool(name: str, *arguments: str) -> Callable[[], Iterator[str]]:
    """A check that is a program: what it prints when it fails."""

    def check() -> Iterator[str]:
        command = [sys.executable, "-m", name, *arguments]
        done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
        if done.returncode:
            yield (done.stdout + done.stderr).rstrip()

    return check


def check_clang_format() -> Iterator[str]:
    """Every C file is as clang-format writes it."""
    files = [relative(p) for p in c_files(*C_FOLDERS)]
    if files:
        program = str(Path(sys.executable).parent / "clang-format")
        command = [program, "--dry-run", "--Werror", *files]
        done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
        names = sorted(
            {line.split(":")[0] for line in done.stderr.splitlines() if "error:" in line}
        )
        for name in names:
            yield f"{name}: not as clang-format -i writes it"
        if done.returncode and not names:
            yield done.stderr


def folder_of(name: str) -> str:
    """The layer of a file under kernel/: its folder, `arch/x86` and `arch/host` apart."""
    words = name.split("/")
    return "/".join(words[:2]) if words[0] == "arch" and len(words) > 2 else words[0]


def include_problem(layer: str, included: str) -> str:
    """What is wrong with a file of this layer including this file; "" when nothing."""
    is_free = included.startswith(("abi/", "sanitizer/")) or included == "check/hooks.h"
    if "/" not in included or is_free or layer.endswith(".c"):
        return ""
    target = folder_of(included)
    if target == layer or target in MAY_INCLUDE.get(layer, []):
        return ""
    if layer == "drivers" and target == "object":
        return "drivers know nothing of containers"
    return f"{layer}/ may include only {', '.join(MAY_INCLUDE.get(layer, [])) or 'nothing else'}"


def check_includes() -> Iterator[str]:
    """Includes of the kernel point one way; userland knows the kernel by generated headers."""
    for path in c_files("kernel"):
        layer = folder_of(str(path.relative_to(ROOT / "kernel")))
        for included in INCLUDE.findall(path.read_text()):
            problem = include_problem(layer, included)
            if problem:
                yield f"{relative(path)}: includes {included}: {problem}"
    for path in c_files("userland"):
        for included in INCLUDE.findall(path.read_text()):
            if included.startswith(("kernel/", "../kernel", "../../kernel")):
                yield f"{relative(path)}: includes {included}: userland sees build/gen only"


def ring0_lines() -> tuple[int, dict[str, int]]:
    """Lines of code in ring 0: of the core, and of each driver."""
    core = 0
    drivers: dict[str, int] = {}
    for folder in parts.KERNEL_FOLDERS:
        for path in (ROOT / "kernel" / folder).rglob("*"):
            if path.suffix not in (".c", ".h", ".S"):
                continue
            if folder in ("drivers", "device"):
                name = path.stem if folder == "drivers" else f"device/{path.stem}"
                drivers[name] = drivers.get(name, 0) + code_lines(path)
            else:
                core += code_lines(path)
    for folder in ("kernel", "kernel/arch"):
        core += sum(code_lines(p) for p in (ROOT / folder).glob("*.[ch]"))
    return core, drivers


def check_lines() -> int:
    """Lines of kernel/check, of which the released kernel has none."""
    return sum(code_lines(p) for p in c_files("kernel/check"))


def check_ring0_size() -> Iterator[str]:
    """The core of ring 0 is within its budget; kernel/check, which is tests, has its own figure."""
    core, drivers = ring0_lines()
    listed = ", ".join(f"{name} {lines}" for name, lines in sorted(drivers.items()))
    print(f"ring 0: core {core} lines of {CORE_LINES_MAX}; drivers: {listed or 'none'}")
    print(f"for tests only: kernel/check {check_lines()} lines")
    if core >= CORE_LINES_MAX:
        yield f"the core of ring 0 has {core} lines; the budget is {CORE_LINES_MAX}"


def check_w_xor_x() -> Iterator[str]:
    """No loadable segment of the kernel or of a native program is writable and executable."""
    for path in [KERNEL_ELF, KERNEL_DEBUG_ELF, *(BUILD / "user").rglob("*")]:
        if not path.is_file() or path.suffix == ".map":
            continue
        with path.open("rb") as file:
            for segment in ELFFile(file).iter_segments("PT_LOAD"):
                if segment["p_flags"] & 3 == 3:
                    where = f"{segment['p_vaddr']:#x}"
                    yield f"{relative(path)}: segment at {where} is writable and executable"


def check_released() -> Iterator[str]:
    """The released kernel has nothing of kernel/check."""
    sources = [p for part in parts.kernels() if part.out == KERNEL_ELF for p in part.sources]
    for path in sources:
        if path.is_relative_to(parts.KERNEL_CHECK):
            yield f"{relative(path)}: is linked into the released kernel"


def variables(elf: Path) -> set[str]:
    """What a program can write to by name, without the numbers that the linker gives to parts."""
    found = set()
    with elf.open("rb") as file:
        image = ELFFile(file)
        table = image.get_section_by_name(".symtab")
        sections = [
            bool(s["sh_flags"] & SH_FLAGS.SHF_WRITE) and s.name != ".data.rel.ro"
            for s in image.iter_sections()
        ]
        for symbol in table.iter_symbols() if isinstance(table, SymbolTableSection) else []:
            section = symbol["st_shndx"]
            is_data = symbol["st_info"]["type"] in ("STT_OBJECT", "STT_NOTYPE")
            if is_data and isinstance(section, int) and sections[section]:
                found.add(re.sub(r"\.\d+$", "", symbol.name))
    return found


def shared_problems(page: str, programs: dict[str, set[str]]) -> Iterator[str]:
    """Variables that the page does not name, and names in its tables that are none."""
    named = page[page.index(SHARED_TITLE) :]
    rows = re.findall(r"^\|[^|]+\|([^|]+)\|[^|]+\|$", named, re.MULTILINE)
    listed = {word for row in rows for word in row.split()} - {"variables", "---"}
    # And the lists: "What they have in common: one another."
    lists = re.findall(r"^[^|\n:]+: ([\w. ]+?)\.(?: |$)", named, re.MULTILINE)
    named_all = listed | {word for names in lists for word in names.split()}
    for program, found in programs.items():
        for name in sorted(found - named_all):
            yield f"{program}: `{name}`: say in {SHARED_PAGE} who shares it and what bounds it"
    for name in sorted(listed - set[str]().union(*programs.values())):
        yield f"{SHARED_PAGE}: there is no variable `{name}`"


def check_shared_state() -> Iterator[str]:
    """docs/invariants.md names every variable of the kernel and of the services."""
    paths = [KERNEL_ELF, *(BUILD / "user" / name for name in SERVICES)]
    programs = {relative(path): variables(path) for path in paths}
    yield from shared_problems((ROOT / SHARED_PAGE).read_text(), programs)


CHECKS: dict[str, Callable[[], Iterable[str]]] = {
    "ruff": tool("ruff", "check", "--quiet", "."),
    "ruff format": tool("ruff", "format", "--quiet", "--diff", "."),
    "mypy": tool("mypy"),
    "clang-format": check_clang_format,
    "includes": check_includes,
    "ring 0 size": check_ring0_size,
    "released kernel": check_released,
    "W^X": check_w_xor_x,
    "shared state": check_shared_state,
}


def format_all() -> int:
    """Formats every file in place; the highest status of the tools."""
    files = [relative(p) for p in c_files(*C_FOLDERS)]
    program = str(Path(sys.executable).parent / "clang-format")
    commands = [
        [program, "-i", *files],
        [sys.executable, "-m", "ruff", "check", "--quiet", "--fix", "."],
        [sys.executable, "-m", "ruff", "format", "--quiet", "."],
    ]
    return max(subprocess.run(command, cwd=ROOT, check=False).returncode for command in commands)


def run_all() -> int:
    """Runs every check and says what each found; 0 when none found anything."""
    failed = 0
    for name, check in CHECKS.items():
        problems = list(check())
        failed += bool(problems)
        print(f"lint: {name}: {'FAILED' if problems else 'ok'}", flush=True)
        for problem in problems:
            print(f"  {problem}")
    return 1 if failed else 0
