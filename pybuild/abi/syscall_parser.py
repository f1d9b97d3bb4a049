"""Reads a system call: its arguments, outs and errors."""

from dataclasses import replace
from typing import Any

from .check import Table, Where, check_keys, check_name, check_unique, names_of, parse_kind, take
from .schema import (
    ARGUMENTS_MAX,
    HANDLE_KINDS,
    OUTS_MAX,
    STRUCT_KINDS,
    Arg,
    ErrorCause,
    Kind,
    Out,
    RightsWhen,
    Syscall,
)
from .types_parser import NUMBER_KEYS, TypesParser

ARG_KEYS: dict[Kind, frozenset[str]] = {
    Kind.VALUE: NUMBER_KEYS,
    Kind.FLAGS: frozenset({"set", "allowed"}),
    Kind.RIGHTS: frozenset({"same"}),
    Kind.DEADLINE: frozenset(),
    Kind.HANDLE: frozenset({"object", "rights", "rights_when", "optional", "own", "info"}),
    Kind.MOVED_HANDLE: frozenset({"object", "rights", "rights_when", "optional"}),
    Kind.ADDRESS: frozenset({"space", "align", "optional", "length"}),
    Kind.IN_BYTES: frozenset({"length", "max"}),
    Kind.OUT_BYTES: frozenset({"length", "max"}),
    Kind.IN_STRUCT: frozenset({"struct", "optional"}),
    Kind.OUT_STRUCT: frozenset({"struct", "optional"}),
    Kind.STRING: frozenset({"length", "max"}),
}
SYSCALL_KEYS = frozenset(
    {"name", "number", "summary", "doc", "args", "outs", "errors"}
    | {"blocks", "noreturn", "raw", "test"}
)
SPACES = ("process", "linux", "user")
OWN_OBJECTS = (("namespace",), ("aspace",))
NAME_BYTES_MAX = 255


class SyscallParser(TypesParser):
    """Reads system calls, which refer to what types.toml says."""

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
        check_keys(table, frozenset({"name", "type", "object", "info", "doc"}), where)
        name = check_name(take(table, "name", str, where), where)
        kind = self.known(
            take(table, "type", str, where), ["handle", "u32", "u64", "i32", "i64"], "type", where
        )
        target = take(table, "object", str, where, "")
        if target and kind != "handle":
            raise where.error("only a handle has an object; remove it")
        if target and target != "any":
            self.known(target, [entry.name for entry in self.objects], "object type", where)
        info = take(table, "info", bool, where, False)
        if info and kind != "handle":
            raise where.error("info is for handles; remove it")
        if kind == "handle" and not info and target in ("", "any"):
            raise where.error("a new object has a type: add 'object', or info = true")
        return Out(name, kind, target or None, take(table, "doc", str, where, ""), info)

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
        own = take(table, "own", bool, where, False)
        if own and objects not in OWN_OBJECTS:
            raise where.error("only a namespace or an aspace can be the caller's own")
        default = ("TRANSFER",) if arg.kind is Kind.MOVED_HANDLE else ()
        return replace(
            arg,
            objects=objects,
            rights=self.bits(names_of(table, "rights", where, default), self.rights, where),
            info=take(table, "info", bool, where, False),
            optional=arg.optional or own,
            own=own,
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
