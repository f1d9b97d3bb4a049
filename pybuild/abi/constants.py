"""python/abi.py: the ABI's numbers and what is known of the calls, for tests and tools."""

from .schema import BitSet, Constant, Schema


def mapping(name: str, rows: list[tuple[str, str]], kind: str) -> list[str]:
    return ["", f"{name}: {kind} = {{", *(f"    {key}: {value}," for key, value in rows), "}"]


def by_name(entries: tuple[Constant, ...]) -> list[tuple[str, str]]:
    return [(repr(entry.name), str(entry.value)) for entry in entries]


def bits(flags: BitSet) -> list[tuple[str, str]]:
    return [(repr(bit.name), hex(bit.mask)) for bit in flags.bits]


def constants_py(schema: Schema) -> str:
    """A module without imports of its own but the standard library's."""
    numbers = "dict[str, int]"
    lines = ['"""Numbers of the ABI. Generated from kernel/abi by pybuild.abi; do not edit."""']
    lines += ["", "from typing import NamedTuple", "", ""]
    lines += ["class Argument(NamedTuple):", "    name: str", "    kind: str", ""]
    lines += ["", "class Syscall(NamedTuple):", "    name: str", "    number: int"]
    lines += ["    summary: str", "    args: tuple[Argument, ...]", "    outs: tuple[str, ...]"]
    lines += ["    errors: tuple[str, ...]", "    blocks: bool", "    noreturn: bool", ""]
    lines += mapping("ERRORS", by_name(schema.errors), numbers)
    rows = [(str(entry.value), repr((entry.name, entry.meaning))) for entry in schema.errors]
    lines += mapping("ERROR_TEXTS", rows, "dict[int, tuple[str, str]]")
    lines += mapping("OBJECTS", by_name(schema.objects), numbers)
    lines += mapping("RIGHTS", bits(schema.rights), numbers)
    lines += mapping("SIGNALS", bits(schema.signals), numbers)
    lines += mapping("CONSTANTS", by_name(schema.constants), numbers)
    for kind, entries in (
        ("GROUPS", [(group.name, by_name(group.members)) for group in schema.groups]),
        ("FLAGS", [(flags.name, bits(flags)) for flags in schema.flag_sets]),
    ):
        lines += ["", f"{kind}: dict[str, {numbers}] = {{"]
        for name, pairs in entries:
            lines.append(f"    {name!r}: {{{', '.join(f'{k}: {v}' for k, v in pairs)}}},")
        lines.append("}")
    rows = [(repr(struct.name), str(struct.size)) for struct in schema.structs]
    lines += mapping("STRUCT_SIZES", rows, numbers)
    lines += ["", "SYSCALLS: tuple[Syscall, ...] = ("]
    for call in schema.syscalls:
        lines += ["    Syscall(", f"        {call.name!r},", f"        {call.number},"]
        lines += [f"        {call.summary!r},"]
        args = "".join(f"Argument({arg.name!r}, {arg.kind.value!r}), " for arg in call.args)
        lines += [f"        ({args}),"]
        lines += [f"        {tuple(out.name for out in call.outs)!r},"]
        lines += [f"        {tuple(error.name for error in call.errors)!r},"]
        lines += [f"        {call.blocks},", f"        {call.noreturn},", "    ),"]
    return "\n".join([*lines, ")", ""])
