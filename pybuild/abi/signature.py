"""What a system call says in words: its signature and the errors that its decoding can give."""

from .emit import USER_TYPES, out_argument
from .kernel import limit_tests
from .schema import (
    BUFFER_KINDS,
    HANDLE_KINDS,
    STRUCT_KINDS,
    Arg,
    ErrorCause,
    Field,
    Kind,
    Limits,
    Schema,
    Syscall,
)
from .user import user_argument


def c_signature(call: Syscall) -> str:
    """The prototype of the user stub, without the semicolon."""
    parameters = [user_argument(arg) for arg in call.args]
    parameters += [out_argument(out, USER_TYPES) for out in call.outs]
    return f"status_t {call.name}({', '.join(parameters) or 'void'})"


def limits_words(limits: Limits) -> str:
    """` min 1, max 8`: what a number must fulfil."""
    parts = [
        f"{key} {value:#x}" if value > 0xFFFF else f"{key} {value}"
        for key, value in (("min", limits.min), ("max", limits.max), ("align", limits.align))
        if value is not None
    ]
    if limits.one_of:
        parts.append(f"one of {limits.one_of}")
    return ", ".join(parts)


def flag_words(schema: Schema, flag_set: str | None, mask: int) -> str:
    """The allowed flags by name; a set that is allowed whole is named alone."""
    flags = schema.bit_set(flag_set or "")
    if mask == flags.mask:
        return flags.name
    return f"{flags.name}: " + " ".join(bit.name for bit in flags.bits if bit.mask & mask)


def argument_words(schema: Schema, arg: Arg) -> str:
    """Everything that the decoding asks of an argument, on one line."""
    kind = arg.kind.value
    if arg.kind is Kind.VALUE:
        words = f"{arg.limits.type} {limits_words(arg.limits)}"
    elif arg.kind in (Kind.FLAGS, Kind.RIGHTS):
        words = f"{kind} {flag_words(schema, arg.flag_set, arg.mask)}"
    elif arg.kind in HANDLE_KINDS:
        words = f"{kind} {'|'.join(arg.objects) or 'any'}"
        if arg.rights:
            words += f" with {' '.join(arg.rights)}"
        for condition in arg.rights_when:
            words += (
                f", and {' '.join(condition.rights)} if {condition.arg} has {condition.mask:#x}"
            )
    elif arg.kind is Kind.ADDRESS:
        words = f"address {arg.space} {limits_words(arg.limits)}"
    elif arg.kind in STRUCT_KINDS:
        words = f"{kind} {arg.struct}"
    elif arg.kind in BUFFER_KINDS:
        words = f"{kind}[{arg.length}] {limits_words(arg.limits)}"
    else:
        words = kind
    return words.strip() + (", optional" if arg.optional else "")


def field_words(schema: Schema, field: Field) -> str:
    """Everything that is checked of a field, on one line."""
    if field.kind in (Kind.FLAGS, Kind.RIGHTS):
        return f"{field.kind.value} {flag_words(schema, field.flag_set, field.mask)}"
    words = "" if field.kind is Kind.VALUE else f"{field.kind.value} "
    if field.length:
        words += f"[{field.length}] "
    same = ", or LIMIT_SAME" if field.same else ""
    return (words + limits_words(field.limits) + same).strip()


def implied_errors(schema: Schema, call: Syscall) -> tuple[ErrorCause, ...]:
    """The errors of the decoding, in the schema's order of errors, each once."""
    causes: dict[str, str] = {}

    def add(name: str, cause: str) -> None:
        causes.setdefault(name, cause)

    for arg in call.args:
        limits = arg.limits
        if arg.kind is Kind.VALUE and limits.type in ("u32", "i32"):
            add("INVALID_ARGUMENT", f"{arg.name} does not fit {limits.type}.")
        if arg.kind is Kind.VALUE:
            for _, error in limit_tests(schema, limits, "", "OUT_OF_RANGE"):
                add(error, f"{arg.name} is not what it may be ({limits_words(limits)}).")
        if arg.kind in (Kind.FLAGS, Kind.RIGHTS):
            add("INVALID_ARGUMENT", f"{arg.name} has an unknown bit.")
        if arg.kind in BUFFER_KINDS and limits.max is not None:
            add("TOO_BIG", f"{arg.length} is more than {limits.max}.")
        if arg.kind is Kind.STRING:
            add("INVALID_ARGUMENT", f"{arg.name} is no valid path of names.")
        if arg.kind in BUFFER_KINDS | STRUCT_KINDS or arg.kind is Kind.ADDRESS:
            add("BAD_POINTER", f"{arg.name} does not lead to memory that can be used so.")
        if arg.kind is Kind.ADDRESS and limits.align:
            add("INVALID_ARGUMENT", f"{arg.name} is no multiple of {limits.align}.")
        if arg.kind in HANDLE_KINDS:
            add_handle_errors(causes, arg)
        if arg.kind is Kind.IN_STRUCT and arg.struct is not None:
            for field in schema.struct(arg.struct).fields:
                for _, error in limit_tests(schema, field.limits, "", "OUT_OF_RANGE"):
                    add(error, f"{arg.name}.{field.name} is not what it may be.")
    order = [error.name for error in schema.errors]
    return tuple(ErrorCause(name, causes[name]) for name in order if name in causes)


def add_handle_errors(causes: dict[str, str], arg: Arg) -> None:
    causes.setdefault("BAD_HANDLE", f"{arg.name} is not in the table.")
    causes.setdefault("DEAD", f"The object of {arg.name} is gone.")
    causes.setdefault("REVOKED", f"{arg.name} has been revoked.")
    if arg.objects:
        causes.setdefault("WRONG_TYPE", f"{arg.name} is no {' or '.join(arg.objects)}.")
    if arg.rights or arg.rights_when:
        causes.setdefault("ACCESS_DENIED", f"{arg.name} lacks {' or '.join(arg.rights)}.")
