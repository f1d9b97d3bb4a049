"""The counting plugin against a machine whose every instruction is known."""

import struct
import subprocess
from pathlib import Path

from pybuild.bench import guest, markers
from pybuild.bench.markers import Hit

LOOPS = 1000
LOAD_AT = 0x100000
HEADERS_SIZE = 0x1000


def marker(name: str) -> bytes:
    number = markers.constants()["TAG"] | markers.constants()[name]
    return b"\x0f\x1f\x80" + struct.pack("<I", number)


def counted_kernel() -> bytes:
    """A PVH kernel of a marked loop: 1 + 2 * LOOPS instructions and the end marker itself."""
    code = marker("PIPE_BEGIN")
    code += b"\xb9" + struct.pack("<I", LOOPS)  # mov $LOOPS, %ecx
    code += b"\x49\x75\xfd"  # 1: dec %ecx; jnz 1b
    code += marker("PIPE_END")
    code += b"\x66\xba\xf4\x00\xee"  # mov $0xf4, %dx; out %al, %dx: ends QEMU
    code += b"\xf4"
    entry = LOAD_AT + HEADERS_SIZE
    note = struct.pack("<III4sQ", 4, 8, 18, b"Xen\0", entry)
    head = struct.pack("<16sHHIQQQ", b"\x7fELF\x02\x01\x01", 2, 62, 1, entry, 64, 0)
    head += struct.pack("<IHHHHHH", 0, 64, 56, 2, 0, 0, 0)
    note_at = 64 + 2 * 56
    size = HEADERS_SIZE + len(code)
    load = struct.pack("<IIQQQQQQ", 1, 7, 0, LOAD_AT, LOAD_AT, size, size, 4096)
    where = LOAD_AT + note_at
    notes = struct.pack("<IIQQQQQQ", 4, 4, note_at, where, where, len(note), len(note), 4)
    return (head + load + notes + note).ljust(HEADERS_SIZE, b"\0") + code


def run_counted(folder: Path, probe: guest.Probe) -> list[Hit]:
    kernel = folder / "counted.elf"
    kernel.write_bytes(counted_kernel())
    arguments = ["-kernel", str(kernel), "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
    subprocess.run([*guest.MACHINE, *arguments, *probe.arguments], check=False, timeout=30)
    return probe.hits()


def test_every_instruction_is_counted_once(tmp_path: Path) -> None:
    hits = run_counted(tmp_path, guest.probe_count("test-count"))
    assert [hit.vcpu for hit in hits] == [0, 0]
    assert markers.samples(hits, "PIPE_BEGIN", "PIPE_END", "instructions") == [2 + 2 * LOOPS]


def test_time_only_counts_nothing_but_takes_the_time(tmp_path: Path) -> None:
    hits = run_counted(tmp_path, guest.probe_time("test-time"))
    assert markers.samples(hits, "PIPE_BEGIN", "PIPE_END", "instructions")[0] <= 0
    assert markers.samples(hits, "PIPE_BEGIN", "PIPE_END", "nanoseconds")[0] > 0
