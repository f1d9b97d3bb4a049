"""The boot bundle: the files that the kernel finds in memory at boot (PVH module 0).

Format, little endian: page 0 and as many as the table needs: {char magic[8] "CLOISBUN";
u32 version; u32 count}; what the kernel maps of the file `init`, an ELF program: {u64 entry,
stack_top} and 8 times {u64 address, size, offset in the bundle (0: zeros), rights}; room for what
it tells init: {u32 handle[8]; char command_line[1024]}; then per file {char name[48]; u64 offset;
u64 size}; files follow, each page-aligned and padded with zeros.
"""

import struct
from pathlib import Path
from typing import NamedTuple

MAGIC = b"CLOISBUN"
VERSION = 3
PAGE_BYTES = 4096
HEADER = struct.Struct("<8sII")
ENTRY = struct.Struct("<48sQQ")
MAPPINGS_MAX = 8
INIT = struct.Struct(f"<QQ{4 * MAPPINGS_MAX}Q{8 * 4 + 1024}x")
# kernel/abi/types.toml: MAP_*, PROCESS_LIMIT. A page stays free above init's stack.
READ, WRITE, EXECUTE = 1, 2, 4
STACK_TOP = 0x7FFFFFFFF000 - PAGE_BYTES
STACK_BYTES = 64 << 10
LOAD = 1  # PT_LOAD
RIGHTS = {4: READ, 2: WRITE, 1: EXECUTE}  # by the bits of ELF's p_flags


def pages_up(size_bytes: int) -> int:
    """Size rounded up to whole pages, in bytes."""
    return (size_bytes + PAGE_BYTES - 1) & -PAGE_BYTES


class Segment(NamedTuple):
    """A program header of ELF64, as it lies in the file."""

    kind: int
    flags: int
    offset: int
    address: int
    physical: int
    file_bytes: int
    memory_bytes: int
    alignment: int


def is_elf(data: bytes) -> bool:
    """Whether this is an ELF64 file."""
    return data[:5] == b"\x7fELF\x02"


def elf_segments(data: bytes) -> list[Segment]:
    """The loadable segments of an ELF64 file."""
    table, entry_bytes, count = struct.unpack_from("<Q14xHH", data, 32)
    places = range(table, table + entry_bytes * count, entry_bytes)
    found = [Segment(*struct.unpack_from("<IIQQQQQQ", data, place)) for place in places]
    return [segment for segment in found if segment.kind == LOAD]


def init_bytes(data: bytes, offset: int) -> bytes:
    """What the kernel is to map of init, a program at `offset`; ValueError when it can't be."""
    if not is_elf(data):
        return bytes(INIT.size)
    mappings = [(STACK_TOP - STACK_BYTES, STACK_BYTES, 0, READ | WRITE)]
    for segment in elf_segments(data):
        if segment.offset % PAGE_BYTES or segment.address % PAGE_BYTES:
            raise ValueError("bundle: a segment of init is not page-aligned")
        rights = sum(right for bit, right in RIGHTS.items() if segment.flags & bit)
        file_bytes, memory_bytes = pages_up(segment.file_bytes), pages_up(segment.memory_bytes)
        place = offset + segment.offset
        mappings.append((segment.address, file_bytes, place, rights))
        mappings.append((segment.address + file_bytes, memory_bytes - file_bytes, 0, rights))
    used = [mapping for mapping in mappings if mapping[1]]
    used += [(0, 0, 0, 0)] * (MAPPINGS_MAX - len(used))
    (entry,) = struct.unpack_from("<Q", data, 24)
    return INIT.pack(entry, STACK_TOP, *[number for mapping in used for number in mapping])


def bundle_bytes(files: dict[str, bytes]) -> bytes:
    """The bundle of these files in this order; ValueError for a name over 47 bytes."""
    offset = pages_up(HEADER.size + INIT.size + ENTRY.size * len(files))
    table, body, init = b"", b"", bytes(INIT.size)
    for name, data in files.items():
        if len(name.encode()) > 47:
            raise ValueError(f"bundle: name {name!r} is longer than 47 bytes")
        if name == "init":
            init = init_bytes(data, offset + len(body))
        table += ENTRY.pack(name.encode(), offset + len(body), len(data))
        body += data.ljust(pages_up(len(data)), b"\0")
    head = HEADER.pack(MAGIC, VERSION, len(files)) + init + table
    return head.ljust(offset, b"\0") + body


def elf_without_sections(data: bytes) -> bytes:
    """An ELF64 file cut after its last loadable byte; other bytes are given back as they are.

    Debug information stays in build/user/ for gdb; the machine never sees it.
    """
    if not is_elf(data):
        return data
    table, entry_bytes, count = struct.unpack_from("<Q14xHH", data, 32)
    ends = [segment.offset + segment.file_bytes for segment in elf_segments(data)]
    end = max([table + entry_bytes * count, *ends])
    head = bytearray(data[:end])
    struct.pack_into("<Q", head, 40, 0)
    struct.pack_into("<HH", head, 60, 0, 0)
    return bytes(head)


def bundle_write(out: Path, files: dict[str, Path]) -> None:
    """Writes the bundle of these files; OSError when one can't be read."""
    out.parent.mkdir(parents=True, exist_ok=True)
    contents = {name: elf_without_sections(path.read_bytes()) for name, path in files.items()}
    out.write_bytes(bundle_bytes(contents))


def bundle_read(data: bytes) -> dict[str, bytes]:
    """The files of a bundle; ValueError when it is none."""
    magic, version, count = HEADER.unpack_from(data)
    if magic != MAGIC or version != VERSION:
        raise ValueError(f"not a boot bundle: magic {magic!r} version {version}")
    files = {}
    for index in range(count):
        name, offset, size = ENTRY.unpack_from(data, HEADER.size + INIT.size + index * ENTRY.size)
        files[name.rstrip(b"\0").decode()] = data[offset : offset + size]
    return files
