"""Says in words what a system call in the kernel's trace was: `aspace_map(aspace=3, …) = OK`.

`python -m pybuild.abi.trace` reads lines `NUMBER STATUS ARG…` (any base that Python reads, as the
kernel prints the newest calls in a panic) and writes them decoded.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from .parse import load_schema
from .schema import U32_MAX, Arg, Kind, Schema

SCHEMA_FOLDER = Path(__file__).resolve().parents[2] / "kernel" / "abi"


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


def main() -> int:
    """Decodes standard input; lines that are none of the trace stay as they are."""
    schema = load_schema(SCHEMA_FOLDER)
    for line in sys.stdin:
        try:
            number, status, *args = (int(word, 0) for word in line.split())
        except ValueError:
            print(line, end="")
            continue
        print(decode(schema, number, args, status))
    return 0


if __name__ == "__main__":
    sys.exit(main())
