"""The manual: one page in section 2 for each system call, and an index in markdown."""

from .emit import USER_TYPES
from .schema import Schema, Syscall
from .signature import argument_words, c_signature, implied_errors


def escape(text: str) -> str:
    """Text that troff prints as it is."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text.startswith((".", "'")) else text


def man_page(schema: Schema, call: Syscall) -> str:
    """The page of one call."""
    lines = [f'.TH {call.name.upper()} 2 "" Cloister "System calls"', ".SH NAME"]
    lines += [f"{call.name} \\- {escape(call.summary.rstrip('.'))}", ".SH SYNOPSIS", ".nf"]
    lines += ["#include <cloister.h>", ".PP", f"{escape(c_signature(call))};", ".fi"]
    lines += [".SH DESCRIPTION", escape(call.summary)]
    lines += [".PP", escape(call.doc)] if call.doc else []
    for arg in call.args:
        lines += [".TP", f".I {arg.name}", escape(argument_words(schema, arg))]
        lines += [".br", escape(arg.doc)] if arg.doc else []
    lines += [".SH RETURN VALUE"]
    lines += ["Does not return when it succeeds."] if call.noreturn else ["OK (0) or an error."]
    for out in call.outs:
        lines += [".TP", f".I {out.name}", escape(f"{USER_TYPES[out.type]} {out.object or ''}")]
    errors = [*implied_errors(schema, call), *call.errors]
    lines += [".SH ERRORS"] if errors else []
    for error in errors:
        lines += [".TP", f".B ERR_{error.name}", escape(error.cause)]
    return "\n".join([*lines, ""])


def anchor(call: Syscall) -> str:
    return f"{call.name}"


def man_index(schema: Schema) -> str:
    """All calls, errors, object types and rights on one page of markdown."""
    lines = ["# System calls of Cloister", ""]
    lines += ["Generated from kernel/abi by pybuild.abi. Every call returns OK (0) or an error; "
              "the order of checks is in kernel/abi/README.md.", ""]  # fmt: skip
    lines += ["| number | call | what it does |", "|---|---|---|"]
    for call in schema.syscalls:
        lines.append(f"| {call.number} | [{call.name}](#{anchor(call)}) | {call.summary} |")
    for title, rows in (
        ("Errors", [(f"ERR_{entry.name}", entry.meaning) for entry in schema.errors[1:]]),
        ("Objects", [(entry.name, entry.meaning) for entry in schema.objects]),
        ("Rights", [(bit.name, bit.meaning) for bit in schema.rights.bits]),
        ("Signals", [(bit.name, bit.meaning) for bit in schema.signals.bits]),
    ):
        lines += ["", f"## {title}", "", "| name | meaning |", "|---|---|"]
        lines += [f"| {name} | {meaning} |" for name, meaning in rows]
    for call in schema.syscalls:
        lines += ["", f"## {call.name}", "", f"`{c_signature(call)}`", "", call.summary]
        lines += [call.doc] if call.doc else []
        lines += [""] if call.args else []
        lines += [f"- `{arg.name}`: {argument_words(schema, arg)}" for arg in call.args]
        errors = [*implied_errors(schema, call), *call.errors]
        lines += ["", "Errors:"] if errors else []
        lines += [f"- `{error.name}`: {error.cause}" for error in errors]
    return "\n".join([*lines, ""])
