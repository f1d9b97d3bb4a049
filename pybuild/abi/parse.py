"""Reads the schema's TOML files and checks all of it.

Every complaint is a SchemaError with the file, the entry and what to do; nothing unknown passes, so
that a misspelt key can't silently switch off a check in the kernel.
"""

import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .schema import (
    ARGUMENTS_MAX,
    HANDLE_KINDS,
    OUTS_MAX,
    STRUCT_KINDS,
    TYPE_SIZES,
    Arg,
    Bit,
    BitSet,
    Constant,
    ErrorCause,
    Field,
    Group,
    Kind,
    Limits,
    ObjectType,
    Out,
    RightsWhen,
    Schema,
    SchemaError,
    Struct,
    Syscall,
)

TYPES_FILE = "types.toml"

# Names that the generated C can't use as they are.
C_KEYWORDS = frozenset(
    re.findall(
        r"\w+",
        "auto break case char const continue default do double else enum extern float for goto if "
        "inline int long register restrict return short signed sizeof static struct switch typedef "
        "union unsigned void volatile while bool true false nullptr typeof",
    )
)

NUMBER_KEYS = frozenset({"type", "min", "max", "align", "one_of"})
ARG_KEYS: dict[Kind, frozenset[str]] = {
    Kind.VALUE: NUMBER_KEYS,
    Kind.FLAGS: frozenset({"set", "allowed"}),
    Kind.RIGHTS: frozenset({"same"}),
    Kind.DEADLINE: frozenset(),
    Kind.HANDLE: frozenset({"object", "rights", "rights_when", "optional", "info"}),
    Kind.MOVED_HANDLE: frozenset({"object", "rights", "rights_when", "optional"}),
    Kind.ADDRESS: frozenset({"space", "align", "optional", "length"}),
    Kind.IN_BYTES: frozenset({"length", "max"}),
    Kind.OUT_BYTES: frozenset({"length", "max"}),
    Kind.IN_STRUCT: frozenset({"struct", "optional"}),
    Kind.OUT_STRUCT: frozenset({"struct", "optional"}),
    Kind.STRING: frozenset({"length", "max"}),
}
FIELD_KEYS: dict[Kind, frozenset[str]] = {
    Kind.VALUE: NUMBER_KEYS | {"count"},
    Kind.FLAGS: frozenset({"type", "set", "allowed", "count"}),
    Kind.RIGHTS: frozenset({"type", "count"}),
    Kind.HANDLE_VALUE: frozenset({"type", "count"}),
    Kind.IN_BYTES: frozenset({"type", "length", "max"}),
    Kind.OUT_BYTES: frozenset({"type", "length", "max"}),
    Kind.IN_HANDLES: frozenset({"type", "count", "max", "rights"}),
    Kind.OUT_HANDLES: frozenset({"type", "count", "max"}),
    Kind.USER_ADDRESS: frozenset({"type", "length", "element_size", "align"}),
}
SYSCALL_KEYS = frozenset(
    {"name", "number", "summary", "doc", "args", "outs", "errors"}
    | {"blocks", "noreturn", "raw", "test"}
)
SPACES = ("process", "linux", "user")
NAME_BYTES_MAX = 255

Table = dict[str, Any]


@dataclass(frozen=True)
class Where:
    """The place that a complaint is about."""

    file: str
    entry: str

    def inside(self, what: str) -> "Where":
        return replace(self, entry=f"{self.entry}: {what}" if self.entry else what)

    def error(self, problem: str) -> SchemaError:
        return SchemaError(f"{self.file}: {self.entry}: {problem}")


def take(table: Table, key: str, kind: type, where: Where, default: Any = None) -> Any:
    """The value of `key`, of type `kind`; `default` when it is missing, and required without."""
    if key not in table:
        if default is None:
            raise where.error(f"'{key}' is missing; add {key} = …")
        return default
    value = table[key]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise where.error(f"'{key}' is {value!r}; write a value of type {kind.__name__}")
    return value


def check_keys(table: Any, allowed: frozenset[str], where: Where) -> None:
    """Refuse keys that nothing reads."""
    if not isinstance(table, dict):
        raise where.error(f"is {table!r}; write a table {{key = value, …}}")
    for key in table:
        if key not in allowed:
            raise where.error(f"unknown key '{key}'; use one of: {', '.join(sorted(allowed))}")


def check_name(name: str, where: Where, pattern: str = r"[a-z][a-z0-9_]*") -> str:
    """Refuse what can't be a C name."""
    if not re.fullmatch(pattern, name) or name in C_KEYWORDS:
        raise where.error(f"'{name}' cannot be a name here; use {pattern}, no C keyword")
    return name


def check_unique(values: list[Any], what: str, where: Where) -> None:
    """Refuse a value that is there twice."""
    seen: set[Any] = set()
    for value in values:
        if value in seen:
            raise where.error(f"{what} {value} is there twice; change or remove one")
        seen.add(value)


def names_of(table: Table, key: str, where: Where, default: tuple[str, ...]) -> tuple[str, ...]:
    """A name or a list of names."""
    value = table.get(key, list(default))
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise where.error(f"'{key}' is {value!r}; write a name or a list of names")
    check_unique(value, f"'{key}'", where)
    return tuple(value)


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
    """Types of objects. The kernel's structure has the type's name unless c_struct says another."""
    objects = []
    for name, body in table.items():
        here = where.inside(check_name(name, where))
        check_keys(body, frozenset({"value", "meaning", "c_struct"}), here)
        c_struct = check_name(take(body, "c_struct", str, here, name), here)
        value = take(body, "value", int, here)
        objects.append(ObjectType(name, value, take(body, "meaning", str, here), c_struct))
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


def load_file(path: Path, label: str) -> Table:
    """The TOML in `path`."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise SchemaError(f"{label}: {problem}; correct the TOML") from problem


class Parser:
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
        field = replace(field, count=count)
        if kind is Kind.FLAGS:
            flag_set, mask = self.flag_mask(table, here)
            return replace(field, flag_set=flag_set, mask=mask)
        if kind is Kind.RIGHTS:
            return replace(field, flag_set="rights", mask=self.rights.mask)
        return field

    # System calls

    def parse_syscall(self, table: Any, file: str, number: int) -> Syscall:
        top = Where(file, f"syscall {number}")
        check_keys(table, SYSCALL_KEYS, top)
        name = check_name(take(table, "name", str, top), top)
        where = Where(file, f"syscall {name}")
        number = take(table, "number", int, where)
        if not 0 <= number <= 4095:
            raise where.error(f"number {number} is not in 0 to 4095")
        tables = take(table, "args", list, where, [])
        if len(tables) > ARGUMENTS_MAX:
            raise where.error(
                f"has {len(tables)} arguments and {ARGUMENTS_MAX} fit the registers; "
                "put some into a structure"
            )
        args = tuple(self.parse_arg(arg, index, where) for index, arg in enumerate(tables))
        check_unique([arg.name for arg in args], "argument", where)
        others = {arg.name: arg for arg in args}
        args = tuple(
            self.add_conditions(arg, take(table, "rights_when", list, where, []), others, where)
            for arg, table in zip(args, tables, strict=True)
        )
        outs = tuple(self.parse_out(out, where) for out in take(table, "outs", list, where, []))
        if len(outs) > OUTS_MAX:
            raise where.error(f"has {len(outs)} outs and {OUTS_MAX} fit; use an out_struct")
        check_unique([*others, *(out.name for out in outs)], "argument", where)
        call = Syscall(
            name,
            number,
            take(table, "summary", str, where),
            take(table, "doc", str, where, ""),
            args,
            outs,
            self.parse_causes(take(table, "errors", list, where, []), where),
            take(table, "blocks", bool, where, False),
            take(table, "noreturn", bool, where, False),
            take(table, "raw", bool, where, False),
            take(table, "test", str, where, ""),
            file,
        )
        check_call(call, where)
        return call

    def parse_causes(self, tables: list[Any], where: Where) -> tuple[ErrorCause, ...]:
        causes = []
        for table in tables:
            check_keys(table, frozenset({"name", "cause"}), where.inside("errors"))
            name = take(table, "name", str, where.inside("errors"))
            self.known(name, [error.name for error in self.errors[1:]], "error", where)
            causes.append(ErrorCause(name, take(table, "cause", str, where.inside(name))))
        return tuple(causes)

    def parse_out(self, table: Any, where: Where) -> Out:
        where = where.inside("outs")
        check_keys(table, frozenset({"name", "type", "object", "doc"}), where)
        name = check_name(take(table, "name", str, where), where)
        kind = self.known(
            take(table, "type", str, where), ["handle", "u32", "u64", "i32", "i64"], "type", where
        )
        target = take(table, "object", str, where, "")
        if target and kind != "handle":
            raise where.error("only a handle has an object; remove it")
        if target and target != "any":
            self.known(target, [entry.name for entry in self.objects], "object type", where)
        return Out(name, kind, target or None, take(table, "doc", str, where, ""))

    def parse_arg(self, table: Any, index: int, where: Where) -> Arg:
        if not isinstance(table, dict):
            raise where.error(f"argument {index} is {table!r}; write {{name = …, kind = …}}")
        name = check_name(take(table, "name", str, where.inside(f"argument {index}")), where)
        here = where.inside(f"argument '{name}'")
        kind = parse_kind(table, ARG_KEYS, here)
        check_keys(table, ARG_KEYS[kind] | {"name", "kind", "doc"}, here)
        default_type = "u32" if kind in (Kind.FLAGS, Kind.RIGHTS) else "u64"
        arg = Arg(
            name,
            kind,
            index,
            take(table, "doc", str, here, ""),
            self.limits(table, here, default_type),
            optional=take(table, "optional", bool, here, False),
        )
        if kind is Kind.DEADLINE:
            return arg
        if kind is Kind.VALUE:
            take(table, "type", str, here)
            if arg.limits.type in ("u8", "u16"):
                raise here.error("an argument is u32, u64, i32 or i64; use max for less")
            return arg
        if kind is Kind.FLAGS:
            flag_set, mask = self.flag_mask(table, here)
            return replace(arg, flag_set=flag_set, mask=mask)
        if kind is Kind.RIGHTS:
            return replace(
                arg,
                flag_set="rights",
                mask=self.rights.mask,
                same=take(table, "same", bool, here, False),
            )
        if kind in HANDLE_KINDS:
            return self.parse_handle(arg, table, here)
        if kind is Kind.ADDRESS:
            space = self.known(take(table, "space", str, here, "user"), [*SPACES], "space", here)
            return replace(arg, space=space, length=take(table, "length", str, here, "") or None)
        return self.parse_pointer(arg, table, here)

    def parse_handle(self, arg: Arg, table: Table, where: Where) -> Arg:
        objects = names_of(table, "object", where, ())
        if not objects:
            raise where.error("'object' is missing; add a type, a list of types, or \"any\"")
        if objects == ("any",):
            objects = ()
        for name in objects:
            self.known(name, [entry.name for entry in self.objects], "object type", where)
        default = ("TRANSFER",) if arg.kind is Kind.MOVED_HANDLE else ()
        return replace(
            arg,
            objects=objects,
            rights=self.bits(names_of(table, "rights", where, default), self.rights, where),
            info=take(table, "info", bool, where, False),
        )

    def add_conditions(
        self, arg: Arg, tables: list[Any], others: dict[str, Arg], where: Where
    ) -> Arg:
        """`arg` with its rights_when, which look at the flags in another argument."""
        where = where.inside(f"argument '{arg.name}'").inside("rights_when")
        conditions = []
        for table in tables:
            check_keys(table, frozenset({"arg", "all", "rights"}), where)
            other = others.get(take(table, "arg", str, where))
            if other is None or other.flag_set is None:
                raise where.error("'arg' must name an argument of kind flags of this call")
            flags = next(
                flags
                for flags in (*self.flag_sets, self.rights, self.signals)
                if flags.name == other.flag_set
            )
            names = self.bits(names_of(table, "all", where, ()), flags, where)
            rights = self.bits(names_of(table, "rights", where, ()), self.rights, where)
            if not names or not rights:
                raise where.error("needs all = [flags] and rights = [rights]")
            conditions.append(RightsWhen(other.name, flags.mask_of(names), rights))
        return replace(arg, rights_when=tuple(conditions))

    def parse_pointer(self, arg: Arg, table: Table, where: Where) -> Arg:
        if arg.kind in STRUCT_KINDS:
            struct = take(table, "struct", str, where)
            self.known(struct, [entry.name for entry in self.structs], "structure", where)
            return replace(arg, struct=struct)
        arg = replace(arg, length=take(table, "length", str, where))
        if arg.kind is Kind.STRING:
            longest = NAME_BYTES_MAX if arg.limits.max is None else arg.limits.max
            return replace(arg, limits=replace(arg.limits, max=longest))
        return arg


def parse_kind(table: Table, allowed: dict[Kind, frozenset[str]], where: Where) -> Kind:
    """The kind, one of those that are allowed here."""
    name = take(table, "kind", str, where)
    for kind in allowed:
        if kind.value == name:
            return kind
    kinds = ", ".join(kind.value for kind in allowed)
    raise where.error(f"there is no kind '{name}' here; use one of: {kinds}")


def check_call(call: Syscall, where: Where) -> None:
    """What can only be said of all arguments together."""
    arguments = {arg.name: arg for arg in call.args}
    for arg in call.args:
        here = where.inside(f"argument '{arg.name}'")
        if arg.length is not None:
            length = arguments.get(arg.length)
            if length is None or length.kind is not Kind.VALUE:
                raise here.error(f"length '{arg.length}' is no value of this call; add it")
            if length.limits.type not in ("u32", "u64"):
                raise here.error(f"length '{arg.length}' must be u32 or u64")
        if arg.info and arg.kind is not Kind.HANDLE:
            raise here.error("info is for handles; remove it")
    check_unique([error.name for error in call.errors], "error", where)
    if call.noreturn and call.outs:
        raise where.error("does not return and has outs; remove one of them")
    if call.noreturn and any(arg.kind is Kind.MOVED_HANDLE for arg in call.args):
        raise where.error("does not return, so nothing can say when a moved handle is consumed")


def load_schema(folder: Path, root: Path | None = None) -> Schema:
    """The schema in `folder`; files are named relative to `root` in messages.

    Raises SchemaError for anything that is not right, OSError for what can't be read.
    """

    def label(path: Path) -> str:
        return str(path.relative_to(root)) if root and path.is_relative_to(root) else str(path)

    types = folder / TYPES_FILE
    if not types.is_file():
        raise SchemaError(f"{label(types)}: is not there; give the folder of the schema")
    parser = Parser(load_file(types, label(types)), label(types))
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
