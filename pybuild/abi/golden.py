"""kernel/abi/abi.golden: the whole ABI as text, committed, so that each change shows in a diff.

Meanings and summaries are left out: the golden copy changes when a program could notice it.
"""

import difflib
from pathlib import Path

from .schema import BitSet, Constant, Schema
from .signature import argument_words, field_words, implied_errors

GOLDEN_FILE = "abi.golden"
HOW = "python -m pybuild.abi --write-golden kernel/abi build/gen"


def constant_lines(entries: tuple[Constant, ...]) -> list[str]:
    return [f"  {entry.value:#x} {entry.name}" if entry.value > 0xFFFF else
            f"  {entry.value} {entry.name}" for entry in entries]  # fmt: skip


def bit_lines(flags: BitSet) -> list[str]:
    return [f"  bit {bit.bit} {bit.name}" for bit in flags.bits]


def golden_text(schema: Schema) -> str:
    """The dump; the same for the same ABI."""
    lines = [f"# The ABI of Cloister, written by `{HOW}`.", "", "errors"]
    lines += [*constant_lines(schema.errors), "", "objects", *constant_lines(schema.objects)]
    lines += ["", "rights", *bit_lines(schema.rights), "", "signals", *bit_lines(schema.signals)]
    lines += ["", "rights of a creator"]
    lines += [f"  {e.name}: {' '.join(schema.asked_rights(e.name))}" for e in schema.objects]
    lines += ["", "constants", *constant_lines(schema.constants)]
    for group in schema.groups:
        lines += ["", f"group {group.name}", *constant_lines(group.members)]
    for flags in schema.flag_sets:
        lines += ["", f"flags {flags.name}", *bit_lines(flags)]
    for struct in schema.structs:
        lines += ["", f"struct {struct.name}: {struct.size} bytes, aligned to {struct.align}"]
        for field in struct.fields:
            count = f"[{field.count}]" if field.count > 1 else ""
            start = f"  +{field.offset} {field.limits.type} {field.name}{count}"
            lines.append(f"{start} {field_words(schema, field)}".rstrip())
    for call in schema.syscalls:
        marks = [mark for mark in ("blocks", "noreturn", "raw") if getattr(call, mark)]
        lines += ["", " ".join([f"syscall {call.number} {call.name}", *marks])]
        lines += [f"  {arg.name}: {argument_words(schema, arg)}" for arg in call.args]
        for out in call.outs:
            lines.append(f"  -> {out.name}: {out.type} {out.object or ''}".rstrip())
        implied = [cause.name for cause in implied_errors(schema, call)]
        lines += [f"  decoding: {' '.join(implied)}"] if implied else []
        own = sorted(cause.name for cause in call.errors)
        lines += [f"  handler: {' '.join(own)}"] if own else []
    return "\n".join([*lines, ""])


def golden_difference(schema: Schema, folder: Path) -> str:
    """What differs from the committed copy, as a unified diff; empty when nothing does."""
    path = folder / GOLDEN_FILE
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    new = golden_text(schema)
    return "".join(
        difflib.unified_diff(
            old.splitlines(keepends=True), new.splitlines(keepends=True), str(path), "generated"
        )
    )
