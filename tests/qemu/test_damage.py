"""Damaged disks, images and programs: a line that says what is wrong, never a panic."""

import struct
from pathlib import Path

import pytest

from pybuild import gpt, images
from pybuild.command import Result, run_captured
from pybuild.gpt import SECTOR_BYTES
from pybuild.machine import MachineConfig
from pybuild.paths import BUILD, DISK

LOG = BUILD / "test" / "damage.log"
ERROR_OURS = 125
ERROR_NOT_EXECUTABLE = 126


def shell(disk: Path, command: str) -> Result:
    """Boots with this disk and gives the shell a command."""
    return run_captured(MachineConfig(disk=disk, log=LOG), command)


def first_sector(name: str) -> int:
    """Where a partition starts on the disk that the build made."""
    disk = DISK.read_bytes()
    for index in range(gpt.ENTRY_COUNT):
        entry = disk[2 * SECTOR_BYTES + index * gpt.ENTRY_BYTES :][: gpt.ENTRY_BYTES]
        if entry[56:].decode("utf-16-le").rstrip("\0") == name:
            return int(struct.unpack_from("<Q", entry, 32)[0])
    raise AssertionError(f"no partition {name}")


def damaged(tmp_path: Path, *patches: tuple[int, bytes], size: int | None = None) -> Path:
    """The disk with bytes written over it, or cut."""
    disk = bytearray(DISK.read_bytes())
    for place, data in patches:
        disk[place : place + len(data)] = data
    path = tmp_path / "disk.img"
    path.write_bytes(disk[:size])
    return path


def test_without_a_disk_there_is_no_image(tmp_path: Path) -> None:
    result = shell(tmp_path / "none", "run busybox true")
    assert result.status == ERROR_OURS
    assert b"busybox" in result.err


def test_the_backup_table_is_used_when_the_first_is_damaged(tmp_path: Path) -> None:
    disk = damaged(tmp_path, (SECTOR_BYTES, bytes(SECTOR_BYTES)))
    assert shell(disk, "run busybox echo still").out == b"still\n"


def test_a_table_that_does_not_match_its_checksum_is_not_used(tmp_path: Path) -> None:
    disk = damaged(tmp_path, (2 * SECTOR_BYTES + 40, b"\xff" * 8))
    assert shell(disk, "run busybox echo still").out == b"still\n"


@pytest.mark.parametrize("size", [0, 512, 4096, 1 << 20, (2 << 20) + 512])
def test_a_cut_disk(tmp_path: Path, size: int) -> None:
    result = shell(damaged(tmp_path, size=size), "run busybox true")
    assert result.status == ERROR_OURS
    assert result.err


def test_two_damaged_tables(tmp_path: Path) -> None:
    last = DISK.stat().st_size - SECTOR_BYTES
    disk = damaged(tmp_path, (SECTOR_BYTES, b"EFI PARX"), (last, b"EFI PARX"))
    result = shell(disk, "run busybox true")
    assert result.status == ERROR_OURS
    assert b"busybox" in result.err


def test_a_damaged_file_system_is_named_and_hurts_no_other(tmp_path: Path) -> None:
    superblock = first_sector("image:busybox") * SECTOR_BYTES + 1024
    disk = damaged(tmp_path, (superblock, bytes(128)))
    result = shell(disk, "run busybox true; run tiny")
    assert result.status == 0
    assert b"busybox" in result.err


def header(**changes: int) -> bytes:
    """An ELF64 header with one loadable segment, with fields changed."""
    fields = {
        "type": 2,
        "machine": 62,
        "entry": 0x401000,
        "phoff": 64,
        "phentsize": 56,
        "phnum": 1,
        "p_type": 1,
        "p_offset": 0,
        "p_vaddr": 0x400000,
        "p_filesz": 0x2000,
        "p_memsz": 0x2000,
    } | changes
    elf = b"\x7fELF\x02\x01\x01" + bytes(9)
    elf += struct.pack("<HHIQQQ", fields["type"], fields["machine"], 1, fields["entry"], 64, 0)
    elf = elf[:32] + struct.pack("<Q", fields["phoff"]) + elf[40:]
    elf += struct.pack("<IHHHHHH", 0, 64, fields["phentsize"], fields["phnum"], 0, 0, 0)
    elf += struct.pack("<IIQQ", fields["p_type"], 5, fields["p_offset"], fields["p_vaddr"])
    elf += struct.pack("<QQQQ", fields["p_vaddr"], fields["p_filesz"], fields["p_memsz"], 0x1000)
    return elf


PROGRAMS = {
    "empty": b"",
    "text-without-line": b"hello",
    "magic-only": b"\x7fELF",
    "32-bit": header().replace(b"\x02\x01\x01", b"\x01\x01\x01", 1),
    "other-machine": header(machine=183),
    "headers-outside": header(phoff=1 << 40),
    "headers-overflow": header(phoff=(1 << 64) - 8),
    "many-headers": header(phnum=0xFFFF),
    "odd-headers": header(phentsize=1),
    "segment-in-kernel": header(p_vaddr=0xFFFF800000000000),
    "segment-in-personality": header(p_vaddr=0x7F8000400000),
    "segment-wraps": header(p_vaddr=(1 << 64) - 0x1000),
    "segment-huge": header(p_memsz=1 << 62),
    "segment-outside-file": header(p_offset=1 << 40),
    "file-larger-than-memory": header(p_filesz=0x2000, p_memsz=0x10),
    "no-segment": header(phnum=0),
    "entry-in-kernel": header(entry=0xFFFFFFFF80100000).ljust(0x2000, b"\x90"),
}


@pytest.fixture(scope="module")
def programs_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk with one image that holds the damaged programs in /bin."""
    folder = tmp_path_factory.mktemp("programs")
    tree = folder / "tree"
    (tree / "bin").mkdir(parents=True)
    for name, data in PROGRAMS.items():
        (tree / "bin" / name).write_bytes(data)
        (tree / "bin" / name).chmod(0o755)
    table = {"command": ["empty"], "env": ["PATH=/bin"]}
    data = images.erofs_bytes(tree, "broken") + images.trailer(table)
    disk = folder / "disk.img"
    disk.write_bytes(gpt.disk_bytes([gpt.Partition("image:broken", data)]))
    return disk


def test_damaged_programs_are_refused_or_die_alone(programs_disk: Path) -> None:
    lines = "; ".join(f"run broken {name}; help version" for name in PROGRAMS)
    result = shell(programs_disk, f"{lines}; run broken headers-outside")
    assert result.status == ERROR_NOT_EXECUTABLE
    assert result.err
