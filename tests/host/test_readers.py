"""What the services read from outside, on the host with sanitizers, and fuzzed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybuild import fuzzer, gpt, host
from pybuild.paths import ROOT

SOURCES = (
    "userland/init/manifest.c",
    "userland/lib/records.c",
    "userland/shell/editor.c",
    "userland/shell/words.c",
    "userland/storage/gpt.c",
)
INCLUDES = ("userland", "build/gen")
FUZZ_SECONDS_SHORT = 5
FUZZ_SECONDS_LONG = 300


def program(name: str, test: str, *sanitizers: str) -> host.HostProgram:
    """The services' readers with a test."""
    sources = tuple(ROOT / source for source in (test, *SOURCES))
    return host.HostProgram(name, sources, sanitizers, INCLUDES, ())


def test_readers(tmp_path: Path) -> None:
    """Lines, keys, manifests, records, and a disk that gpt.py wrote."""
    disk = tmp_path / "disk.img"
    disk.write_bytes(
        gpt.disk_bytes([gpt.Partition("image:a", bytes(8192)), gpt.Partition("other", b"x")])
    )
    tests = program("services", "tests/host/services_test.c", "address", "undefined")
    host.run(tests, str(disk))


def test_logs() -> None:
    """A log that is written while it is read, by a writer that keeps to no rules."""
    sources = tuple(
        ROOT / source
        for source in (
            "tests/host/logs_test.c",
            "userland/shell/log_reader.c",
            "userland/lib/log_ring.c",
        )
    )
    sanitizers = ("address", "undefined")
    host.run(host.HostProgram("logs", sources, sanitizers, ("tests/host/fake_log", *INCLUDES), ()))


def seeds(folder: Path) -> None:
    """A good input for each reader, whose first byte chooses it."""
    texts = [
        b"\x00\x02hns\0ione\0aword\0himage\0ePATH=/bin\0",
        b'\x01run --rm busybox sh -c \'a b\' "c\\"d" e\\ f; ps -a',
        b"\x02ab\x7f\x1b[A\x15\xc3\xa4\x17\r",
        b"\x03" + (ROOT / "disk" / "manifest").read_bytes(),
        b"\x04" + gpt.disk_bytes([gpt.Partition("image:a", b"x")])[: 34 * 512],
    ]
    for number, text in enumerate(texts):
        (folder / f"seed{number}").write_bytes(text)


def fuzz(folder: Path, seconds: int) -> None:
    """Runs the fuzzer for so long; AssertionError with its report when it finds something."""
    seeds(folder)
    program_built = host.build(
        program("fuzz_services", "tests/fuzz/fuzz_services.c", "fuzzer", "address")
    )
    options = ["-max_len=20000", f"-artifact_prefix={folder}/"]
    count = len(list(folder.glob("seed*")))
    fuzzer.run([str(program_built), *options, str(folder)], seconds, seeds=count)


def test_fuzz_readers(tmp_path: Path) -> None:
    """A few seconds of fuzzing."""
    fuzz(tmp_path, FUZZ_SECONDS_SHORT)


@pytest.mark.long
def test_fuzz_readers_long(tmp_path: Path) -> None:
    """Some minutes of fuzzing."""
    fuzz(tmp_path, FUZZ_SECONDS_LONG)
