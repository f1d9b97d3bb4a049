"""Reads types.toml: errors, objects, rights, signals, constants, flag sets and structures."""

from dataclasses import replace
from typing import Any

from .check import Table, Where, check_keys, check_name, check_unique, names_of, parse_kind, take
from .schema import (
    TYPE_SIZES,
    Bit,
    BitSet,
    Constant,
    Field,
    Group,
    Kind,
    Limits,
    ObjectType,
    Struct,
)

TYPES_FILE = "types.toml"

NUMBER_KEYS = frozenset({"type", "min", "max", "align", "one_of"})
FIELD_KEYS: dict[Kind, frozenset[str]] = {
    Kind.VALUE: NUMBER_KEYS | {"count", "same"},
    Kind.FLAGS: frozenset({"type", "set", "allowed", "count"}),
    Kind.RIGHTS: frozenset({"type", "count"}),
    Kind.HANDLE_VALUE: frozenset({"type", "count"}),
    Kind.IN_BYTES: frozenset({"type", "length", "max"}),
    Kind.OUT_BYTES: frozenset({"type", "length", "max"}),
    Kind.IN_HANDLES: frozenset({"type", "count", "max", "rights"}),
    Kind.OUT_HANDLES: frozenset({"type", "count", "max"}),
    Kind.USER_ADDRESS: frozenset({"type", "length", "element_size", "align"}),
}
POINTER_FIELD_KINDS = (
    Kind.IN_BYTES,
    Kind.OUT_BYTES,
    Kind.IN_HANDLES,
    Kind.OUT_HANDLES,
    Kind.USER_ADDRESS,
)


def parse_constants(table: Table, where: Where, name_pattern: str) -> tuple[Constant, ...]:
    """Named values, unique in name (TOML sees to that), each with its meaning."""
    constants = []
    for name, body in table.items():
        here = where.inside(name)
        check_name(name, here, name_pattern)
        check_keys(body, frozenset({"value", "meaning"}), here)
        value = take(body, "value", int, here)
        constants.append(Constant(name, value, take(body, "meaning", str, here)))
    return tuple(constants)


def parse_objects(table: Table, where: Where) -> tuple[ObjectType, ...]:
    """Types of objects. The kernel's structure has the type's name unless c_struct says another.

    Its operations are `struct object_ops NAME_object_ops`, those of another type if ops names it.
    """
    objects = []
    for name, body in table.items():
        here = where.inside(check_name(name, where))
        check_keys(body, frozenset({"value", "meaning", "c_struct", "ops"}), here)
        c_struct = check_name(take(body, "c_struct", str, here, name), here)
        ops = check_name(take(body, "ops", str, here, name), here)
        value = take(body, "value", int, here)
        objects.append(ObjectType(name, value, take(body, "meaning", str, here), c_struct, ops))
    return tuple(objects)


def parse_bits(table: Table, name: str, prefix: str, where: Where) -> BitSet:
    """A set of bits, each used once."""
    bits = []
    for bit_name, body in table.items():
        here = where.inside(bit_name)
        check_name(bit_name, here, r"[A-Z][A-Z0-9_]*")
        check_keys(body, frozenset({"bit", "meaning"}), here)
        bit = take(body, "bit", int, here)
        if not 0 <= bit <= 31:
            raise here.error(f"bit {bit} is not in 0 to 31; flags are 32 bits")
        bits.append(Bit(bit_name, bit, take(body, "meaning", str, here)))
    check_unique([bit.bit for bit in bits], "bit", where)
    return BitSet(name, prefix, tuple(bits))


class TypesParser:
    """Builds a Schema; keeps what later entries refer to."""

    def __init__(self, types: Table, file: str) -> None:
        upper = r"[A-Z][A-Z0-9_]*"
        top = Where(file, "")
        check_keys(
            types,
            frozenset(
                [
                    "errors",
                    "objects",
                    "rights",
                    "signals",
                    "constants",
                    "groups",
                    "flags",
                    "structs",
                ]
            ),
            top.inside("top level"),
        )
        where = top.inside("errors")
        self.errors = parse_constants(take(types, "errors", dict, where), where, upper)
        check_unique([error.value for error in self.errors], "value", where)
        for error in self.errors:
            if (error.name == "OK") != (error.value == 0) or error.value > 0:
                raise where.inside(error.name).error("OK is 0, the others negative; change value")
        where = top.inside("objects")
        self.objects = parse_objects(take(types, "objects", dict, where), where)
        check_unique([entry.value for entry in self.objects], "value", where)
        for entry in self.objects:
            if not 1 <= entry.value <= 31:
                raise where.inside(entry.name).error("a type is 1 to 31 (lists are bit masks)")
        where = top.inside("rights")
        self.rights = parse_bits(take(types, "rights", dict, where), "rights", "RIGHT", where)
        where = top.inside("signals")
        self.signals = parse_bits(take(types, "signals", dict, where), "signals", "SIGNAL", where)
        where = top.inside("constants")
        self.constants = parse_constants(take(types, "constants", dict, where, {}), where, upper)
        self.groups = self.parse_groups(types, top)
        self.flag_sets = self.parse_flag_sets(types, top)
        self.structs: tuple[Struct, ...] = ()
        for name, body in take(types, "structs", dict, top, {}).items():
            here = top.inside(f"structs.{name}")
            self.structs += (self.parse_struct(check_name(name, here), body, here),)

    def parse_groups(self, types: Table, top: Where) -> tuple[Group, ...]:
        groups = []
        for name, body in take(types, "groups", dict, top, {}).items():
            here = top.inside(f"groups.{name}")
            members = parse_constants(body, here, r"[A-Z][A-Z0-9_]*")
            check_unique([member.value for member in members], "value", here)
            groups.append(Group(check_name(name, here), members))
        return tuple(groups)

    def parse_flag_sets(self, types: Table, top: Where) -> tuple[BitSet, ...]:
        sets = []
        for name, body in take(types, "flags", dict, top, {}).items():
            here = top.inside(f"flags.{name}")
            if name in ("rights", "signals"):
                raise here.error("'rights' and 'signals' are sets already; choose another name")
            sets.append(parse_bits(body, check_name(name, here), f"CL_{name.upper()}", here))
        return tuple(sets)

    # Names that refer to something

    def number(self, table: Table, key: str, where: Where) -> int | None:
        """A number, or the name of a constant."""
        value = table.get(key)
        if isinstance(value, str):
            for constant in self.constants:
                if constant.name == value:
                    return constant.value
            raise where.error(f"'{key}' names no constant '{value}'; add it to {TYPES_FILE}")
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise where.error(f"'{key}' is {value!r}; write a number or a constant's name")
        return value

    def known(self, name: str, names: list[str], what: str, where: Where) -> str:
        if name not in names:
            raise where.error(f"there is no {what} '{name}'; use one of: {', '.join(names)}")
        return name

    def bits(self, names: tuple[str, ...], flags: BitSet, where: Where) -> tuple[str, ...]:
        for name in names:
            self.known(name, [bit.name for bit in flags.bits], f"bit of '{flags.name}'", where)
        return names

    def limits(self, table: Table, where: Where, default_type: str) -> Limits:
        kind = take(table, "type", str, where, default_type)
        self.known(kind, list(TYPE_SIZES), "type", where)
        limits = Limits(
            kind,
            self.number(table, "min", where),
            self.number(table, "max", where),
            self.number(table, "align", where),
            take(table, "one_of", str, where, "") or None,
        )
        if limits.one_of:
            self.known(limits.one_of, [group.name for group in self.groups], "group", where)
        if limits.align is not None and (limits.align < 1 or limits.align & (limits.align - 1)):
            raise where.error(f"align = {limits.align} is no power of two")
        signed = kind.startswith("i")
        bits = TYPE_SIZES[kind] * 8
        low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
        for key, value in (("min", limits.min), ("max", limits.max)):
            if value is not None and not low <= value <= high:
                raise where.error(f"{key} = {value} does not fit {kind}; change one of them")
        if limits.min is not None and limits.max is not None and limits.min > limits.max:
            raise where.error(f"min = {limits.min} is above max = {limits.max}")
        return limits

    def flag_mask(self, table: Table, where: Where) -> tuple[str, int]:
        """The set of a `flags` argument or field and the bits allowed."""
        sets = [*self.flag_sets, self.rights, self.signals]
        name = take(table, "set", str, where)
        self.known(name, [flags.name for flags in sets], "flag set", where)
        flags = next(flags for flags in sets if flags.name == name)
        if "allowed" not in table:
            return name, flags.mask
        return name, flags.mask_of(self.bits(names_of(table, "allowed", where, ()), flags, where))

    # Structures

    def parse_struct(self, name: str, body: Table, where: Where) -> Struct:
        check_keys(body, frozenset({"summary", "fields"}), where)
        fields: list[Field] = []
        offset = 0
        for number, table in enumerate(take(body, "fields", list, where)):
            field = self.parse_field(table, offset, where, number)
            size = TYPE_SIZES[field.limits.type]
            if offset % size:
                raise where.inside(field.name).error(
                    f"at offset {offset} it would need padding; put a reserved field before it"
                )
            fields.append(field)
            offset += field.size
        check_unique([field.name for field in fields], "field", where)
        align = max((TYPE_SIZES[field.limits.type] for field in fields), default=1)
        if not fields or offset % align:
            raise where.error(f"its size {offset} is no multiple of {align}; add a reserved field")
        for field in fields:
            self.check_field_length(field, fields, where)
        return Struct(name, take(body, "summary", str, where), tuple(fields), offset, align)

    def check_field_length(self, field: Field, fields: list[Field], where: Where) -> None:
        if field.length is None:
            return
        here = where.inside(field.name)
        others = {other.name: other for other in fields}
        if field.length not in others:
            raise here.error(f"there is no field '{field.length}' to take the length from")
        length = others[field.length]
        if length.kind is not Kind.VALUE or length.limits.type not in ("u32", "u64"):
            raise here.error(f"'{field.length}' must be a value of type u32 or u64")

    def parse_field(self, table: Any, offset: int, where: Where, number: int) -> Field:
        check_keys(table, frozenset(table) if isinstance(table, dict) else frozenset(), where)
        name = check_name(take(table, "name", str, where.inside(f"field {number}")), where)
        here = where.inside(name)
        kind = parse_kind(table, FIELD_KEYS, here)
        check_keys(table, FIELD_KEYS[kind] | {"name", "kind", "doc"}, here)
        is_pointer = kind in (
            Kind.IN_BYTES, Kind.OUT_BYTES, Kind.IN_HANDLES, Kind.OUT_HANDLES, Kind.USER_ADDRESS
        )  # fmt: skip
        limits = self.limits(table, here, "u64" if is_pointer else "u32")
        if is_pointer and limits.type != "u64":
            raise here.error("a user address is u64; remove type")
        if kind in (Kind.FLAGS, Kind.RIGHTS, Kind.HANDLE_VALUE) and limits.type != "u32":
            raise here.error("flags, rights and handles are u32; remove type")
        field = Field(name, kind, limits, offset, 1, take(table, "doc", str, here, ""))
        if kind in (Kind.IN_HANDLES, Kind.OUT_HANDLES):
            rights = self.bits(names_of(table, "rights", here, ("TRANSFER",)), self.rights, here)
            if limits.max is None:
                raise here.error("a list of handles needs max")
            return replace(
                field, length=take(table, "count", str, here), element_size=4, rights=rights
            )
        if is_pointer:
            needed = None if kind is Kind.USER_ADDRESS else True
            length = take(table, "length", str, here, None if needed else "") or None
            return replace(
                field, length=length, element_size=take(table, "element_size", int, here, 1)
            )
        count = take(table, "count", int, here, 1)
        if count < 1:
            raise here.error("count is at least 1")
        field = replace(field, count=count, same=take(table, "same", bool, here, False))
        if kind is Kind.FLAGS:
            flag_set, mask = self.flag_mask(table, here)
            return replace(field, flag_set=flag_set, mask=mask)
        if kind is Kind.RIGHTS:
            return replace(field, flag_set="rights", mask=self.rights.mask)
        return field
