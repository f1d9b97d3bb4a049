"""The headers that kernel and user programs share: abi/errors.h, abi/types.h, abi/numbers.h.

Names: ERR_, OBJ_, RIGHT_, SIGNAL_ and SYSCALL_ for those; CL_ for flags (CL_MAP_READ), members of
groups (CL_RESTRICTED_REASON_SYSCALL), constants (CL_PAGE_SIZE) and `struct cl_` for structures, so
that nothing clashes with Linux's names, which the personality includes too.
"""

from .emit import USER_TYPES, comment, head, number
from .schema import BitSet, Schema, Struct


def enumerators(prefix: str, rows: list[tuple[str, str, str]]) -> list[str]:
    """Lines `PREFIX_NAME = value, // meaning`; the meaning goes above where it is too long."""
    lines = []
    for name, value, meaning in rows:
        line = f"    {prefix}{name} = {value},"
        if len(line) + len(meaning) + 4 <= 100:
            lines.append(f"{line} // {meaning}" if meaning else line)
        else:
            lines += [*comment(meaning, "    "), line]
    return lines


def enum(kind: str, lines: list[str]) -> list[str]:
    return [f"enum : {kind} {{", *lines, "};", ""]


def bit_set(flags: BitSet) -> list[str]:
    rows = [(bit.name, f"1u << {bit.bit}", bit.meaning) for bit in flags.bits]
    rows.append(("MASK", f"{flags.mask:#x}", "All of them."))
    return enum("uint32_t", enumerators(f"{flags.prefix}_", rows))


def errors_h(schema: Schema) -> str:
    rows = [
        (entry.name if entry.value == 0 else f"ERR_{entry.name}", str(entry.value), entry.meaning)
        for entry in schema.errors
    ]
    last = min(entry.value for entry in schema.errors)
    lines = head("What system calls return.")
    lines += ["#ifndef ABI_ERRORS_H", "#define ABI_ERRORS_H", "", "#include <stdint.h>", ""]
    lines += ["typedef int64_t status_t; // 0, or one of the negative ones", ""]
    lines += enum("int32_t", enumerators("", rows))
    lines += [f"enum {{ ERR_LAST = {last} }};", "", "#endif", ""]
    return "\n".join(lines)


def struct_lines(struct: Struct) -> list[str]:
    lines = [*comment(struct.summary), f"struct cl_{struct.name} {{"]
    for field in struct.fields:
        count = f"[{field.count}]" if field.count > 1 else ""
        line = f"    {USER_TYPES[field.limits.type]} {field.name}{count};"
        if len(line) + len(field.doc) + 4 <= 100:
            lines.append(f"{line} // {field.doc}" if field.doc else line)
        else:
            lines += [*comment(field.doc, "    "), line]
    lines += ["};", f"static_assert(sizeof(struct cl_{struct.name}) == {struct.size});"]
    lines += [
        f"static_assert(__builtin_offsetof(struct cl_{struct.name}, {field.name}) == "
        f"{field.offset});"
        for field in struct.fields
    ]
    return [*lines, ""]


def types_h(schema: Schema) -> str:
    lines = head("Object types, rights, signals, constants, flags and structures.")
    lines += ["#ifndef ABI_TYPES_H", "#define ABI_TYPES_H", "", "#include <stdint.h>", ""]
    lines += ["typedef uint32_t handle_t; // 0 is no handle", "", "// Types of objects."]
    rows = [(entry.name.upper(), str(entry.value), entry.meaning) for entry in schema.objects]
    rows.append(("COUNT", str(max(entry.value for entry in schema.objects) + 1), ""))
    lines += enum("uint32_t", enumerators("OBJ_", rows))
    lines += ["// Sets of types.", "#define OBJ_MASK(type) (1u << (type))"]
    lines += ["#define OBJ_MASK_ANY 0xffffffffu", "", "// What a handle allows."]
    lines += bit_set(schema.rights)
    lines += ["// What one can wait for.", *bit_set(schema.signals)]
    small = [entry for entry in schema.constants if 0 <= entry.value <= 0xFFFF_FFFF]
    large = [entry for entry in schema.constants if entry not in small]
    for kind, constants in (("uint32_t", small), ("uint64_t", large)):
        if constants:
            rows = [(entry.name, number(entry.value), entry.meaning) for entry in constants]
            lines += enum(kind, enumerators("CL_", rows))
    for group in schema.groups:
        rows = [(entry.name, number(entry.value), entry.meaning) for entry in group.members]
        lines += enum("uint32_t", enumerators(f"CL_{group.name.upper()}_", rows))
    for flags in schema.flag_sets:
        lines += bit_set(flags)
    for struct in schema.structs:
        lines += struct_lines(struct)
    return "\n".join([*lines, "#endif", ""])


def numbers_h(schema: Schema) -> str:
    lines = head("Numbers of the system calls.")
    lines += ["#ifndef ABI_NUMBERS_H", "#define ABI_NUMBERS_H", "", "#include <stdint.h>", ""]
    rows = [(call.name.upper(), str(call.number), call.summary) for call in schema.syscalls]
    rows.append(("COUNT", str(schema.syscall_count), "One more than the highest."))
    lines += enum("uint32_t", enumerators("SYSCALL_", rows))
    return "\n".join([*lines, "#endif", ""])


def text_function(name: str, key: str, rows: list[tuple[int, str]], other: str) -> list[str]:
    """A C function from a number to a text."""
    lines = [f"static inline const char *{name}({key})", "{", f"    switch ({key.split()[-1]}) {{"]
    for value, text in rows:
        lines += [f"    case {value}:", f'        return "{text}";']
    return [*lines, "    default:", f'        return "{other}";', "    }", "}", ""]


def names_h(schema: Schema) -> str:
    """Texts for numbers, for messages to people."""
    lines = head("Names of errors, object types and rights, for messages.")
    lines += ["#ifndef ABI_NAMES_H", "#define ABI_NAMES_H", ""]
    lines += ['#include "abi/errors.h"', '#include "abi/types.h"', ""]
    rows = [(entry.value, entry.name) for entry in schema.errors]
    lines += ["// The error's name without ERR_."]
    lines += text_function("cl_error_name", "status_t status", rows, "?")
    rows = [(entry.value, entry.meaning) for entry in schema.errors]
    lines += ["// What the error means, a sentence."]
    lines += text_function("cl_error_meaning", "status_t status", rows, "An unknown error.")
    rows = [(entry.value, entry.name) for entry in schema.objects]
    lines += ["// The object type's name."]
    lines += text_function("cl_object_name", "uint32_t type", rows, "?")
    rows = [(entry.bit, entry.name) for entry in schema.rights.bits]
    lines += ["// The name of the right of this bit."]
    lines += text_function("cl_right_name", "uint32_t bit", rows, "?")
    return "\n".join([*lines, "#endif", ""])
