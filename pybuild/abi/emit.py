"""How generated files are written: C names, comments, and files that change only when they must."""

import textwrap
from pathlib import Path

from .schema import Arg, Kind, Limits, Out, Schema

WIDTH = 100

# C types of the shared headers (user programs).
USER_TYPES = {
    "u8": "uint8_t", "u16": "uint16_t", "u32": "uint32_t", "u64": "uint64_t",
    "i32": "int32_t", "i64": "int64_t", "handle": "handle_t",
}  # fmt: skip


def head(what: str) -> list[str]:
    """The comment at the top of a generated C file."""
    return [*comment(what), *comment("Generated from kernel/abi by pybuild.abi; do not edit."), ""]


def comment(text: str, indent: str = "", mark: str = "//") -> list[str]:
    """`text` as comment lines; paragraphs are separated by newlines."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        start = f"{indent}{mark} "
        wrapped = textwrap.wrap(paragraph, WIDTH - len(start), break_long_words=False)
        lines += [(start + line).rstrip() for line in wrapped or [""]]
    return lines


def call(start: str, arguments: list[str], end: str) -> list[str]:
    """A call or prototype, on one line or with arguments under the first."""
    if len(start) + len(", ".join(arguments)) + len(end) <= WIDTH:
        return [start + ", ".join(arguments) + end]
    lines = textwrap.wrap(
        ", ".join(argument.replace(" ", "\a") for argument in arguments) + end.replace(" ", "\a"),
        WIDTH - len(start),
        break_long_words=False,
    )
    pad = " " * len(start)
    return [
        (start if number == 0 else pad) + line.replace("\a", " ")
        for number, line in enumerate(lines)
    ]


def number(value: int) -> str:
    """A C literal; large ones in hexadecimal, with the suffix that its size needs."""
    if value < 0:
        return str(value)
    text = str(value) if value < 0x10000 else hex(value)
    return text if value <= 0x7FFF_FFFF else f"{text}u" if value <= 0xFFFF_FFFF else f"{text}ul"


def rights_text(schema: Schema, rights: tuple[str, ...]) -> str:
    """A C expression for some rights; the order is the schema's."""
    names = [bit.name for bit in schema.rights.bits if bit.name in rights]
    return " | ".join(f"RIGHT_{name}" for name in names) or "0"


def objects_text(objects: tuple[str, ...]) -> str:
    """A C expression for a set of object types."""
    if not objects:
        return "OBJ_MASK_ANY"
    return " | ".join(f"OBJ_MASK(OBJ_{name.upper()})" for name in objects)


def kernel_argument(schema: Schema, arg: Arg) -> str:
    """The declaration of a handler's parameter."""
    structs = {
        Kind.MOVED_HANDLE: "handle_t ",
        Kind.IN_BYTES: "struct user_in ",
        Kind.OUT_BYTES: "struct user_out ",
        Kind.IN_STRUCT: f"const struct cl_{arg.struct} *",
        Kind.OUT_STRUCT: f"struct cl_{arg.struct} *",
        Kind.STRING: "const struct name_path *",
    }
    if arg.kind is Kind.HANDLE:
        if arg.info:
            return f"const struct handle_info *{arg.name}"
        return f"struct {c_struct(schema, arg)} *{arg.name}"
    if arg.kind in structs:
        return structs[arg.kind] + arg.name
    return f"{scalar_type(arg.kind, arg.limits)} {arg.name}"


def c_struct(schema: Schema, arg: Arg) -> str:
    """The structure of the object that a handle must be of; `object` when there are several."""
    structs = {schema.object_type(name).c_struct for name in arg.objects}
    return structs.pop() if len(structs) == 1 else "object"


def scalar_type(kind: Kind, limits: Limits) -> str:
    """The schema's type of an argument that is a number."""
    return (
        limits.type
        if kind is Kind.VALUE
        else ("u32" if kind in (Kind.FLAGS, Kind.RIGHTS) else "u64")
    )


def out_argument(out: Out, types: dict[str, str]) -> str:
    """The declaration of an out value's parameter."""
    return f"{types[out.type]} *{out.name}"


def write_if_changed(path: Path, text: str) -> bool:
    """Write `text`, unless the file has it already. Returns whether it was written."""
    data = text.encode()
    try:
        if path.read_bytes() == data:
            return False
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    # In place of the old one at once, so that a compiler never sees a half.
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.replace(path)
    return True
