"""The boot bundle: the files that the kernel finds in memory at boot (PVH module 0).

Format, little endian: page 0 and as many as the table needs: {char magic[8] "CLOISBUN";
u32 version; u32 count}, then per file {char name[48]; u64 offset; u64 size}; files follow, each
page-aligned and padded with zeros.
"""

import struct
from pathlib import Path

MAGIC = b"CLOISBUN"
VERSION = 1
PAGE_BYTES = 4096
HEADER = struct.Struct("<8sII")
ENTRY = struct.Struct("<48sQQ")


def pages_up(size_bytes: int) -> int:
    """Size rounded up to whole pages, in bytes."""
    return (size_bytes + PAGE_BYTES - 1) & -PAGE_BYTES


def bundle_bytes(files: dict[str, bytes]) -> bytes:
    """The bundle of these files in this order; ValueError for a name over 47 bytes."""
    offset = pages_up(HEADER.size + ENTRY.size * len(files))
    head = HEADER.pack(MAGIC, VERSION, len(files))
    body = b""
    for name, data in files.items():
        if len(name.encode()) > 47:
            raise ValueError(f"bundle: name {name!r} is longer than 47 bytes")
        head += ENTRY.pack(name.encode(), offset + len(body), len(data))
        body += data.ljust(pages_up(len(data)), b"\0")
    return head.ljust(offset, b"\0") + body


def elf_without_sections(data: bytes) -> bytes:
    """An ELF64 file cut after its last loadable byte; other bytes are given back as they are.

    Debug information stays in build/user/ for gdb; the machine never sees it.
    """
    if data[:5] != b"\x7fELF\x02":
        return data
    table, entry_bytes, count = struct.unpack_from("<Q14xHH", data, 32)
    end = table + entry_bytes * count
    for index in range(count):
        kind, _flags, offset, _va, _pa, size = struct.unpack_from(
            "<IIQQQQ", data, table + index * entry_bytes
        )
        if kind == 1:
            end = max(end, offset + size)
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
        name, offset, size = ENTRY.unpack_from(data, HEADER.size + index * ENTRY.size)
        files[name.rstrip(b"\0").decode()] = data[offset : offset + size]
    return files
