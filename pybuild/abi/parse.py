"""Reads the schema's TOML files and checks all of it.

Every complaint is a SchemaError with the file, the entry and what to do; nothing unknown passes, so
that a misspelt key can't silently switch off a check in the kernel.
"""

from pathlib import Path

from .check import Where, check_keys, load_file, take
from .schema import Schema, SchemaError, Syscall
from .syscall_parser import SyscallParser
from .types_parser import TYPES_FILE


def load_schema(folder: Path, root: Path | None = None) -> Schema:
    """The schema in `folder`; files are named relative to `root` in messages.

    Raises SchemaError for anything that is not right, OSError for what can't be read.
    """

    def label(path: Path) -> str:
        return str(path.relative_to(root)) if root and path.is_relative_to(root) else str(path)

    types = folder / TYPES_FILE
    if not types.is_file():
        raise SchemaError(f"{label(types)}: is not there; give the folder of the schema")
    parser = SyscallParser(load_file(types, label(types)), label(types))
    calls: list[Syscall] = []
    for path in sorted(folder.glob("*.toml")):
        if path == types:
            continue
        table = load_file(path, label(path))
        where = Where(label(path), "top level")
        check_keys(table, frozenset({"syscall"}), where)
        for number, entry in enumerate(take(table, "syscall", list, where)):
            calls.append(parser.parse_syscall(entry, label(path), number))
    names: dict[str, Syscall] = {}
    numbers: dict[int, Syscall] = {}
    for call in calls:
        where = Where(call.file, f"syscall {call.name}")
        if call.name in names:
            raise where.error(f"is also in {names[call.name].file}; rename or remove one")
        if call.number in numbers:
            other = numbers[call.number].name
            raise where.error(f"number {call.number} is {other}'s; take one that was never used")
        names[call.name] = numbers[call.number] = call
    return Schema(
        parser.errors,
        parser.objects,
        parser.rights,
        parser.signals,
        parser.constants,
        parser.groups,
        parser.flag_sets,
        parser.structs,
        tuple(sorted(calls, key=lambda call: call.number)),
    )
