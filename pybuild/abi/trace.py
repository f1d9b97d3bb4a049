"""Says in words what the kernel's trace and system calls were.

`python -m pybuild.abi.trace [FILE]` reads text (standard input without FILE) and writes it again
with what it knows said in words: the lines `trace … kind …` that a panic prints, and lines
`NUMBER STATUS ARG…` for system calls. With `--ring` the file is what the system call system_trace
copied: entries of 32 bytes, laid out in kernel/object/trace.h.
"""

import argparse
import re
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

from .parse import load_schema
from .schema import U32_MAX, Arg, Kind, Schema

KERNEL = Path(__file__).resolve().parents[2] / "kernel"
SCHEMA_FOLDER = KERNEL / "abi"
TRACE_HEADER = KERNEL / "object" / "trace.h"
# struct trace_entry: time_ns, thread koid, kind, cpu, a, b.
ENTRY = struct.Struct("<QIHHQQ")
PANIC_LINE = re.compile(r"\btrace \d+ ns: .*kind (\d+) ([0-9a-f]+) ([0-9a-f]+)\s*$")


def flags_text(schema: Schema, flag_set: str, value: int) -> str:
    """`READ|WRITE`, with what is no flag of the set in hexadecimal."""
    bits = schema.bit_set(flag_set).bits
    names = [bit.name for bit in bits if bit.mask & value]
    rest = value & ~schema.bit_set(flag_set).mask
    return "|".join([*names, *([hex(rest)] if rest or not names else [])])


def value_text(schema: Schema, arg: Arg, value: int) -> str:
    """An argument as a person would write it."""
    if arg.flag_set is not None:
        return flags_text(schema, arg.flag_set, value)
    if arg.kind is Kind.DEADLINE:
        return {0: "POLL", (1 << 64) - 1: "NEVER"}.get(value, str(value))
    if arg.limits.one_of is not None:
        for member in schema.group(arg.limits.one_of).members:
            if member.value == value:
                return member.name
    if arg.kind is Kind.VALUE and arg.limits.type.startswith("i") and value >> 63:
        return str(value - (1 << 64))
    return str(value) if value < 0x10000 else hex(value)


def status_text(schema: Schema, status: int) -> str:
    """The error's name; `status` signed, or as the 64 or 32 bits of a register."""
    if status > U32_MAX:
        status -= 1 << 64
    elif status > U32_MAX >> 1:
        status -= 1 << 32
    for error in schema.errors:
        if error.value == status:
            return error.name
    return str(status)


def decode(schema: Schema, number: int, args: Sequence[int], status: int | None) -> str:
    """One system call; `status` None for one that has not returned."""
    result = "…" if status is None else status_text(schema, status)
    for call in schema.syscalls:
        if call.number == number:
            values = [
                f"{arg.name}={value_text(schema, arg, value)}"
                for arg, value in zip(call.args, args, strict=False)
            ]
            return f"{call.name}({', '.join(values)}) = {result}"
    return f"{number}?({', '.join(hex(value) for value in args)}) = {result}"


def trace_kinds() -> dict[int, tuple[str, str]]:
    """Number → (name, what a and b are) of each kind of event, as the kernel's header says."""
    pattern = r"^\s+TRACE_(\w+) = (\d+),(?: *// *(.*))?$"
    found = re.findall(pattern, TRACE_HEADER.read_text(), re.MULTILINE)
    return {int(number): (name.lower(), doc) for name, number, doc in found}


def event_text(schema: Schema, kind: int, a: int, b: int) -> str:
    """One event of the ring: its name, and `a` and `b` under the names that the header gives."""
    name, doc = trace_kinds().get(kind, (f"kind {kind}", "a = a, b = b"))
    words = [name.replace("_", " ")]
    for meaning, value in zip(re.findall(r"[ab] = ([^,]+)", doc), (a, b), strict=False):
        text = str(value)
        if meaning == "type":
            text = next((entry.name for entry in schema.objects if entry.value == value), text)
        words.append(f"{meaning}={text}")
    return " ".join(words)


def ring_lines(schema: Schema, data: bytes) -> list[str]:
    """The entries that system_trace copied, oldest first; a part of an entry at the end is left."""
    whole = len(data) - len(data) % ENTRY.size
    return [
        f"{time_ns:>15} ns cpu {cpu} thread {thread}: {event_text(schema, kind, a, b)}"
        for time_ns, thread, kind, cpu, a, b in ENTRY.iter_unpack(data[:whole])
    ]


def line_text(schema: Schema, line: str) -> str:
    """A line of a log, in words if it is one of the trace; else as it is."""
    event = PANIC_LINE.search(line)
    if event:
        kind, a, b = int(event[1]), int(event[2], 16), int(event[3], 16)
        return line[: event.start(1) - len("kind ")] + event_text(schema, kind, a, b)
    try:
        number, status, *args = (int(word, 0) for word in line.split())
    except ValueError:
        return line
    return decode(schema, number, args, status)


def main(arguments: list[str]) -> int:
    """Returns the exit status, always 0: what is not understood is printed as it is."""
    parser = argparse.ArgumentParser(prog="python -m pybuild.abi.trace")
    parser.add_argument("file", nargs="?", type=Path, help="default: standard input")
    parser.add_argument("--ring", action="store_true", help="entries as system_trace copies them")
    options = parser.parse_args(arguments)
    schema = load_schema(SCHEMA_FOLDER)
    data = options.file.read_bytes() if options.file else sys.stdin.buffer.read()
    if options.ring:
        lines = ring_lines(schema, data)
    else:
        text = data.decode(errors="replace")
        lines = [line_text(schema, line) for line in text.splitlines()]
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
