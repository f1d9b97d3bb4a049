"""The native test programs: all of them in one boot of the debug kernel, on two CPUs."""

import re
from pathlib import Path

import pytest

from pybuild import parts
from pybuild.machine import Machine, MachineConfig
from pybuild.paths import BUILD, DISK, KERNEL_DEBUG_ELF, TEST_BUNDLE

BOOT_SECONDS = 300
# bench_* are for ./cloister bench; init leaves them out of test=all.
PROGRAMS = [part.name.removeprefix("test/") for part in parts.test_programs()]
NAMES = [name for name in PROGRAMS if not name.startswith("bench_")]
LINE = re.compile(r"TEST (\S+) (PASS|FAIL)\b *(.*)")


@pytest.fixture(scope="session")
def results() -> dict[str, list[tuple[str, str]]]:
    """program → (PASS or FAIL, text) of its lines; a test's name is PROGRAM or PROGRAM.PART."""
    config = MachineConfig(
        kernel=KERNEL_DEBUG_ELF,
        bundle=TEST_BUNDLE,
        append="test=all",
        log=BUILD / "test" / "native.log",
    )
    found: dict[str, list[tuple[str, str]]] = {}
    with Machine(config) as machine:
        machine.wait(BOOT_SECONDS)
        text = machine.console.text.decode(errors="replace")
    for name, verdict, said in LINE.findall(text):
        program, _, part = name.partition(".")
        found.setdefault(program, []).append((verdict, f"{part} {said}".strip()))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_native(results: dict[str, list[tuple[str, str]]], name: str) -> None:
    lines = results.get(name, [])
    failures = [said for verdict, said in lines if verdict == "FAIL"]
    assert not failures
    assert lines, f"test/{name} printed no result"


def test_no_line_says_fail(results: dict[str, list[tuple[str, str]]]) -> None:
    failures = [
        f"{name}: {said}"
        for name, lines in results.items()
        for verdict, said in lines
        if verdict == "FAIL"
    ]
    assert not failures


def verdicts_of(
    name: str,
    append: str = "",
    disk: Path = DISK,
    extra: tuple[str, ...] = (),
    cpus: int = 1,
) -> tuple[list[str], str]:
    """PASS and FAIL of one program, whose time is counted in instructions; its text."""
    config = MachineConfig(
        icount=True,
        icount_smp=cpus,
        bundle=TEST_BUNDLE,
        append=f"test={name} counted=1 {append}".strip(),
        disk=disk,
        extra=extra,
        log=BUILD / f"test/{name}-{cpus}.log",
    )
    with Machine(config) as machine:
        machine.wait(BOOT_SECONDS)
        text = machine.console.text.decode(errors="replace")
    return [match[2] for match in LINE.finditer(text)], text


@pytest.mark.parametrize(
    ("name", "cpus", "count"),
    [
        ("fairness", 1, 6),
        ("fairness_calls", 1, 3),
        ("caps", 1, 19),
        # QEMU, counting for two CPUs, stands still now and then.
        pytest.param("caps", 2, 4, marks=pytest.mark.long),
        ("billing", 1, 7),
        ("long_work", 1, 6),
    ],
)
def test_shares_are_by_weight(name: str, cpus: int, count: int) -> None:
    """Time is counted in instructions, so that the host's load does not matter."""
    verdicts, text = verdicts_of(name, cpus=cpus)
    assert verdicts == ["PASS"] * count, text


# A disk of zeros that answers at once, whatever else the host has to do.
QUICK_DISK = (
    *("-drive", "if=none,id=disk0,driver=null-co,size=64M,read-zeroes=on"),
    *("-device", "virtio-blk-pci,drive=disk0,disable-legacy=on,romfile=,ioeventfd=off"),
)


def test_rates_of_a_disk() -> None:
    """What is limited takes its time, and at most a tenth more."""
    verdicts, text = verdicts_of("rates", disk=Path("/nonexistent"), extra=QUICK_DISK)
    assert verdicts == ["PASS"] * 14, text


SLOW_READS = 200  # a second


def test_a_slow_disk_is_divided_among_siblings() -> None:
    config = MachineConfig(
        bundle=TEST_BUNDLE,
        append="test=rates rates=slow",
        log=BUILD / "test/rates.log",
        extra=("-set", f"drive.disk0.throttling.iops-read={SLOW_READS}"),
    )
    with Machine(config) as machine:
        machine.wait(BOOT_SECONDS)
        text = machine.console.text.decode(errors="replace")
    assert [match[2] for match in LINE.finditer(text)] == ["PASS"], text


def test_shares_over_ten_seconds_are_by_weight() -> None:
    verdicts, text = verdicts_of("fairness", "fairness=long")
    assert verdicts == ["PASS"], text
