"""Damages images of EROFS: fields of inodes and entries of directories, found by path."""

from __future__ import annotations

import struct
from pathlib import Path

BLOCK_BYTES = 4096
SUPERBLOCK = 1024
INODE_BYTES = 32


class Image:
    """An image's bytes, to be changed and written back."""

    def __init__(self, path: Path) -> None:
        """Read the image at `path`."""
        self.path = path
        self.bytes = bytearray(path.read_bytes())
        (self.root,) = struct.unpack_from("<H", self.bytes, SUPERBLOCK + 14)
        (meta,) = struct.unpack_from("<I", self.bytes, SUPERBLOCK + 40)
        self.meta = meta * BLOCK_BYTES

    def entries(self, nid: int) -> dict[bytes, int]:
        """Where the entries of a small directory are, by name."""
        at = self.meta + nid * INODE_BYTES
        (form, _, _, _, size) = struct.unpack_from("<HHHHI", self.bytes, at)
        assert form == 4, "not a compact inode with its data behind it"
        start = at + INODE_BYTES
        count = struct.unpack_from("<H", self.bytes, start + 8)[0] // 12
        offsets = [
            struct.unpack_from("<H", self.bytes, start + i * 12 + 8)[0] for i in range(count)
        ]
        ends = [*offsets[1:], size]
        names = [
            bytes(self.bytes[start + a : start + b]) for a, b in zip(offsets, ends, strict=True)
        ]
        return {name: start + i * 12 for i, name in enumerate(names)}

    def entry(self, path: str) -> int:
        """Where the entry of a path's last name is."""
        *way, last = path.encode().split(b"/")
        nid = self.root
        for name in way:
            nid = self.nid_at(self.entries(nid)[name])
        return self.entries(nid)[last]

    def nid_at(self, entry: int) -> int:
        """Return the inode number that an entry leads to."""
        return int(struct.unpack_from("<Q", self.bytes, entry)[0])

    def nid(self, path: str) -> int:
        """Return the inode number of a path; the empty one is the root's."""
        return self.nid_at(self.entry(path)) if path else self.root

    def set_mode(self, path: str, mode: int) -> None:
        """Change the mode of a path's inode."""
        struct.pack_into("<H", self.bytes, self.meta + self.nid(path) * INODE_BYTES + 4, mode)

    def set_links(self, path: str, count: int) -> None:
        """Change how many links a path's inode has."""
        struct.pack_into("<H", self.bytes, self.meta + self.nid(path) * INODE_BYTES + 6, count)

    def set_target(self, path: str, nid: int) -> None:
        """Let a name lead elsewhere."""
        struct.pack_into("<Q", self.bytes, self.entry(path), nid)

    def write(self, path: Path) -> Path:
        """Write the damaged image; return where it is."""
        path.write_bytes(self.bytes)
        return path
