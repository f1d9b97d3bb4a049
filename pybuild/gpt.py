"""A disk with a GUID partition table (UEFI 2.10, chapter 5): protective MBR, primary and backup.

The same input gives the same bytes: GUIDs are derived from names and contents.
"""

import struct
import uuid
import zlib
from dataclasses import dataclass

SECTOR_BYTES = 512
ALIGN_SECTORS = 2048
ENTRY_COUNT = 128
ENTRY_BYTES = 128
TABLE_SECTORS = ENTRY_COUNT * ENTRY_BYTES // SECTOR_BYTES
NAME_UNITS_MAX = 36

# Partition type of a container image, made once for Cloister.
TYPE_IMAGE = uuid.UUID("c1015734-1ad3-4e5f-9b1c-6d61676520ff")
NAMESPACE = uuid.UUID("c1015734-d15c-4e5f-9b1c-6469736b20ff")

ENTRY = struct.Struct("<16s16sQQQ72s")
HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")


@dataclass(frozen=True)
class Partition:
    """A partition to be: its name (`image:busybox`), contents, and type."""

    name: str
    data: bytes
    type_guid: uuid.UUID = TYPE_IMAGE


def sectors_up(size_bytes: int, to: int = 1) -> int:
    """Size in sectors, rounded up to a multiple of `to`."""
    sectors = -(-size_bytes // SECTOR_BYTES)
    return -(-sectors // to) * to


def _entry(partition: Partition, first: int) -> bytes:
    name = partition.name.encode("utf-16-le")
    if len(name) > 2 * NAME_UNITS_MAX:
        raise ValueError(f"gpt: partition name {partition.name!r} is longer than 36 characters")
    unique = uuid.uuid5(NAMESPACE, f"{partition.name} {zlib.crc32(partition.data)}")
    last = first + sectors_up(len(partition.data)) - 1
    type_bytes = partition.type_guid.bytes_le
    return ENTRY.pack(type_bytes, unique.bytes_le, first, last, 0, name)


def _header(own: int, other: int, table: int, disk_sectors: int, entries: bytes) -> bytes:
    guid = uuid.uuid5(NAMESPACE, "disk").bytes_le
    first_usable, last_usable = 2 + TABLE_SECTORS, disk_sectors - TABLE_SECTORS - 2

    def pack(crc: int) -> bytes:
        return HEADER.pack(
            *(b"EFI PART", 0x10000, HEADER.size, crc, 0, own, other),
            *(first_usable, last_usable, guid, table, ENTRY_COUNT, ENTRY_BYTES),
            zlib.crc32(entries),
        )

    return pack(zlib.crc32(pack(0))).ljust(SECTOR_BYTES, b"\0")


def _protective_mbr(disk_sectors: int) -> bytes:
    size = min(disk_sectors - 1, 0xFFFFFFFF)
    entry = struct.pack("<B3sB3sII", 0, b"\x00\x02\x00", 0xEE, b"\xff\xff\xff", 1, size)
    return b"\0" * 446 + entry + b"\0" * 48 + b"\x55\xaa"


def disk_bytes(partitions: list[Partition]) -> bytes:
    """The whole disk; ValueError for too many partitions or too long a name."""
    if len(partitions) > ENTRY_COUNT:
        raise ValueError(f"gpt: {len(partitions)} partitions; at most {ENTRY_COUNT}")
    entries, place = b"", ALIGN_SECTORS
    places = []
    for partition in partitions:
        entries += _entry(partition, place)
        places.append(place)
        place += max(sectors_up(len(partition.data), ALIGN_SECTORS), ALIGN_SECTORS)
    entries = entries.ljust(ENTRY_COUNT * ENTRY_BYTES, b"\0")
    sectors = place + ALIGN_SECTORS
    backup = sectors - 1
    disk = bytearray(sectors * SECTOR_BYTES)

    def put(sector: int, data: bytes) -> None:
        disk[sector * SECTOR_BYTES : sector * SECTOR_BYTES + len(data)] = data

    put(0, _protective_mbr(sectors))
    put(1, _header(1, backup, 2, sectors, entries))
    put(2, entries)
    put(backup - TABLE_SECTORS, entries)
    put(backup, _header(backup, 1, backup - TABLE_SECTORS, sectors, entries))
    for first, partition in zip(places, partitions, strict=True):
        put(first, partition.data)
    return bytes(disk)
