"""From the table of Linux system calls: prototypes, register decoding, dispatch table, names.

Run as `python -m pybuild.linuxabi SCHEMA OUTPUT`: reads SCHEMA (userland/linux/abi/x86_64.toml),
with values.toml beside it, writes OUTPUT/calls.h, OUTPUT/dispatch.c and OUTPUT/../docs/linux.md.
Exits with 1 and a line that names the entry when the schema is wrong.
"""

import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from pybuild import linuxvalues
from pybuild.linuxvalues import SchemaError, Values

REGISTERS = ("rdi", "rsi", "rdx", "r10", "r8", "r9")
NUMBERS_MAX = 512
# Type in the schema -> (type in C, how it is made of a register).
TYPES = {
    "i32": ("i32", "(i32){}"),
    "u32": ("u32", "(u32){}"),
    "i64": ("i64", "(i64){}"),
    "u64": ("u64", "{}"),
    "usize": ("usize", "{}"),
    "ptr": ("linux_ptr", "(linux_ptr){{{}}}"),
}
NOTICE = "// Generated from userland/linux/abi/x86_64.toml by pybuild.linuxabi.\n"


@dataclass(frozen=True)
class Call:
    """One system call that the personality knows: its arguments are (type, name)."""

    number: int
    name: str
    args: tuple[tuple[str, str], ...]

    def prototype(self) -> str:
        """The handler's declaration in C."""
        args = "".join(f", {TYPES[kind][0]} {name}" for kind, name in self.args)
        return f"i64 linux_{self.name}(struct thread *thread{args})"

    def decoder(self) -> str:
        """A C function that takes the arguments out of the registers and calls the handler."""
        values = "".join(
            ", " + TYPES[kind][1].format(f"thread->state.{register}")
            for (kind, _), register in zip(self.args, REGISTERS, strict=False)
        )
        return (
            f"static i64 call_{self.name}(struct thread *thread)\n"
            f"{{\n    return linux_{self.name}(thread{values});\n}}\n"
        )


def parse_args(entry: str, texts: list[str]) -> tuple[tuple[str, str], ...]:
    """Split "type name" texts; SchemaError for an unknown type or too many."""
    args = []
    for text in texts:
        kind, _, name = text.partition(" ")
        if kind not in TYPES or not name.isidentifier():
            raise SchemaError(f"{entry}: bad argument {text!r}")
        args.append((kind, name))
    if len(args) > len(REGISTERS):
        raise SchemaError(f"{entry}: more than {len(REGISTERS)} arguments")
    return tuple(args)


def parse(schema: Path) -> tuple[list[Call], dict[int, str]]:
    """Read the schema: the calls by number, and the name of every number."""
    table = tomllib.loads(schema.read_text())
    names: dict[int, str] = {}
    calls = []
    for entry in table.get("call", []):
        call = Call(
            entry["number"], entry["name"], parse_args(entry["name"], entry.get("args", []))
        )
        calls.append(call)
    numbered = [(call.number, call.name) for call in calls]
    numbered += [(number, name) for name, number in table.get("unsupported", {}).items()]
    for number, name in numbered:
        if number in names or not 0 <= number < NUMBERS_MAX:
            raise SchemaError(f"{name}: number {number} is taken or out of range")
        names[number] = name
    return sorted(calls, key=lambda call: call.number), names


def header(calls: list[Call], names: dict[int, str], values: Values) -> str:
    """The text of calls.h."""
    lines = [NOTICE, "#pragma once", "", '#include "linux/copy.h"', '#include "lib/types.h"', ""]
    lines += ["struct linux_argument;", "struct thread;", ""]
    lines += [
        "struct linux_call {",
        "    i64 (*run)(struct thread *thread); // NULL: not supported",
    ]
    lines += ["    const char *name;", "    const struct linux_argument *arguments;"]
    lines += ["    u32 arguments_count;", "};", "", linuxvalues.constants(values)]
    lines += [f"enum {{ LINUX_CALLS = {max(names) + 1} }};"]
    lines += ["extern const struct linux_call linux_calls[LINUX_CALLS];", ""]
    lines += [call.prototype() + ";" for call in calls]
    return "\n".join(lines) + "\n"


def dispatch(calls: list[Call], names: dict[int, str], values: Values) -> str:
    """The text of dispatch.c."""
    known = {call.number: call for call in calls}
    lines = [NOTICE, '#include "linux/calls.h"', '#include "linux/thread.h"']
    lines += ['#include "linux/trace.h"', ""]
    lines += [call.decoder() for call in calls]
    lines += linuxvalues.tables(values)
    lines += [linuxvalues.arguments_line(values, call.name, call.args) for call in calls]
    lines += ["const struct linux_call linux_calls[LINUX_CALLS] = {"]
    for number, name in sorted(names.items()):
        run = f"call_{name}" if number in known else "NULL"
        args = known[number].args if number in known else ()
        shown = f", args_{name}, {len(args)}" if args else ", NULL, 0"
        lines.append(f'    [{number}] = {{{run}, "{name}"{shown}}},')
    lines.append("};")
    return "\n".join(lines) + "\n"


def manual(calls: list[Call], names: dict[int, str], values: Values) -> str:
    """The text of linux.md: what is supported, and what is not."""
    known = {call.number for call in calls}
    lines = ["# System calls of Linux", ""]
    lines += [
        f"{len(calls)} of {len(names)} are there; the others give ENOSYS and a line in the log."
    ]
    lines += ["", "| number | name | arguments |", "|---|---|---|"]
    lines += [
        f"| {call.number} | {call.name} | {', '.join(name for _, name in call.args)} |"
        for call in calls
    ]
    missing = ", ".join(name for number, name in sorted(names.items()) if number not in known)
    lines += ["", f"Not supported: {missing}.", "", *linuxvalues.manual(values)]
    return "\n".join(lines) + "\n"


def generate(schema: Path, output: Path) -> None:
    """Write all files below `output` and its sibling docs; SchemaError when the schema is wrong."""
    calls, names = parse(schema)
    values = linuxvalues.parse(
        schema.with_name("values.toml"),
        {call.name: [name for _, name in call.args] for call in calls},
    )
    output.mkdir(parents=True, exist_ok=True)
    (output / "calls.h").write_text(header(calls, names, values))
    (output / "dispatch.c").write_text(dispatch(calls, names, values))
    docs = output.parent / "docs"
    docs.mkdir(exist_ok=True)
    (docs / "linux.md").write_text(manual(calls, names, values))


def main(arguments: list[str]) -> int:
    """Entry of the command line; returns its exit status."""
    if len(arguments) != 2:
        print("usage: python -m pybuild.linuxabi SCHEMA OUTPUT", file=sys.stderr)
        return 2
    try:
        generate(Path(arguments[0]), Path(arguments[1]))
    except (SchemaError, OSError, KeyError, tomllib.TOMLDecodeError) as error:
        print(f"linuxabi: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
