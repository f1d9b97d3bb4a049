"""Limits that bite: a greedy container gets its errors, or dies; others do not notice."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path

import pytest

from pybuild.bench import tools
from pybuild.command import Result, run_captured
from pybuild.machine import MachineConfig
from pybuild.paths import BUILD, ROOT

LOG = BUILD / "test" / "limits.log"
PROGRAMS = ROOT / "tests" / "linux"
HEADERS = [PROGRAMS / "check.h", *tools.HEADERS]
WAIT_SECONDS = 300
EMFILE = 24
ENFILE = 23
ROUNDS = 5_000_000
SHARE_MIN = 0.45


def shell(*commands: str, icount: bool = False) -> Result:
    """Boots and gives the shell some commands."""
    return run_captured(MachineConfig(icount=icount, log=LOG), "; ".join(commands), WAIT_SECONDS)


def program_build() -> Path:
    """The static Linux program that takes what it can get."""
    out = BUILD / "test" / "linux" / "hog"
    flags = [*tools.PROGRAM_FLAGS, "-Wno-unused-function"]
    return tools.compile_to(out, PROGRAMS / "hostile" / "hog.c", HEADERS, flags)


def hog(script: str) -> str:
    """A shell that carries the program as /tmp/hog, and then runs a script."""
    packed = base64.b64encode(gzip.compress(program_build().read_bytes(), 9)).decode()
    unpack = f"echo {packed} | base64 -d | gunzip > /tmp/hog; chmod +x /tmp/hog"
    return f"busybox sh -c '{unpack}; {script}'"


def computed(rounds: int) -> int:
    """What `hog compute` finds."""
    state = 88172645463325252
    for _ in range(rounds):
        state ^= state << 13 & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 7
        state ^= state << 17 & 0xFFFFFFFFFFFFFFFF
    return state


def test_memory() -> None:
    """The largest process is killed, with a line in both logs; the first one's end is all's."""
    result = shell(
        f"run --name child -m 16m {hog('/tmp/hog memory; echo child $?')}",
        f"run --name first -m 16m {hog('exec /tmp/hog memory')}",
        "inspect first",
        "logs child",
        "logs first",
        f"run --rm -m 16m {hog('dd if=/dev/zero of=/dev/null bs=30000000 count=1; echo read $?')}",
        f"run --rm -m 16m {hog('dd if=/dev/zero of=/tmp/x bs=65536 count=999; echo write $?')}",
        "run --rm busybox echo alive",
    )
    out = result.out.decode()
    assert "child 137\n" in out
    assert '"ExitCode": 137' in out
    assert "read 137\n" in out
    assert "write 137\n" in out
    assert out.endswith("alive\n")
    assert result.err.count(b"out of memory: killed hog") == 2
    assert b"crashed" not in result.err
    assert LOG.read_text(errors="replace").count("out of memory: killed") == 4


def test_processes() -> None:
    """20 processes, zombies among them; exec counts; the next fork is EAGAIN."""
    # What the shell waits for is there before the bomb takes what is left.
    bomb = "f() { f | f & }; sleep 1 & p=$!; f; wait $p; echo survived"
    result = shell(
        f"run --rm --pids-limit 20 busybox sh -c '{bomb}'",
        "run -d --name c --pids-limit 3 busybox sh -c 'sleep 1000 & sleep 1000 & wait'",
        "run --rm busybox sleep 1",
        "exec c true",
        "exec -d c sleep 1000",
    )
    assert result.out == b"survived\nc\n"
    assert b"can't fork: Resource temporarily unavailable" in result.err
    assert b"container c: it has as many processes as it may" in result.err


def test_descriptors() -> None:
    """The limit of a process is EMFILE, and another one in the same container has its own."""
    result = shell(f"run --rm -m 32m {hog('/tmp/hog descriptors; /tmp/hog pipes; /tmp/hog pipes')}")
    assert result.out.decode().splitlines() == [
        "files 1021",
        f"errno {EMFILE}",
        *(["pipes 510", f"errno {EMFILE}"] * 2),
    ]


HOGS = {
    "memory": ("-m 16m", "while :; do /tmp/hog memory; done"),
    "forks": ("--pids-limit 20", "exec /tmp/hog forks"),
    "descriptors": ("", "while :; do /tmp/hog descriptors; /tmp/hog pipes; done"),
}


@pytest.fixture(scope="module")
def durations() -> dict[str, int]:
    """Instructions that pass during the same computation, alone and beside each hog; one CPU."""
    commands = [f"run --name alone {hog(f'/tmp/hog compute {ROUNDS}')}", "inspect alone"]
    for name, (options, script) in HOGS.items():
        commands += [
            f"run -d --name {name}-hog {options} {hog(script)}",
            "run --rm busybox sleep 0.1",
            f"run --name {name} {hog(f'/tmp/hog compute {ROUNDS}')}",
            f"inspect {name}",
            f"rm -f {name}-hog",
        ]
    result = shell(*commands, icount=True)
    out = result.out.decode()
    assert out.count(f"computed {computed(ROUNDS)}\n") == 1 + len(HOGS)
    facts = [json.loads("[\n" + part.split("\n]")[0] + "\n]")[0] for part in out.split("\n[\n")[1:]]
    assert [fact["ExitCode"] for fact in facts] == [0] * len(facts)
    return {fact["Name"]: fact["FinishedNs"] - fact["StartedNs"] for fact in facts}


@pytest.mark.parametrize("name", HOGS)
def test_others_get_their_share(durations: dict[str, int], name: str) -> None:
    share = durations["alone"] / durations[name]
    print(f"{name}: {share:.3f} of the instructions")
    assert share >= SHARE_MIN


def ledgers(out: str) -> list[dict[str, int]]:
    """The ledgers of what `inspect` has said, in order."""
    parts = out.split("\n[\n")[1:]
    return [json.loads("[\n" + part.split("\n]")[0] + "\n]")[0]["Ledger"] for part in parts]


def test_weights_can_be_given_and_changed() -> None:
    """Shares of the CPU are as the weights, from `run` and from `update`."""
    spin = "busybox sh -c 'while :; do :; done'"
    result = shell(
        "run --rm busybox sleep 0.01",  # so that nothing waits for the disk, in no guest time
        "run --rm busybox sh -c 'while :; do exit; done'",
        f"run -d --name a {spin}",
        f"run -d --name b -c 3072 {spin}",
        "run --rm busybox sleep 0.4",
        "inspect a",
        "inspect b",
        "update -c 3072 a",
        "run --rm busybox sleep 0.4",
        "inspect a",
        "inspect b",
        icount=True,
    )
    assert result.status == 0, result.err.decode()
    a1, b1, a2, b2 = (ledger["cpu_ns"] for ledger in ledgers(result.out.decode()))
    assert 2.7 < b1 / a1 < 3.3
    assert 0.9 < (b2 - b1) / (a2 - a1) < 1.1


def test_memory_can_be_changed_while_it_runs() -> None:
    grow = "sleep 0.5; dd if=/dev/zero of=/tmp/x bs=1M count=20; exit $?"
    result = shell(
        f"run -d --name small -m 8m busybox sh -c '{grow}'",
        f"run -d --name large -m 8m --memory-reservation 4m busybox sh -c '{grow}'",
        "update -m 40m --memory-reservation 24m large",
        "inspect large",
        "wait small large",
        "update --memory-reservation 900m large",
    )
    assert result.out.split()[-2:] == [b"137", b"0"]
    (ledger,) = ledgers(result.out.decode())
    assert ledger["memory_limit_pages"] == (40 << 20) // 4096
    assert ledger["memory_reserved_pages"] == (24 << 20) // 4096
    assert b"set aside" in result.err
