"""What native programs see: user/cloister.h, one inline stub for each system call.

A stub is one `syscall` instruction. Argument registers come back as zero or as out values, so they
are operands or clobbers; the registers that C preserves are preserved.
"""

from .emit import USER_TYPES, call, comment, head, out_argument, scalar_type
from .kernel import returns_nothing
from .schema import HANDLE_KINDS, STRUCT_KINDS, Arg, Kind, Schema, Syscall

REGISTERS = ("rdi", "rsi", "rdx", "r10", "r8", "r9")
OUT_REGISTERS = ("rdx", "r8", "r9")
# Registers that have a constraint letter of their own; the others are pinned variables.
LETTERS = {"rdi": "D", "rsi": "S", "rdx": "d"}


def user_argument(arg: Arg) -> str:
    if arg.kind in HANDLE_KINDS:
        return f"handle_t {arg.name}"
    if arg.kind is Kind.IN_BYTES:
        return f"const void *{arg.name}"
    if arg.kind is Kind.OUT_BYTES:
        return f"void *{arg.name}"
    if arg.kind is Kind.STRING:
        return f"const char *{arg.name}"
    if arg.kind in STRUCT_KINDS:
        const = "const " if arg.kind is Kind.IN_STRUCT else ""
        return f"{const}struct cl_{arg.struct} *{arg.name}"
    return f"{USER_TYPES[scalar_type(arg.kind, arg.limits)]} {arg.name}"


def user_value(arg: Arg) -> str:
    if arg.kind in STRUCT_KINDS or arg.kind in (Kind.IN_BYTES, Kind.OUT_BYTES, Kind.STRING):
        return f"(uint64_t){arg.name}"
    if arg.kind is Kind.VALUE and arg.limits.type.startswith("i"):
        return f"(uint64_t)(int64_t){arg.name}"
    return arg.name


def stub(entry: Syscall) -> list[str]:
    names = REGISTERS[: len(entry.args)]
    outs = OUT_REGISTERS[: len(entry.outs)]
    never = returns_nothing(entry) and all(arg.kind is Kind.VALUE for arg in entry.args)
    parameters = [user_argument(arg) for arg in entry.args]
    parameters += [out_argument(out, USER_TYPES) for out in entry.outs]
    result = "[[noreturn]] static inline void" if never else "static inline status_t"
    lines = [*comment(documentation(entry))]
    lines += call(f"{result} {entry.name}(", parameters or ["void"], ")")
    lines += ["{", f"    uint64_t rax = SYSCALL_{entry.name.upper()};"]
    operands = ['"+a"(rax)']
    clobbers = ["rcx", "r11", "memory"]
    for name in REGISTERS:
        used, is_out = name in names, name in outs
        if not used and not is_out:
            clobbers.insert(-1, name)
            continue
        value = f" = {user_value(entry.args[names.index(name)])}" if used else ""
        pin = "" if name in LETTERS else f' __asm__("{name}")'
        lines.append(f"    {'register ' if pin else ''}uint64_t {name}{pin}{value};")
        operands.append(f'"{"+" if used else "="}{LETTERS.get(name, "r")}"({name})')
    quoted = ", ".join(f'"{name}"' for name in clobbers)
    lines += call('    __asm__ volatile("syscall" : ', operands, f" : : {quoted});")
    if never:
        return [*lines, "    __builtin_unreachable();", "}"]
    if entry.outs:
        lines.append("    if ((status_t)rax == OK) {")
        for out, name in zip(entry.outs, outs, strict=True):
            cast = "" if out.type == "u64" else f"({USER_TYPES[out.type]})"
            lines.append(f"        *{out.name} = {cast}{name};")
        lines.append("    }")
    return [*lines, "    return (status_t)rax;", "}"]


def documentation(entry: Syscall) -> str:
    text = entry.summary + (f" {entry.doc}" if entry.doc else "")
    errors = ", ".join(f"ERR_{error.name}" for error in entry.errors)
    return text + (f"\nErrors of its own: {errors}." if errors else "")


def cloister_h(schema: Schema) -> str:
    lines = head(
        "The system calls of Cloister for native programs. Each returns OK or an error of "
        "abi/errors.h; out values are the trailing pointers, written only with OK."
    )
    lines += ["#ifndef USER_CLOISTER_H", "#define USER_CLOISTER_H", ""]
    lines += ['#include "abi/errors.h"', '#include "abi/numbers.h"', '#include "abi/types.h"']
    lines += ["", "#include <stdint.h>"]
    for entry in schema.syscalls:
        lines += ["", *stub(entry)]
    return "\n".join([*lines, "", "#endif", ""])
