"""What arguments of Linux system calls mean: named values, tables for the trace, a page of them.

Reads userland/linux/abi/values.toml beside the table of calls; pybuild.linuxabi writes the results
into its own files. SchemaError names the entry that is wrong.
"""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path


class SchemaError(Exception):
    """The schema contradicts itself; the text names the entry."""


# How an argument is shown, by the word behind @, or by what is known of its type and name.
KINDS = {
    "signed": "ARGUMENT_SIGNED",
    "unsigned": "ARGUMENT_UNSIGNED",
    "hex": "ARGUMENT_HEX",
    "octal": "ARGUMENT_OCTAL",
    "fd": "ARGUMENT_DESCRIPTOR",
    "pointer": "ARGUMENT_POINTER",
    "string": "ARGUMENT_STRING",
    "bytes": "ARGUMENT_BYTES",
    "filled": "ARGUMENT_FILLED",
    "strings": "ARGUMENT_STRINGS",
    "pair": "ARGUMENT_PAIR",
    "status": "ARGUMENT_STATUS",
    "time": "ARGUMENT_TIME",
    "signals": "ARGUMENT_SIGNALS",
    "flags": "ARGUMENT_FLAGS",
    "names": "ARGUMENT_NAMES",
}
DESCRIPTORS = ("fd", "in_fd", "out_fd", "dir", "old_dir", "new_dir")
STRINGS = ("path", "old_path", "new_path")
HEX = ("address", "new_address", "stack", "tls")
OCTAL = ("mode", "mask")
# Sets that the tracer itself needs.
NEEDED = ("errno", "signal")


@dataclass(frozen=True)
class ValueSet:
    """Named values: bits of a word, or one of them; `low` is a field with names of its own."""

    name: str
    kind: str
    values: dict[str, int]
    low: dict[str, int] = field(default_factory=dict)
    low_mask: int = 0
    unsupported: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Values:
    """All sets, and what the arguments use them for."""

    sets: dict[str, ValueSet]
    uses: dict[str, str]

    def kind(self, call: str, type_name: str, argument: str) -> tuple[str, str]:
        """Return how to show an argument: a key of KINDS, and the name of its set, or ""."""
        use = self.uses.get(f"{call}.{argument}", "")
        if use.startswith("@"):
            return use[1:], ""
        if use:
            return self.sets[use].kind, use
        if argument == "signal" and "signal" in self.sets:
            return "names", "signal"
        return default_kind(type_name, argument), ""


def default_kind(type_name: str, argument: str) -> str:
    """Say what a type and a name tell of an argument."""
    if type_name == "i32" and argument in DESCRIPTORS:
        return "fd"
    if type_name == "ptr":
        return "string" if argument in STRINGS else "pointer"
    if argument in HEX:
        return "hex"
    if type_name == "u32" and argument in OCTAL:
        return "octal"
    return "signed" if type_name.startswith("i") else "unsigned"


def parse_set(name: str, entry: dict[str, object]) -> ValueSet:
    """Read one set; SchemaError when it is none."""
    kind = entry.get("kind")
    values = entry.get("values")
    low = dict(entry.get("low", {}))  # type: ignore[call-overload]
    unsupported = entry.get("unsupported", {})
    if kind not in ("flags", "names") or not isinstance(values, dict):
        raise SchemaError(f"sets.{name}: no kind or no values")
    mask = low.pop("mask", 0)
    assert isinstance(unsupported, dict)
    for value in unsupported:
        if value not in values:
            raise SchemaError(f"sets.{name}: {value} is unsupported, but not a value")
    return ValueSet(name, kind, values, low, mask, unsupported)


def parse(path: Path, arguments: dict[str, list[str]]) -> Values:
    """Read the file, if it is there; `arguments` are the names of each call's arguments."""
    table = tomllib.loads(path.read_text()) if path.exists() else {}
    sets = {name: parse_set(name, entry) for name, entry in table.get("sets", {}).items()}
    uses = table.get("uses", {})
    for use, value in uses.items():
        call, _, argument = use.partition(".")
        if argument not in arguments.get(call, []):
            raise SchemaError(f"uses: there is no argument {use}")
        if value not in sets and value[1:] not in KINDS:
            raise SchemaError(f"uses: {use} = {value!r} is no set")
    return Values(sets, uses)


def c_values(name: str, values: dict[str, int]) -> list[str]:
    """The lines of an array of names and values in C."""
    lines = [f"static const struct linux_value {name}[] = {{"]
    lines += [f'    {{"{text}", {value:#x}}},' for text, value in values.items()]
    return [*lines, "};"]


def tables(values: Values) -> list[str]:
    """The lines of the sets in C."""
    lines = []
    rows = []
    for name, one in values.sets.items():
        lines += c_values(f"values_{name}", one.values)
        if one.low:
            lines += c_values(f"low_{name}", one.low)
        low = f"low_{name}, {len(one.low)}" if one.low else "NULL, 0"
        rows.append(f"    {{values_{name}, {len(one.values)}, {low}, {one.low_mask:#x}}},")
    return [*lines, "const struct linux_values linux_values[] = {", *(rows or ["    {},"]), "};"]


def constants(values: Values) -> str:
    """The line of calls.h that names the sets which the tracer needs."""
    names = list(values.sets)
    numbers = [names.index(name) if name in names else 0 for name in NEEDED]
    pairs = ", ".join(
        f"LINUX_VALUES_{name.upper()} = {number}"
        for name, number in zip(NEEDED, numbers, strict=True)
    )
    return f"enum {{ {pairs} }};"


def arguments_line(values: Values, call: str, args: tuple[tuple[str, str], ...]) -> str:
    """The array of one call's arguments in C; "" when it has none."""
    shown = []
    for type_name, name in args:
        kind, set_name = values.kind(call, type_name, name)
        number = list(values.sets).index(set_name) if set_name else 0
        bits = 32 if type_name.endswith("32") else 64
        shown.append(f"{{{KINDS[kind]}, {bits}, {number}}}")
    if not shown:
        return ""
    return f"static const struct linux_argument args_{call}[] = {{{', '.join(shown)}}};"


def manual(values: Values) -> list[str]:
    """The lines of the page about values: who uses a set, and what is not supported of it."""
    users: dict[str, list[str]] = {}
    for use, value in values.uses.items():
        if not value.startswith("@"):
            users.setdefault(value, []).append(use)
    lines = [
        "## Flags and other values",
        "",
        "| values | used by | not supported |",
        "|---|---|---|",
    ]
    for name, one in values.sets.items():
        if name in users:
            known = [text for text in [*one.low, *one.values] if text not in one.unsupported]
            missing = ", ".join(f"{text} ({why})" for text, why in one.unsupported.items())
            lines.append(f"| {' '.join(known)} | {', '.join(users[name])} | {missing} |")
    return lines
