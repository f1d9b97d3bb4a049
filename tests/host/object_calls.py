"""Whatever calls on the object kernel (tests/fuzz/objects.h): their table out of the schema, the
fuzzer, and how much of the kernel it reaches."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
from pathlib import Path

from pybuild import fuzzer, host
from pybuild.abi.parse import load_schema
from pybuild.abi.schema import Arg, Kind, Schema, Syscall
from pybuild.parts import ABI_SCHEMA
from pybuild.paths import BUILD, GEN, ROOT

FUZZ = ROOT / "tests" / "fuzz"
CORPUS = FUZZ / "objects.corpus"
TABLE = BUILD / "host" / "gen" / "objects_table.c"
COVERAGE = BUILD / "fuzz_objects.coverage"
REDUCED = BUILD / "objects.corpus"
COVERED = ("kernel/object/", "kernel/mm/")
# What needs the processor, or ends the machine; and lines and cards, of which there are none.
LEFT_OUT = re.compile(r"restricted_enter|system_\w+|serial_\w+|nic_\w+|log_write")
ENVIRONMENT = {**host.ENVIRONMENT, "ASAN_OPTIONS": "exitcode=99:detect_leaks=0"}
# What ends threads, and with them most of what is to be tried: seldom.
ENDS = {"ns_kill", "process_kill", "process_exit", "process_freeze", "thread_exit"}
STRUCTS = {
    "message": "FUZZ_MESSAGE",
    "acl": "FUZZ_ACL",
    "ns_limits": "FUZZ_LIMITS",
    "channel_options": "FUZZ_OPTIONS",
}
VALUES = {
    "rights": "FUZZ_RIGHTS",
    "koid": "FUZZ_KOID",
    "address": "FUZZ_PLACE",
    "target": "FUZZ_PLACE",
    "target_size": "FUZZ_PAGES",
    "offset": "FUZZ_OFFSET",
}
CODE = ("entry", "stack", "start", "end", "handler")


def _kind(call: Syscall, arg: Arg) -> str:
    match arg.kind:
        case Kind.HANDLE | Kind.MOVED_HANDLE:
            return "FUZZ_HANDLE"
        case Kind.STRING:
            return "FUZZ_NAME"
        case Kind.FLAGS:
            return "FUZZ_FLAGS"
        case Kind.DEADLINE:
            return "FUZZ_DEADLINE"
        case Kind.IN_STRUCT:
            return STRUCTS.get(arg.struct or "", "FUZZ_ROOM")
        case Kind.ADDRESS:
            return "FUZZ_CODE" if arg.name in CODE else "FUZZ_ROOM"
        case Kind.VALUE:
            return _value_kind(call, arg)
        case _:
            return "FUZZ_ROOM"


def _value_kind(call: Syscall, arg: Arg) -> str:
    if any(other.length == arg.name for other in call.args):
        return "FUZZ_LENGTH"
    if arg.name == "size" and arg.limits.align:
        return "FUZZ_PAGES"
    return VALUES.get(arg.name, "FUZZ_VALUE")


def _mask(schema: Schema, arg: Arg) -> int:
    if arg.kind in (Kind.HANDLE, Kind.MOVED_HANDLE):
        numbers = {thing.name: thing.value for thing in schema.objects}
        return sum(1 << numbers[name] for name in arg.objects)
    return arg.mask


def _rights(schema: Schema, arg: Arg) -> int:
    return sum(1 << bit.bit for bit in schema.rights.bits if bit.name in arg.rights)


def table_text(schema: Schema) -> str:
    """The calls, with what each argument is made of."""
    rows = []
    for call in schema.syscalls:
        if LEFT_OUT.fullmatch(call.name):
            continue
        args = "".join(
            f"{{{_kind(call, a)}, {_mask(schema, a):#x}, {_rights(schema, a):#x}}}, "
            for a in call.args
        )
        rows.append(
            f"    {{{call.number}, {int(call.name in ENDS)}, {{{args}}}}}, // {call.name}\n"
        )
    return (
        '#include "../../../tests/fuzz/objects.h"\n\n'
        f"const struct fuzz_call fuzz_calls[] = {{\n{''.join(rows)}}};\n"
        "const u32 fuzz_calls_count = ARRAY_SIZE(fuzz_calls);\n"
    )


def table_write() -> None:
    """Makes the table, when it has changed."""
    text = table_text(load_schema(ABI_SCHEMA))
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    if not TABLE.exists() or TABLE.read_text() != text:
        TABLE.write_text(text)


def program(name: str, driver: Path, *sanitizers: str) -> host.HostProgram:
    """The kernel with a driver of such calls."""
    table_write()
    sources = (
        *(driver, FUZZ / "objects.c", FUZZ / "objects_calls.c", TABLE),
        ROOT / "tests" / "host" / "kernel" / "disk.c",
        ROOT / "kernel" / "syscall" / "syscall.c",
        GEN / "kernel" / "dispatch.c",
    )
    return host.kernel_program(name, *sources, sanitizers=sanitizers)


def fuzz_program() -> host.HostProgram:
    """The fuzzer."""
    return program("fuzz_objects", FUZZ / "fuzz_objects.c", "fuzzer", "address", "undefined")


def command(built: Path, *words: str) -> list[str]:
    """The fuzzer with the limits of an input."""
    # What the host's part allocates for threads that are there at the end is no leak.
    options = ["-max_len=2000", "-len_control=0", "-detect_leaks=0", "-timeout=30"]
    return [str(built), *options, "-rss_limit_mb=4000", *words]


def run(folder: Path, seconds: int) -> str:
    """Fuzz for so long, starting from the saved corpus; AssertionError with what was found."""
    corpus = folder / "corpus"
    seeds = fuzzer.corpus_read(CORPUS, corpus)
    built = host.build(fuzz_program())
    options = [f"-artifact_prefix={folder}/", str(corpus)]
    return fuzzer.run(command(built, *options), seconds, seeds=seeds, cwd=ROOT, env=ENVIRONMENT)


def reduce(found: Path, folder: Path) -> int:
    """Save the few of these inputs that reach all that they reach, in REDUCED; their number."""
    few = folder / "few"
    few.mkdir()
    # Which code is reached, and not how often.
    words = ("-set_cover_merge=1", "-use_counters=0", str(few), str(found))
    built = host.build(fuzz_program())
    subprocess.run(
        command(built, *words),
        cwd=ROOT,
        check=True,
        timeout=1200,
        capture_output=True,
        env={**os.environ, **ENVIRONMENT},
    )
    fuzzer.corpus_write(few, REDUCED)
    return len(list(few.iterdir()))


# ---- coverage ----


def coverage_tool() -> list[str] | None:
    """What reads clang's files of line counts."""
    tools = ((["llvm-cov", "gcov"], "llvm-cov"), (["gcov"], "gcov"))
    return next((words for words, name in tools if shutil.which(name)), None)


def coverage(corpus: Path) -> dict[str, tuple[int, int]]:
    """Run the inputs of a folder once; per kernel file, lines that were executed, and all."""
    plain = program("fuzz_objects_coverage", FUZZ / "fuzz_objects.c", "fuzzer")
    counted = dataclasses.replace(plain, instrumentation=("--coverage",))
    built = host.build(counted)
    objects = counted.shared.with_name(counted.shared.name + ".obj")
    for old in objects.rglob("*.gcda"):
        old.unlink()
    subprocess.run(
        command(built, "-runs=0", str(corpus)),
        cwd=ROOT,
        check=True,
        timeout=600,
        capture_output=True,
        env={**os.environ, **ENVIRONMENT},
    )
    found: dict[str, tuple[int, int]] = {}
    for data in sorted(objects.rglob("*.gcda")):
        source = str(data.relative_to(objects)).removesuffix(".gcda")
        if source.startswith(COVERED):
            found[source] = _lines(data, source)
    return found


def _lines(data: Path, source: str) -> tuple[int, int]:
    tool = coverage_tool()
    assert tool
    said = subprocess.run(
        [*tool, "-n", str(data)], cwd=ROOT, check=True, capture_output=True, text=True, timeout=60
    ).stdout
    pattern = rf"File '(?:\S*/)?{re.escape(source)}'\nLines executed:([\d.]+)% of (\d+)"
    match = re.search(pattern, said)
    assert match, said
    lines = int(match[2])
    return round(float(match[1]) * lines / 100), lines


def totals(found: dict[str, tuple[int, int]]) -> tuple[int, int]:
    """Lines that were executed, and all."""
    return sum(a for a, _ in found.values()), sum(b for _, b in found.values())


def coverage_text(found: dict[str, tuple[int, int]]) -> str:
    """As a table."""
    rows = [*found.items(), ("all", totals(found))]
    return "".join(f"{a / b:6.1%} {a:5} of {b:5}  {name}\n" for name, (a, b) in rows)
