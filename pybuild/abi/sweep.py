"""tests/sweep_table.h: for each system call, arguments that are all good and ways to spoil one.

The program tests/native/sweep reads it. What the decoding must answer is said by a model of the
order of checks, written apart from the generator of the decoding (`Model`), so that a mistake in
one of them shows. Handles, and pointers that lead nowhere, are only known when the program runs:
it tries those by itself from the kind of each argument.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from .emit import head, number
from .schema import (
    BUFFER_KINDS,
    HANDLE_KINDS,
    STRUCT_KINDS,
    TYPE_SIZES,
    U32_MAX,
    U64_MAX,
    Arg,
    Field,
    Kind,
    Limits,
    Schema,
    Struct,
    Syscall,
)

# Stands for the program's memory, whose address the table can't know.
GOOD_ADDRESS = 0x7F80_0100_0000
SIGN_BIT = 1 << 63

TYPES = """
enum sweep_kind : uint8_t {
    SWEEP_NUMBER,
    SWEEP_DEADLINE,
    SWEEP_HANDLE,
    SWEEP_ADDRESS,   // of the program's memory; nothing is read or written there by the decoding
    SWEEP_IN_STRUCT,
    SWEEP_IN_BYTES,  // copied by the handler, so that the handler finds what is not there
    SWEEP_OUT,       // a structure or bytes: probed before the handler
    SWEEP_STRING,
};

static inline bool sweep_is_memory(enum sweep_kind kind)
{
    return kind >= SWEEP_ADDRESS;
}

struct sweep_arg {
    enum sweep_kind kind;
    bool optional;    // 0 is allowed
    uint32_t types;   // handles: mask of types
    uint32_t rights;  // handles: what is needed
    uint64_t good;    // numbers: a value that is right; memory: its size in bytes
    const uint8_t *bytes; // IN_STRUCT: good contents; nullptr for zeros
};

enum sweep_how : uint8_t {
    SWEEP_SET,   // the argument becomes `value`
    SWEEP_ADD,   // the good argument plus `value`
    SWEEP_FIELD, // `width` bytes at `offset` of the structure become `value`
    SWEEP_RIGHT, // the good handle without the right `value`, while argument `other` has `flags`
};

struct sweep_case {
    uint8_t arg;
    enum sweep_how how;
    uint8_t width;
    uint8_t other;
    uint16_t offset;
    int16_t error;
    uint32_t flags;
    uint64_t value;
};

struct sweep_call {
    const char *name;
    uint32_t number;
    uint32_t args_count;
    uint32_t cases_count;
    bool can_run; // the handler may run, with good arguments, without harm
    bool may_wait; // it may answer SHOULD_WAIT before it looks at the bytes
    const struct sweep_arg *args;
    const struct sweep_case *cases;
};
"""


@dataclass(frozen=True)
class Spoiled:
    """One way to spoil an argument, and the error that the decoding must give."""

    arg: int
    how: str
    error: str
    value: int
    offset: int = 0
    width: int = 0
    other: int = 0
    flags: int = 0


class Model:
    """The decoding's checks of numbers, ranges and fields, in the order of kernel/abi/README.md."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.limit = schema.constant("PROCESS_LIMIT")

    def number_error(self, limits: Limits, value: int) -> str | None:
        """Of a number that is 64 bits in a register, or as wide as its type in a structure."""
        bits = TYPE_SIZES[limits.type] * 8
        signed = limits.type.startswith("i")
        if signed and value & SIGN_BIT:
            value -= 1 << 64
        lowest, highest = (
            (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        )
        if not lowest <= value <= highest:
            return "INVALID_ARGUMENT"
        if limits.min is not None and value < limits.min:
            return "OUT_OF_RANGE"
        if limits.max is not None and value > limits.max:
            return "OUT_OF_RANGE"
        if limits.align is not None and value % limits.align:
            return "INVALID_ARGUMENT"
        if limits.one_of is not None:
            members = [member.value for member in self.schema.group(limits.one_of).members]
            return None if value in members else "INVALID_ARGUMENT"
        return None

    def range_error(self, address: int, size: int) -> str | None:
        first = self.schema.constant("LINUX_BASE")
        inside = size == 0 or (first <= address and address + size <= self.limit)
        return None if inside else "BAD_POINTER"

    def value_error(self, call: Syscall, arg: Arg, values: list[int]) -> str | None:
        """Step 2 for one argument."""
        value = values[arg.index]
        if arg.kind is Kind.VALUE:
            return self.number_error(arg.limits, value)
        if arg.kind in (Kind.FLAGS, Kind.RIGHTS):
            same = arg.same and value == self.schema.constant("RIGHTS_SAME")
            return "INVALID_ARGUMENT" if value & ~arg.mask and not same else None
        if arg.kind in BUFFER_KINDS and arg.limits.max is not None:
            size = self.size_of(call, arg, values)
            return "TOO_BIG" if size > arg.limits.max else None
        return None

    def address_error(self, call: Syscall, arg: Arg, values: list[int]) -> str | None:
        """Step 3 for one argument."""
        value = values[arg.index]
        size = self.size_of(call, arg, values)
        if arg.optional and value == 0:
            return None
        if arg.kind in BUFFER_KINDS | STRUCT_KINDS:
            return self.range_error(value, size)
        if arg.kind is not Kind.ADDRESS:
            return None
        error = self.range_error(value, size if arg.length else 1)
        if arg.space != "user":
            base = self.schema.constant(f"{arg.space.upper()}_BASE")
            limit = self.schema.constant(f"{arg.space.upper()}_LIMIT")
            inside = base <= value < limit and value + size <= limit
            error = None if inside else "BAD_POINTER"
        if error is None and arg.limits.align and value % arg.limits.align:
            return "INVALID_ARGUMENT"
        return error

    def size_of(self, call: Syscall, arg: Arg, values: list[int]) -> int:
        """The bytes that a pointer argument reaches over."""
        if arg.length is not None:
            return values[call.arg(arg.length).index]
        return self.schema.struct(arg.struct).size if arg.struct is not None else 0

    def call_error(self, call: Syscall, values: list[int]) -> str | None:
        """The first error of steps 2 and 3; None when the handles are looked at next."""
        for check in (self.value_error, self.address_error):
            for arg in call.args:
                error = check(call, arg, values)
                if error is not None:
                    return error
        return None

    def struct_error(self, struct: Struct, values: dict[str, int]) -> str | None:
        """Step 5 for one structure; of an array all elements are the same."""
        for field in struct.fields:
            error = self.field_error(struct, field, values)
            if error is not None:
                return error
        return None

    def field_error(self, struct: Struct, field: Field, values: dict[str, int]) -> str | None:
        value = values[field.name]
        if field.kind is Kind.VALUE:
            is_same = field.same and value == U64_MAX
            return None if is_same else self.number_error(field.limits, value)
        if field.kind in (Kind.FLAGS, Kind.RIGHTS):
            return "INVALID_ARGUMENT" if value & ~field.mask else None
        if field.length is None:
            return None
        if field.limits.max is not None and values[field.length] > field.limits.max:
            return "TOO_BIG"
        error = self.range_error(value, values[field.length] * field.element_size)
        if error is None and field.limits.align and value % field.limits.align:
            return "INVALID_ARGUMENT"
        return error


def good_number(limits: Limits, schema: Schema) -> int:
    """A value that is right, above 0 where it can be (lengths of 0 would hide bad pointers)."""
    if limits.one_of is not None:
        return schema.group(limits.one_of).members[0].value
    least = 0 if limits.min is None else limits.min
    align = limits.align or 1
    value = -(-least // align) * align
    if value == 0 and (limits.max is None or limits.max >= align):
        value = align
    return value & U64_MAX


def bad_numbers(schema: Schema, limits: Limits) -> set[int]:
    """Candidates: the model says which of them are bad."""
    values = {0, 1, 1 << 31, U32_MAX, 1 << 32, SIGN_BIT, U64_MAX, U64_MAX ^ U32_MAX}
    good = good_number(limits, schema)
    values |= {good + 1, good | 1 << 32, good | SIGN_BIT}
    for bound in (limits.min, limits.max):
        if bound is not None:
            values |= {bound - 1, bound + 1}
    if limits.one_of is not None:
        members = [member.value for member in schema.group(limits.one_of).members]
        values |= {member + 1 for member in members} | {member - 1 for member in members}
    return {value & U64_MAX for value in values}


def bad_addresses(limit: int, size: int) -> set[int]:
    """Outside user memory or reaching out of it, whatever is mapped."""
    return {
        0,
        4095,
        limit,
        limit - 1,
        limit - size + 1,
        limit + 1,
        1 << 47,
        (1 << 47) + 4096,
        SIGN_BIT,
        0xFFFF_8000_0000_0000,
        0xFFFF_FFFF_8000_0000,
        U64_MAX - 4095,
        U64_MAX,
    }


def good_values(schema: Schema, call: Syscall) -> list[int]:
    """Arguments that pass steps 2 and 3; 0 for handles, GOOD_ADDRESS for memory."""
    values = []
    for arg in call.args:
        if arg.kind is Kind.VALUE:
            values.append(good_number(arg.limits, schema))
        elif arg.kind in BUFFER_KINDS | STRUCT_KINDS or arg.kind is Kind.ADDRESS:
            linux = arg.kind is Kind.ADDRESS and arg.space == "linux"
            values.append(schema.constant("LINUX_BASE") if linux else GOOD_ADDRESS)
        else:
            values.append(0)
    return values


def good_fields(schema: Schema, struct: Struct) -> dict[str, int]:
    """Fields that pass step 5."""
    return {
        field.name: 0 if field.kind is not Kind.VALUE else least_number(schema, field.limits)
        for field in struct.fields
    }


def least_number(schema: Schema, limits: Limits) -> int:
    """0 where that is right: what structures mean by it is the tamest."""
    if Model(schema).number_error(limits, 0) is None:
        return 0
    return good_number(limits, schema)


def call_cases(schema: Schema, call: Syscall) -> Iterator[Spoiled]:
    """Every way to spoil one argument that the table can say."""
    model = Model(schema)
    good = good_values(schema, call)
    for arg in call.args:
        for how, value in sorted(argument_values(schema, call, arg, good)):
            values = list(good)
            values[arg.index] = (value + (good[arg.index] if how == "ADD" else 0)) & U64_MAX
            error = model.call_error(call, values)
            if error is not None:
                yield Spoiled(arg.index, how, error, value)
        if arg.kind is Kind.IN_STRUCT and arg.struct is not None:
            yield from field_cases(model, arg.index, schema.struct(arg.struct))
        if arg.kind in HANDLE_KINDS:
            yield from right_cases(schema, call, arg)


def argument_values(
    schema: Schema, call: Syscall, arg: Arg, good: list[int]
) -> set[tuple[str, int]]:
    """Candidates for one argument."""
    if arg.kind is Kind.VALUE:
        found = bad_numbers(schema, arg.limits)
        for other in call.args:
            if other.length == arg.name and other.limits.max is not None:
                found.add(other.limits.max + 1)
        return {("SET", value) for value in found}
    if arg.kind in (Kind.FLAGS, Kind.RIGHTS):
        return {("SET", 1 << bit) for bit in range(64)} | {("SET", U64_MAX)}
    if arg.kind in BUFFER_KINDS | STRUCT_KINDS or arg.kind is Kind.ADDRESS:
        size = Model(schema).size_of(call, arg, good)
        found = bad_addresses(schema.constant("PROCESS_LIMIT"), size)
        if arg.kind is Kind.ADDRESS:
            found |= {0, schema.constant("LINUX_LIMIT") - 8, schema.constant("LINUX_LIMIT")}
        return {("SET", value) for value in found} | {("ADD", 1)}
    return set()


def field_cases(model: Model, index: int, struct: Struct) -> Iterator[Spoiled]:
    """Every way to spoil one field."""
    good = good_fields(model.schema, struct)
    for field in struct.fields:
        width = TYPE_SIZES[field.limits.type]
        top = (1 << width * 8) - 1
        if field.kind in (Kind.FLAGS, Kind.RIGHTS):
            candidates = {1 << bit for bit in range(width * 8)}
        elif field.kind is Kind.VALUE:
            candidates = bad_numbers(model.schema, field.limits)
        else:
            candidates = bad_addresses(model.limit, 1) | {1}
        for value in sorted(candidates):
            error = model.struct_error(struct, good | {field.name: value})
            if value <= top and error is not None:
                for element in sorted({0, field.count - 1}):
                    yield Spoiled(
                        index, "FIELD", error, value, field.offset + element * width, width
                    )


def right_cases(schema: Schema, call: Syscall, arg: Arg) -> Iterator[Spoiled]:
    """Each needed right taken away, also those needed because of other arguments."""
    for bit in schema.rights.bits:
        if bit.name in arg.rights:
            yield Spoiled(arg.index, "RIGHT", "ACCESS_DENIED", bit.mask)
        for condition in arg.rights_when:
            if bit.name in condition.rights:
                other = call.arg(condition.arg).index
                yield Spoiled(
                    arg.index, "RIGHT", "ACCESS_DENIED", bit.mask, other=other, flags=condition.mask
                )


def kind_name(arg: Arg) -> str:
    if arg.kind in HANDLE_KINDS:
        return "HANDLE"
    return {
        Kind.DEADLINE: "DEADLINE",
        Kind.ADDRESS: "ADDRESS",
        Kind.IN_STRUCT: "IN_STRUCT",
        Kind.IN_BYTES: "IN_BYTES",
        Kind.OUT_STRUCT: "OUT",
        Kind.OUT_BYTES: "OUT",
        Kind.STRING: "STRING",
    }.get(arg.kind, "NUMBER")


def struct_bytes(schema: Schema, struct: Struct) -> bytes:
    """Good contents of a structure."""
    good = good_fields(schema, struct)
    return b"".join(
        good[field.name].to_bytes(TYPE_SIZES[field.limits.type], "little") * field.count
        for field in struct.fields
    )


def argument_line(schema: Schema, call: Syscall, arg: Arg) -> str:
    good = good_values(schema, call)
    value = good[arg.index]
    bytes_name = "nullptr"
    if arg.kind in BUFFER_KINDS | STRUCT_KINDS:
        value = Model(schema).size_of(call, arg, good)
        if arg.kind is Kind.IN_STRUCT and any(
            struct_bytes(schema, schema.struct(arg.struct or ""))
        ):
            bytes_name = f"sweep_good_{arg.struct}"
    elif arg.kind is Kind.ADDRESS:
        value = value if arg.space == "linux" else 0
    elif arg.kind in HANDLE_KINDS:
        rights = sum(bit.mask for bit in schema.rights.bits if bit.name in arg.rights)
        mask = schema.object_mask(arg.objects)
        optional = str(arg.optional).lower()
        return f"    {{SWEEP_HANDLE, {optional}, {number(mask)}, {number(rights)}, 0, nullptr}},"
    optional = str(arg.optional).lower()
    return f"    {{SWEEP_{kind_name(arg)}, {optional}, 0, 0, {number(value)}, {bytes_name}}},"


def left_out(call: Syscall) -> str:
    """Why a call is not in the table; empty when it is."""
    return "raw" if call.raw else ""


def sweep_table_h(schema: Schema) -> str:
    lines = head(
        "Every system call with good arguments and each way to spoil one, for tests/native/sweep."
    )
    lines += ["#pragma once", "", '#include "abi/errors.h"', '#include "abi/types.h"', TYPES]
    for struct in schema.structs:
        content = struct_bytes(schema, struct)
        used = any(arg.struct == struct.name and arg.kind is Kind.IN_STRUCT
                   for call in schema.syscalls for arg in call.args)  # fmt: skip
        if used and any(content):
            lines += [f"static const uint8_t sweep_good_{struct.name}[] = {{"]
            for start in range(0, len(content), 16):
                row = ", ".join(str(byte) for byte in content[start : start + 16])
                lines.append(f"    {row},")
            lines += ["};", ""]
    rows = []
    swept = [call for call in schema.syscalls if not left_out(call)]
    for call in swept:
        cases = list(call_cases(schema, call))
        args_name = case_name = "nullptr"
        if call.args:
            args_name = f"sweep_args_{call.name}"
            lines += [f"static const struct sweep_arg {args_name}[] = {{"]
            lines += [argument_line(schema, call, arg) for arg in call.args] + ["};", ""]
        if cases:
            case_name = f"sweep_cases_{call.name}"
            lines += [f"static const struct sweep_case {case_name}[] = {{"]
            lines += [
                f"    {{{case.arg}, SWEEP_{case.how}, {case.width}, {case.other}, {case.offset}, "
                f"ERR_{case.error}, {number(case.flags)}, {number(case.value)}}},"
                for case in cases
            ]
            lines += ["};", ""]
        can_run = str(not call.blocks and not call.noreturn).lower()
        may_wait = str(any(error.name == "SHOULD_WAIT" for error in call.errors)).lower()
        rows += [f'    {{"{call.name}", {call.number}, {len(call.args)}, {len(cases)},']
        rows += [f"     {can_run}, {may_wait}, {args_name}, {case_name}}},"]
    lines += ["static const struct sweep_call sweep_calls[] = {", *rows, "};", ""]
    lines += ["// Calls that are not swept, each with the test of its own; the last has no name."]
    lines += ["static const struct {", "    const char *name;", "    uint32_t number;"]
    lines += ["    const char *why;", "} sweep_left_out[] = {"]
    for call in schema.syscalls:
        if left_out(call):
            why = f"{left_out(call)}; see {call.test or f'tests/native/{call.name}.c'}"
            lines.append(f'    {{"{call.name}", {call.number}, "{why}"}},')
    return "\n".join([*lines, "    {nullptr, 0, nullptr},", "};", ""])
