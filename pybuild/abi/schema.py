"""The ABI as checked, immutable data; what every generator reads.

Nothing here reads files. A Schema that exists has been validated by `parse`: names resolve, numbers
are unique, structures have no hidden padding.
"""

from dataclasses import dataclass
from enum import Enum

ARGUMENTS_MAX = 6
OUTS_MAX = 3
U32_MAX = 0xFFFF_FFFF
U64_MAX = 0xFFFF_FFFF_FFFF_FFFF

# Bytes of each scalar type.
TYPE_SIZES = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "i32": 4, "i64": 8}


class SchemaError(Exception):
    """The schema is wrong. The message names file, entry and what to do."""


class Kind(Enum):
    """Kinds of arguments and of structure fields; kernel/abi/README.md says what each means."""

    VALUE = "value"
    FLAGS = "flags"
    RIGHTS = "rights"
    DEADLINE = "deadline"
    HANDLE = "handle"
    MOVED_HANDLE = "moved_handle"
    ADDRESS = "address"
    IN_BYTES = "in_bytes"
    OUT_BYTES = "out_bytes"
    IN_STRUCT = "in_struct"
    OUT_STRUCT = "out_struct"
    STRING = "string"
    # In structures only:
    HANDLE_VALUE = "handle_value"
    IN_HANDLES = "in_handles"
    OUT_HANDLES = "out_handles"
    USER_ADDRESS = "user_address"


HANDLE_KINDS = frozenset({Kind.HANDLE, Kind.MOVED_HANDLE})
STRUCT_KINDS = frozenset({Kind.IN_STRUCT, Kind.OUT_STRUCT})
BUFFER_KINDS = frozenset({Kind.IN_BYTES, Kind.OUT_BYTES, Kind.STRING})
POINTER_KINDS = STRUCT_KINDS | BUFFER_KINDS
VALUE_KINDS = frozenset({Kind.VALUE, Kind.FLAGS, Kind.RIGHTS, Kind.DEADLINE})


@dataclass(frozen=True)
class Constant:
    """A named number: an error, an object type, a constant or a member of a group."""

    name: str
    value: int
    meaning: str


@dataclass(frozen=True)
class ObjectType(Constant):
    """A type of object; `c_struct` is the kernel's structure, `ops` whose operations it has."""

    c_struct: str
    ops: str


@dataclass(frozen=True)
class Bit:
    """A right, a signal or a flag."""

    name: str
    bit: int
    meaning: str

    @property
    def mask(self) -> int:
        return 1 << self.bit


@dataclass(frozen=True)
class BitSet:
    """Rights, signals or one set of flags. `prefix` is that of its C names."""

    name: str
    prefix: str
    bits: tuple[Bit, ...]

    @property
    def mask(self) -> int:
        return sum(bit.mask for bit in self.bits)

    def mask_of(self, names: tuple[str, ...]) -> int:
        """The bits of `names`, which are all in the set."""
        return sum(bit.mask for bit in self.bits if bit.name in names)


@dataclass(frozen=True)
class Group:
    """Constants of which an argument can take one."""

    name: str
    members: tuple[Constant, ...]


@dataclass(frozen=True)
class Limits:
    """What a number must fulfil beside fitting its type; None where nothing is asked."""

    type: str = "u64"
    min: int | None = None
    max: int | None = None
    align: int | None = None
    one_of: str | None = None


@dataclass(frozen=True)
class Field:
    """A field of a structure, at `offset` bytes; `count` elements of `limits.type`."""

    name: str
    kind: Kind
    limits: Limits
    offset: int
    count: int
    doc: str
    flag_set: str | None = None
    # The bits that a field of flags or rights can have.
    mask: int = 0
    # For pointers: the field with the number of elements, and the bytes of one.
    length: str | None = None
    element_size: int = 1
    # CL_LIMIT_SAME is allowed too.
    same: bool = False
    # For lists of handles: what each must have.
    rights: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        return TYPE_SIZES[self.limits.type] * self.count


@dataclass(frozen=True)
class Struct:
    """A structure that crosses the ABI, without hidden padding; `size` in bytes."""

    name: str
    summary: str
    fields: tuple[Field, ...]
    size: int
    align: int

    def field(self, name: str) -> Field:
        return next(field for field in self.fields if field.name == name)


@dataclass(frozen=True)
class RightsWhen:
    """More rights that a handle needs when argument `arg` has all of `flags`."""

    arg: str
    mask: int
    rights: tuple[str, ...]


@dataclass(frozen=True)
class Arg:
    """An argument of a system call, in register `index`."""

    name: str
    kind: Kind
    index: int
    doc: str
    limits: Limits = Limits()
    # flags, rights: the bits that it can have.
    flag_set: str | None = None
    mask: int = 0
    # handle, moved_handle: types (none: any), rights.
    objects: tuple[str, ...] = ()
    rights: tuple[str, ...] = ()
    rights_when: tuple[RightsWhen, ...] = ()
    info: bool = False
    # handle, address, pointers: 0 is allowed.
    optional: bool = False
    # handle: optional, and 0 is the caller's own.
    own: bool = False
    # rights: CL_RIGHTS_SAME is allowed too.
    same: bool = False
    # address: which part of user memory.
    space: str = "user"
    # in_bytes, out_bytes, string, address: the argument with the size in bytes.
    length: str | None = None
    # in_struct, out_struct.
    struct: str | None = None


@dataclass(frozen=True)
class Out:
    """A result in a register."""

    name: str
    type: str
    object: str | None
    doc: str
    # handle: the handler says rights, user and revoker too; else it has made the object.
    info: bool = False


@dataclass(frozen=True)
class ErrorCause:
    """An error that the handler returns, and when."""

    name: str
    cause: str


@dataclass(frozen=True)
class Syscall:
    """A system call. `file` is where it is written, for messages."""

    name: str
    number: int
    summary: str
    doc: str
    args: tuple[Arg, ...]
    outs: tuple[Out, ...]
    errors: tuple[ErrorCause, ...]
    blocks: bool
    noreturn: bool
    raw: bool
    test: str
    file: str

    def arg(self, name: str) -> Arg:
        return next(arg for arg in self.args if arg.name == name)

    @property
    def length_names(self) -> frozenset[str]:
        """Arguments that a handler gets as part of a user_in, user_out or name."""
        return frozenset(
            arg.length for arg in self.args if arg.kind in BUFFER_KINDS and arg.length is not None
        )


@dataclass(frozen=True)
class Schema:
    """The whole ABI. System calls are in the order of their numbers."""

    errors: tuple[Constant, ...]
    objects: tuple[ObjectType, ...]
    rights: BitSet
    signals: BitSet
    constants: tuple[Constant, ...]
    groups: tuple[Group, ...]
    flag_sets: tuple[BitSet, ...]
    structs: tuple[Struct, ...]
    syscalls: tuple[Syscall, ...]

    def constant(self, name: str) -> int:
        return next(constant.value for constant in self.constants if constant.name == name)

    def group(self, name: str) -> Group:
        return next(group for group in self.groups if group.name == name)

    def struct(self, name: str) -> Struct:
        return next(struct for struct in self.structs if struct.name == name)

    def bit_set(self, name: str) -> BitSet:
        """A flag set, or the rights or signals under those names."""
        return next(
            flags for flags in (*self.flag_sets, self.rights, self.signals) if flags.name == name
        )

    def object_type(self, name: str) -> ObjectType:
        return next(entry for entry in self.objects if entry.name == name)

    def object_mask(self, names: tuple[str, ...]) -> int:
        """One bit for each object type; all ones when `names` is empty (any type)."""
        if not names:
            return U32_MAX
        return sum(1 << entry.value for entry in self.objects if entry.name in names)

    def asked_rights(self, name: str) -> tuple[str, ...]:
        """The rights that mean something for objects of a type: those that calls ask for."""
        handles = [a for entry in self.syscalls for a in entry.args if a.kind in HANDLE_KINDS]
        asked = [arg for arg in handles if not arg.objects or name in arg.objects]
        sets = [arg.rights for arg in asked]
        sets += [when.rights for arg in asked for when in arg.rights_when]
        found = {right for rights in sets for right in rights}
        return tuple(bit.name for bit in self.rights.bits if bit.name in found)

    @property
    def syscall_count(self) -> int:
        """One more than the highest number."""
        return max((call.number for call in self.syscalls), default=-1) + 1
