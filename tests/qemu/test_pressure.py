"""More is wanted than the machine has: images are read anew, and who wants too much pays for it."""

from __future__ import annotations

import hashlib
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prompts import PROMPT, WAIT_SECONDS, typed

from pybuild import gpt, images
from pybuild.command import run_captured
from pybuild.machine import Machine, MachineConfig
from pybuild.paths import BUILD, KERNEL_DEBUG_ELF

LOG = BUILD / "test" / "pressure.log"
MEM_MIB = 24
FILES = 8
FILE_BYTES = 3 << 20  # 24 MiB in all: more than the machine has left


def contents() -> list[bytes]:
    """The files, the same each time."""
    source = random.Random(7)
    return [source.randbytes(FILE_BYTES) for _ in range(FILES)]


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk with the image `big`: busybox, and files that do not fit into memory."""
    (recipe,) = (found for found in images.recipes() if found.name == "busybox")
    files = {f"/data/f{number}": data for number, data in enumerate(contents())}
    big = images.image_bytes(recipe, files)
    busybox = (BUILD / "images" / "busybox.img").read_bytes()
    out = tmp_path_factory.mktemp("big") / "disk.img"
    out.write_bytes(
        gpt.disk_bytes([gpt.Partition("image:big", big), gpt.Partition("image:busybox", busybox)])
    )
    return out


def config(disk: Path) -> MachineConfig:
    """A machine with little memory, that checks itself at its end."""
    return MachineConfig(mem_mib=MEM_MIB, disk=disk, kernel=KERNEL_DEBUG_ELF, log=LOG)


def sums() -> list[bytes]:
    """What `md5sum /data/*` says, line by line."""
    return [
        f"{hashlib.md5(data).hexdigest()}  /data/f{number}".encode()
        for number, data in enumerate(contents())
    ]


def test_an_image_larger_than_memory(disk: Path) -> None:
    """Read by two at once, and again: each sum is right."""
    read = "big sh -c 'md5sum /data/*'"
    result = run_captured(
        config(disk), f"run -d --name a {read}; run --rm {read}; wait a; logs a", WAIT_SECONDS
    )
    lines = result.out.splitlines()
    assert [lines.count(line) for line in sums()] == [2] * FILES, result
    assert "all is as recorded" in LOG.read_text(errors="replace")


@pytest.fixture
def console(disk: Path) -> Iterator[Machine]:
    """A machine at its prompt."""
    with Machine(config(disk)) as machine:
        machine.console.expect(PROMPT, 30)
        yield machine


def asked_until(machine: Machine, line: str, pattern: bytes) -> bytes:
    """Types a line again and again until the answer has the pattern."""
    limit = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < limit:
        shown = typed(machine, line)
        if re.search(pattern, shown):
            return shown
    raise AssertionError(f"{line}: never {pattern!r}:\n{shown.decode(errors='replace')}")


def used(machine: Machine) -> dict[str, int]:
    """Pages by namespace, as `free` says."""
    rows = re.findall(rb"^(/\S*) +(\d+) ", typed(machine, "free"), re.MULTILINE)
    return {name.decode(): int(pages) for name, pages in rows}


def test_hogs_are_killed_and_others_go_on(console: Machine) -> None:
    """Two hogs with more limit than the machine has; one with a reservation does not notice."""
    hog = "'while :; do dd if=/dev/zero of=/dev/null bs=60000000 count=1; done'"
    work = "'while :; do md5sum /data/f1; sleep 0.1; done'"
    typed(console, f"run -d --name kept --memory-reservation 6m big sh -c {work}")
    asked_until(console, "logs kept", rb"f1")
    before = used(console)
    for name in ("h1", "h2"):
        typed(console, f"run -d --name {name} -m 60m busybox sh -c {hog}")
    killed = rb"out of memory: killed \w+ \(pid \d+\): the machine has no more memory"
    for name in ("h1", "h2"):
        asked_until(console, f"logs {name}", killed)
    lines = typed(console, "logs kept").count(b"f1")
    asked_until(console, "logs kept", b"(?s)" + b"f1.*" * (lines + 3))
    assert set(re.findall(rb"\w{32}  /data/f1", typed(console, "logs kept"))) == {sums()[1]}
    assert b"alive" in typed(console, "run --rm --memory-reservation 2m busybox echo alive")
    typed(console, "stop -t 0 h1", rb"\nh1\r?\n")
    typed(console, "kill h2")
    typed(console, "rm -f h1 h2", rb"h2\r?\n")
    assert b"Up" in typed(console, "ps")
    after = used(console)
    assert not any(name.startswith("/containers/h") for name in after)
    assert after["/services/manager"] - before["/services/manager"] <= 4
    typed(console, "rm -f kept")


def reads_for(machine: Machine, line: str) -> int:
    """How many requests the disk has while a line is carried out."""

    def reads() -> int:
        stats = machine.qmp("query-blockstats")
        return sum(int(device["stats"]["rd_operations"]) for device in stats)

    before = reads()
    typed(machine, line)
    return reads() - before


def test_what_is_set_aside_stays(console: Machine) -> None:
    """A file that two have read, and a third one reads too much: one of the two finds it there."""
    requests = FILE_BYTES // (16 * 4096)
    typed(console, "run -d --name kept --memory-reservation 8m big sleep 10000")
    typed(console, "run -d --name plain big sleep 10000")
    typed(console, "exec kept md5sum /data/f1")
    typed(console, "exec plain md5sum /data/f2")
    for _ in range(3):
        typed(console, "run --rm big sh -c 'cat /data/f[3-7] > /dev/null'")
    # A few are the program's own: nobody has it mapped between two runs.
    assert reads_for(console, "exec kept md5sum /data/f1") < requests / 2
    assert reads_for(console, "exec plain md5sum /data/f2") >= requests
