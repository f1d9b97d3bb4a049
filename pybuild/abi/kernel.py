"""The kernel's half: kernel/handlers.h and kernel/dispatch.c with the decoding of every call.

A decode function checks in the order that kernel/abi/README.md fixes, calls the handler, and
drops what it holds through labels at its end: a failed check jumps to the label that drops what
was taken before it. Calls without arguments come out as a single call of their handler.
"""

import textwrap

from .emit import (
    c_struct,
    call,
    comment,
    head,
    kernel_argument,
    number,
    objects_text,
    rights_text,
    scalar_type,
)
from .schema import (
    BUFFER_KINDS,
    HANDLE_KINDS,
    POINTER_KINDS,
    STRUCT_KINDS,
    TYPE_SIZES,
    U32_MAX,
    Arg,
    Field,
    Group,
    Kind,
    Limits,
    Out,
    Schema,
    Struct,
    Syscall,
)

# The caller's own object of a type: where it is declared, and how it is said.
OWN = {
    "namespace": ("object/namespace.h", "ns_current()"),
    "aspace": ("object/process.h", "process_current()->aspace"),
}

SERVICES = """The decoding of every system call: arguments are checked in the order that \
kernel/abi/README.md fixes, then the handler runs.
What it takes from the rest of the kernel:
- arch/arch.h: struct syscall_args (out is zero on entry), syscall_entry_t, syscall_unknown, \
arch_copy_from_user for structures whose range was checked.
- object/handle.h: handle_get(handle, type mask, rights, &object), object_put; handle_get_info and \
handle_info_put for calls that need the handle's rights, user or revoker. A handle that moves is \
checked here, and again by the handler when it takes it. For handles that come back: \
handles_reserve before the handler, then handle_fill (which consumes the references), \
handle_fill_new (with all rights), or handles_unreserve.
- syscall/syscall.h: user_range_ok, user_copy_out, user_probe_write, and \
name_path_copy_in(&path, address, size), which refuses what is no valid path of names.
- object/namespace.h, process.h: the caller's own, where a handle of 0 means that."""


def handlers_h(schema: Schema) -> str:
    lines = head("Handlers of the system calls: what the generated decoding calls.")
    lines += ["#ifndef KERNEL_HANDLERS_H", "#define KERNEL_HANDLERS_H", ""]
    lines += ['#include "abi/errors.h"', '#include "abi/numbers.h"', '#include "abi/types.h"']
    lines += ['#include "lib/types.h"', ""]
    lines += [f"struct {name};" for name in sorted(forward_names(schema))]
    lines += ["", "// A range to read; checked to lie in user memory, not that anything is there."]
    lines += ["struct user_in {", "    u64 address;", "    u64 size;", "};", ""]
    lines += ["// A range of user memory to write; it was writable when the call was decoded."]
    lines += ["struct user_out {", "    u64 address;", "    u64 size;", "};", ""]
    lines += ["// A valid path of names, in the kernel; `text` has a final zero beyond its size."]
    lines += ["struct name_path {", "    u32 size;", "    char text[CL_NAME_MAX + 1];", "};"]
    for entry in schema.syscalls:
        lines += ["", *comment(entry.summary), *prototype(schema, entry)]
    return "\n".join([*lines, "", "#endif", ""])


def forward_names(schema: Schema) -> set[str]:
    names = {"object", "handle_info", "syscall_args"}
    return names | {entry.c_struct for entry in schema.objects}


def returns_nothing(entry: Syscall) -> bool:
    """Whether a call that does not return can't fail either."""
    return entry.noreturn and not entry.errors


def prototype(schema: Schema, entry: Syscall) -> list[str]:
    if entry.raw:
        return [f"void sys_raw_{entry.name}(struct syscall_args *args);"]
    arguments = [kernel_argument(schema, arg) for arg in handler_args(entry)]
    arguments += [f"{out_type(schema, out)}*{out.name}" for out in entry.outs]
    result = "[[noreturn]] void" if returns_nothing(entry) else "status_t"
    return call(f"{result} sys_{entry.name}(", arguments or ["void"], ");")


def out_type(schema: Schema, out: Out) -> str:
    """The C type of an out value in the kernel, with what stands before a name."""
    if out.type != "handle":
        return f"{out.type} "
    if out.info:
        return "struct handle_info "
    assert out.object is not None
    return f"struct {schema.object_type(out.object).c_struct} *"


def handler_args(entry: Syscall) -> list[Arg]:
    """The arguments that a handler has a parameter for."""
    return [arg for arg in entry.args if arg.name not in entry.length_names]


def dispatch_c(schema: Schema) -> str:
    lines = head(SERVICES)
    lines += ['#include "arch/arch.h"', '#include "kernel/handlers.h"']
    lines += ['#include "object/handle.h"']
    own = {arg.objects[0] for entry in schema.syscalls for arg in entry.args if arg.own}
    lines += [f'#include "{OWN[name][0]}"' for name in sorted(own, reverse=True)]
    lines += ['#include "syscall/syscall.h"', ""]
    lines += [
        "// Whether [address, address + size) lies in [base, limit).",
        "static inline bool address_in(u64 address, u64 size, u64 base, u64 limit)",
        "{",
        "    return address >= base && address < limit && size <= limit - address;",
        "}",
        "",
    ]
    used = {arg.struct for entry in schema.syscalls for arg in entry.args}
    checked = set()
    for struct in schema.structs:
        body = struct_checks(schema, struct)
        if struct.name in used and body:
            checked.add(struct.name)
            name = struct.name
            lines += [f"ALWAYS_INLINE status_t check_{name}(const struct cl_{name} *in)"]
            lines += ["{", *body, "    return OK;", "}", ""]
    for entry in schema.syscalls:
        lines += [*Decoder(schema, entry, checked).lines(), ""]
    lines += ["const syscall_entry_t syscall_table[SYSCALL_COUNT] = {"]
    names = {entry.number: f"decode_{entry.name}" for entry in schema.syscalls}
    lines += [
        f"    [{index}] = {names.get(index, 'syscall_unknown')},"
        for index in range(schema.syscall_count)
    ]
    lines += ["};", "", "const u64 syscall_count = SYSCALL_COUNT;", ""]
    return "\n".join(lines)


def objects_c(schema: Schema) -> str:
    """Tables by type of object: the operations, and the rights that some call asks of it."""
    lines = head("The operations of every type of object, and the rights that its creator gets.")
    lines += ['#include "object/object.h"', ""]
    operations = sorted({entry.ops for entry in schema.objects})
    lines += [f"extern const struct object_ops {name}_object_ops;" for name in operations]
    lines += ["", "const struct object_ops *const object_ops[OBJ_COUNT] = {"]
    lines += [f"    [OBJ_{e.name.upper()}] = &{e.ops}_object_ops," for e in schema.objects]
    lines += ["};", "", "const u32 object_rights[OBJ_COUNT] = {"]
    for entry in schema.objects:
        text = (
            f"[OBJ_{entry.name.upper()}] = {rights_text(schema, schema.asked_rights(entry.name))},"
        )
        lines += textwrap.wrap(text, 96, initial_indent=" " * 4, subsequent_indent=" " * 8)
    return "\n".join([*lines, "};", ""])


def group_test(group: Group, value: str) -> str:
    """A C condition that is true when `value` is no member."""
    values = sorted(member.value for member in group.members)
    if values == list(range(values[0], values[-1] + 1)):
        if values[0] == 0:
            return f"{value} > {values[-1]}"
        return f"{value} < {values[0]} || {value} > {values[-1]}"
    return " && ".join(f"{value} != {entry}" for entry in values)


def type_range(kind: str) -> tuple[int, int]:
    """The lowest and highest value of a scalar type."""
    bits = TYPE_SIZES[kind] * 8
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if kind[0] == "i" else (0, (1 << bits) - 1)


def limit_tests(schema: Schema, limits: Limits, value: str, over: str) -> list[tuple[str, str]]:
    """(condition, error) for a number that has the type already; `over` is for one above max."""
    tests = []
    lowest, highest = type_range(limits.type)
    if limits.min is not None and limits.min > lowest:
        tests.append((f"{value} < {number(limits.min)}", "OUT_OF_RANGE"))
    if limits.max is not None and limits.max < highest:
        tests.append((f"{value} > {number(limits.max)}", over))
    if limits.align is not None and limits.align > 1:
        tests.append((f"{value} & {number(limits.align - 1)}", "INVALID_ARGUMENT"))
    if limits.one_of is not None:
        tests.append((group_test(schema.group(limits.one_of), value), "INVALID_ARGUMENT"))
    return tests


def range_size(field: Field) -> str:
    """The bytes that a pointer in a structure reaches over."""
    factor = f" * {field.element_size}" if field.element_size > 1 else ""
    return f"(u64)in->{field.length}{factor}"


def field_tests(schema: Schema, field: Field, value: str) -> list[tuple[str, str]]:
    if field.kind in (Kind.FLAGS, Kind.RIGHTS):
        return [(f"{value} & ~{number(field.mask)}", "INVALID_ARGUMENT")]
    if field.kind is Kind.VALUE:
        unless = f"{value} != CL_LIMIT_SAME && " if field.same else ""
        tests = limit_tests(schema, field.limits, value, "OUT_OF_RANGE")
        return [(f"{unless}{test}", error) for test, error in tests]
    tests = []
    if field.length is not None:
        if field.limits.max is not None:
            tests.append((f"in->{field.length} > {number(field.limits.max)}", "TOO_BIG"))
        tests.append((f"!user_range_ok({value}, {range_size(field)})", "BAD_POINTER"))
    if field.kind is Kind.USER_ADDRESS and field.limits.align is not None:
        tests.append((f"{value} & {number(field.limits.align - 1)}", "INVALID_ARGUMENT"))
    return tests


def struct_checks(schema: Schema, struct: Struct) -> list[str]:
    """The body of a structure's check function; empty when anything is allowed in it."""
    lines = []
    for field in struct.fields:
        if field.count == 1:
            for test, error in field_tests(schema, field, f"in->{field.name}"):
                lines += [f"    if ({test})", f"        return ERR_{error};"]
            continue
        tests = field_tests(schema, field, f"in->{field.name}[i]")
        if tests:
            lines.append(f"    for (u32 i = 0; i < {field.count}; i++) {{")
            for test, error in tests:
                lines += [f"        if ({test})", f"            return ERR_{error};"]
            lines.append("    }")
    return lines


class Decoder:
    """Writes one decode function. `held` grows with what a failed check must drop."""

    def __init__(self, schema: Schema, entry: Syscall, checked: set[str]) -> None:
        self.schema = schema
        self.entry = entry
        self.checked = checked
        self.declarations: list[str] = []
        self.body: list[str] = []
        # (label, lines that drop it), in the order of taking.
        self.held: list[tuple[str, list[str]]] = []
        self.fails = False

    def lines(self) -> list[str]:
        entry = self.entry
        start = [f"static void decode_{entry.name}(struct syscall_args *a)", "{"]
        if entry.raw:
            return [*start, f"    sys_raw_{entry.name}(a);", "}"]
        for arg in entry.args:
            self.check_value(arg)
        for arg in entry.args:
            self.check_address(arg)
        for arg in entry.args:
            self.take_handle(arg)
        for arg in entry.args:
            self.copy_in(arg)
        for arg in entry.args:
            self.probe(arg)
        self.set_aside()
        ending = self.final_call() if returns_nothing(entry) else self.ordinary_call()
        declarations = list(self.declarations)
        if self.fails:
            declarations.append("    status_t status;")
        elif returns_nothing(entry):
            start[0] = start[0].replace("(struct", "([[maybe_unused]] struct")
        if declarations:
            declarations.append("")
        return [*start, *declarations, *self.body, *ending, "}"]

    # Checks

    @property
    def label(self) -> str:
        return self.held[-1][0] if self.held else "done"

    def refuse(self, test: str, error: str) -> None:
        """Fail with `error` when `test` is true."""
        self.fails = True
        self.body += self.refusal(test, error, "    ")

    def refusal(self, test: str, error: str, indent: str) -> list[str]:
        return [
            f"{indent}if ({test}) {{",
            f"{indent}    status = ERR_{error};",
            f"{indent}    goto {self.label};",
            f"{indent}}}",
        ]

    def attempt(self, expression: str) -> None:
        """Fail with what `expression` returns."""
        self.fails = True
        self.body += [f"    status = {expression};", "    if (status != OK)"]
        self.body += [f"        goto {self.label};"]

    def check_value(self, arg: Arg) -> None:
        raw = f"a->arg[{arg.index}]"
        if arg.kind is Kind.VALUE:
            if arg.limits.type == "u32":
                self.refuse(f"{raw} > {number(U32_MAX)}", "INVALID_ARGUMENT")
            elif arg.limits.type == "i32":
                self.refuse(f"(i64){raw} != (i32){raw}", "INVALID_ARGUMENT")
            value = f"(i64){raw}" if arg.limits.type.startswith("i") else raw
            for test, error in limit_tests(self.schema, arg.limits, value, "OUT_OF_RANGE"):
                self.refuse(test, error)
        elif arg.kind in (Kind.FLAGS, Kind.RIGHTS):
            test = f"{raw} & ~(u64){number(arg.mask)}"
            if arg.same:
                test = f"{raw} != CL_RIGHTS_SAME && ({test})"
            self.refuse(test, "INVALID_ARGUMENT")
        elif arg.kind in BUFFER_KINDS and arg.limits.max is not None:
            self.refuse(f"{self.length(arg)} > {number(arg.limits.max)}", "TOO_BIG")

    def length(self, arg: Arg) -> str:
        assert arg.length is not None
        return f"a->arg[{self.entry.arg(arg.length).index}]"

    def check_address(self, arg: Arg) -> None:
        raw = f"a->arg[{arg.index}]"
        unless = f"{raw} != 0 && " if arg.optional else ""
        if arg.kind in STRUCT_KINDS:
            size = f"sizeof(struct cl_{arg.struct})"
            self.refuse(f"{unless}!user_range_ok({raw}, {size})", "BAD_POINTER")
        elif arg.kind in BUFFER_KINDS:
            self.refuse(f"!user_range_ok({raw}, {self.length(arg)})", "BAD_POINTER")
        elif arg.kind is Kind.ADDRESS:
            size = self.length(arg) if arg.length else "0"
            space = {
                "user": f"!user_range_ok({raw}, {size if arg.length else 1})",
                "process": f"!address_in({raw}, {size}, CL_PROCESS_BASE, CL_PROCESS_LIMIT)",
                "linux": f"!address_in({raw}, {size}, CL_LINUX_BASE, CL_LINUX_LIMIT)",
            }[arg.space]
            self.refuse(unless + space, "BAD_POINTER")
            if arg.limits.align is not None and arg.limits.align > 1:
                self.refuse(f"{raw} & {number(arg.limits.align - 1)}", "INVALID_ARGUMENT")

    # Handles

    def rights(self, arg: Arg) -> str:
        """The rights that a handle needs, as a C expression."""
        text = rights_text(self.schema, arg.rights)
        for condition in arg.rights_when:
            raw = f"a->arg[{self.entry.arg(condition.arg).index}]"
            mask = number(condition.mask)
            more = rights_text(self.schema, condition.rights)
            if " " in more:
                more = f"({more})"
            text += f" | (({raw} & {mask}) == {mask} ? {more} : 0)"
        return text

    def take_handle(self, arg: Arg) -> None:
        if arg.kind not in HANDLE_KINDS:
            return
        name, raw = f"h_{arg.name}", f"a->arg[{arg.index}]"
        get, kind, drop = (
            ("handle_get_info", "struct handle_info ", f"handle_info_put(&{name});")
            if arg.info
            else ("handle_get", "struct object *", f"object_put({name});")
        )
        present = raw if arg.info else name
        initial = " = nullptr" if arg.optional and not arg.info else ""
        self.declarations.append(f"    {kind}{name}{initial};")
        mask, rights = objects_text(arg.objects), self.rights(arg)
        indent = "    "
        if arg.optional:
            self.body.append(f"    if ({raw} != 0) {{")
            indent = "        "
        self.fails = True
        self.body += self.refusal(f"{raw} > {number(U32_MAX)}", "BAD_HANDLE", indent)
        self.body += call(
            f"{indent}status = {get}(", [f"(handle_t){raw}", mask, rights, f"&{name}"], ");"
        )
        self.body += [f"{indent}if (status != OK)", f"{indent}    goto {self.label};"]
        if arg.optional:
            self.body.append("    }")
        drops = [f"    {drop}"]
        if arg.optional:
            drops = [f"    if ({present} != {'0' if arg.info else 'nullptr'}) {{",
                     *(f"    {line}" for line in drops), "    }"]  # fmt: skip
        self.held.append((f"drop_{arg.name}", drops))

    # Memory

    def copy_in(self, arg: Arg) -> None:
        name, raw = f"m_{arg.name}", f"a->arg[{arg.index}]"
        if arg.kind is Kind.STRING:
            self.declarations.append(f"    struct name_path {name};")
            self.attempt(f"name_path_copy_in(&{name}, {raw}, {self.length(arg)})")
        if arg.kind is not Kind.IN_STRUCT:
            return
        self.declarations.append(f"    struct cl_{arg.struct} {name};")
        outer = self.body
        self.body = []
        self.attempt(f"arch_copy_from_user(&{name}, {raw}, sizeof({name}))")
        if arg.struct in self.checked:
            self.attempt(f"check_{arg.struct}(&{name})")
        self.body = outer + self.when_given(arg, self.body)

    def when_given(self, arg: Arg, lines: list[str]) -> list[str]:
        """`lines`, only for a pointer that is not null when null is allowed."""
        if not arg.optional or not lines:
            return lines
        start = f"    if (a->arg[{arg.index}] != 0) {{"
        return [start, *(f"    {line}" for line in lines), "    }"]

    def probe(self, arg: Arg) -> None:
        raw = f"a->arg[{arg.index}]"
        outer = self.body
        self.body = []
        if arg.kind is Kind.OUT_STRUCT:
            self.declarations.append(f"    struct cl_{arg.struct} m_{arg.name} = {{}};")
            self.attempt(f"user_probe_write({raw}, sizeof(m_{arg.name}))")
        elif arg.kind is Kind.OUT_BYTES:
            self.attempt(f"user_probe_write({raw}, {self.length(arg)})")
        self.body = outer + self.when_given(arg, self.body)

    # The handler

    def argument(self, arg: Arg) -> str:
        raw = f"a->arg[{arg.index}]"
        if arg.kind in HANDLE_KINDS:
            if arg.info:
                pointer = f"&h_{arg.name}"
                return f"{raw} != 0 ? {pointer} : nullptr" if arg.optional else pointer
            if arg.kind is Kind.MOVED_HANDLE:
                return f"(handle_t){raw}"
            if c_struct(self.schema, arg) == "object":
                return f"h_{arg.name}"
            pointer = f"(struct {c_struct(self.schema, arg)} *)h_{arg.name}"
            if arg.own:
                return f"h_{arg.name} ? {pointer} : {OWN[arg.objects[0]][1]}"
            return pointer
        if arg.kind in STRUCT_KINDS or arg.kind is Kind.STRING:
            pointer = f"&m_{arg.name}"
            return f"{raw} != 0 ? {pointer} : nullptr" if arg.optional else pointer
        if arg.kind in POINTER_KINDS:
            kind = "user_in" if arg.kind is Kind.IN_BYTES else "user_out"
            return f"(struct {kind}){{{raw}, {self.length(arg)}}}"
        kind = scalar_type(arg.kind, arg.limits)
        return raw if kind == "u64" else f"({kind}){raw}"

    def arguments(self) -> list[str]:
        values = [self.argument(arg) for arg in handler_args(self.entry)]
        for out in self.entry.outs:
            values.append(f"&o_{out.name}")
            self.declarations.append(f"    {out_type(self.schema, out)}o_{out.name} = {{}};")
        return values

    def out_handles(self) -> list[Out]:
        return [out for out in self.entry.outs if out.type == "handle"]

    def set_aside(self) -> None:
        """Places for the handles that come back, so that giving them can't fail."""
        count = len(self.out_handles())
        if count:
            self.declarations.append(f"    handle_t places[{count}];")
            self.attempt(f"handles_reserve(handle_table_current(), {count}, places)")

    def jumps_to(self, label: str) -> bool:
        return any(line.strip() == f"goto {label};" for line in self.body)

    def final_call(self) -> list[str]:
        """The call of a handler that never comes back, and the ways out before it."""
        lines = call(f"    sys_{self.entry.name}(", self.arguments(), ");")
        for label, drops in reversed(self.held):
            if self.jumps_to(label):
                lines += [f"{label}:", *drops]
        return lines + (["done:", "    a->status = status;"] if self.fails else [])

    def ordinary_call(self) -> list[str]:
        """The call of the handler, its results, and the labels that drop what is held."""
        start = f"sys_{self.entry.name}("
        values = self.arguments()
        results = self.results()
        if not self.fails and not results:
            return call(f"    a->status = {start}", values, ");")
        self.fails = True
        lines = call(f"    status = {start}", values, ");") + results
        for label, drops in reversed(self.held):
            lines += [*([f"{label}:"] if self.jumps_to(label) else []), *drops]
        return [*lines, *(["done:"] if self.jumps_to("done") else []), "    a->status = status;"]

    def results(self) -> list[str]:
        """What is given back on success only; nothing of a failed call shows."""
        lines = []
        for arg in self.entry.args:
            if arg.kind is Kind.OUT_STRUCT:
                given = f" && a->arg[{arg.index}] != 0" if arg.optional else ""
                lines += [f"    if (status == OK{given})"]
                lines += call(
                    "        status = user_copy_out(",
                    [f"a->arg[{arg.index}]", f"&m_{arg.name}", f"sizeof(m_{arg.name})"],
                    ");",
                )
        return lines + self.stores()

    def stores(self) -> list[str]:
        """The out values; of a failed call the places for handles are given back."""
        if not self.entry.outs:
            return []
        lines = ["    if (status == OK) {"]
        places = {out.name: f"places[{i}]" for i, out in enumerate(self.out_handles())}
        for index, out in enumerate(self.entry.outs):
            value = f"{'(u64)' if out.type[0] == 'i' else ''}o_{out.name}"
            if out.name in places:
                value = places[out.name]
                kind, what = (
                    ("", f"&o_{out.name}")
                    if out.info
                    else ("_new", f"(struct object *)o_{out.name}")
                )
                lines += [f"        handle_fill{kind}(handle_table_current(), {value}, {what});"]
            lines += [f"        a->out[{index}] = {value};"]
        lines += ["    }"]
        if places:
            lines[-1] = "    } else {"
            lines += [
                f"        handles_unreserve(handle_table_current(), {len(places)}, places);",
                "    }",
            ]
        return lines
