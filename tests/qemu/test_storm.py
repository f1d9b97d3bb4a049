"""Containers killed at random moments: nothing of them is left."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest
from ledgers import LOOK, assert_equal_looks

from pybuild.command import Result, run_captured
from pybuild.machine import MachineConfig
from pybuild.paths import BUILD

LOG = BUILD / "test" / "storm.log"
KILLS = 50
LINE_BYTES_MAX = 65536
# What a container is busy with: fork and clone, exec, page faults, calls and messages, files.
LOOPS = {
    "fork": "(:)",
    "exec": "/bin/true",
    "fault": "dd if=/dev/zero of=/tmp/x bs=64k count=40 2>/dev/null",
    "pipe": "echo x | cat | cat >/dev/null",
    "read": "cat /bin/busybox >/dev/null",
}
# These may have ended by themselves when they are to be killed.
ENDING = ("ls -lR /; cat /etc/passwd", "true")
BUSY = (*(f"while :; do {body}; done" for body in LOOPS.values()), "sleep 1000", *ENDING)
DELAYS_S = (0, 0, 0.001, 0.003, 0.01, 0.03)
# Each of the loops, once: whether what is killed would have done anything.
ONCE = [f"run --rm busybox sh -c '{body} && echo {name}'" for name, body in LOOPS.items()]
MARK = "=====\n"
MARKER = "run --rm busybox echo ====="
# These say the name of their container.
SAYING = ("run -d", "stop", "start", "kill", "rm")


def storm(chance: random.Random, kills: int) -> list[str]:
    """Start, let it run for a moment, kill: some one after the other, some together."""
    commands: list[str] = []
    alive: list[str] = []
    for number in range(kills):
        name = f"k{number}"
        commands.append(f"run -d --name {name} busybox sh -c '{BUSY[number % len(BUSY)]}'")
        alive.append(name)
        if delay_s := chance.choice(DELAYS_S):
            commands.append(f"run --rm busybox sleep {delay_s}")
        while alive and chance.random() < 0.7:
            commands += end_of(chance, alive.pop(chance.randrange(len(alive))))
    return commands + [f"rm -f {name}" for name in alive]


def end_of(chance: random.Random, name: str) -> list[str]:
    """One of the ways to end a container, and its removal."""
    return chance.choice(
        [
            [f"rm -f {name}"],
            [f"kill {name}", f"rm {name}"],
            [f"stop -t 0 {name}", f"start {name}", f"rm -f {name}"],
            [f"exec -d {name} sh -c 'while :; do (:) | cat; done'", f"rm -f {name}"],
            [f"exec -d {name} yes", f"kill {name}", f"start {name}", f"kill {name}", f"rm {name}"],
        ]
    )


def unchanged(commands: list[str], smp: int, warm: list[str], timeout_s: float) -> Result:
    """Runs the commands; the machine's totals are the same as before, to the page.

    What the commands said. That a loop's body works is seen before and after them.
    """
    # What is made once, and kept, is made by the first ones.
    parts = [[*warm, *ONCE], [LOOK], commands, [LOOK], ONCE]
    script = f"; {MARKER}; ".join("; ".join(part) for part in parts)
    assert len(script) < LINE_BYTES_MAX
    result = run_captured(MachineConfig(smp=smp, log=LOG), script, timeout_s)
    assert b"crashed" not in result.err, result.err.decode()
    assert b"PANIC" not in LOG.read_bytes()
    first, before, said, after, last = result.out.split(MARK.encode())
    assert first.split()[-len(LOOPS) :] == last.split() == [name.encode() for name in LOOPS]
    assert_equal_looks(before + after)
    return Result(result.status, said, result.err)


def names_said(commands: list[str]) -> Counter[str]:
    """How often the commands say each container's name when they all do what they are to."""
    said = [command for command in commands if command.startswith(SAYING)]
    return Counter(re.findall(r"\bk\d+\b", command)[0] for command in said if "--rm" not in command)


def is_ending(name: str) -> bool:
    """Whether the container of that name may have ended by itself."""
    return BUSY[int(name[1:]) % len(BUSY)] in ENDING


def kills_leave_nothing(smp: int, kills: int, timeout_s: float) -> None:
    """Containers are killed at random moments, in all ways that there are."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    warm = storm(random.Random(seed), min(kills, KILLS))
    commands = storm(random.Random(seed), kills)
    result = unchanged(commands, smp, warm, timeout_s)
    check_kills(commands, result)


def check_kills(commands: list[str], result: Result) -> None:
    """Every command did what it is to, but for those to containers that have ended."""
    wrong = re.sub(
        rb"cloister: container k\d+ does not run(, and keeps its files.*)?\n", b"", result.err
    )
    assert not wrong, wrong.decode()
    late = set(re.findall(r"k\d+", result.err.decode()))
    assert all(map(is_ending, late)), result.err.decode()
    expected, said = names_said(commands), Counter(result.out.decode().split())
    assert not said - expected
    assert (expected - said).keys() <= late


@pytest.mark.parametrize("smp", [1, 4])
def test_killed_containers_leave_nothing(smp: int) -> None:
    kills_leave_nothing(smp, KILLS, 120)


# Forks, files and pipes; /tmp/x is being written when it is read first.
WORK = "(seq 9|cat>/tmp/x)&cp /bin/ash /y;(wc -l</tmp/x|cat)>/z 2>&1;rm /y;wait;wc -l</tmp/x"


def busy_leave_nothing(runs: int, warm_runs: int, timeout_s: float) -> None:
    """Containers that do some work and end."""
    work = [f"run --rm busybox sh -c '{WORK}'"]
    result = unchanged(work * runs, 2, work * warm_runs, timeout_s)
    assert (result.status, result.err) == (0, b"")
    assert result.out == b"9\n" * runs


def test_busy_containers_leave_nothing() -> None:
    busy_leave_nothing(30, 5, 120)


@pytest.mark.long
@pytest.mark.parametrize("smp", [1, 2, 4])
def test_200_killed_containers_leave_nothing(smp: int) -> None:
    kills_leave_nothing(smp, 200, 900)


@pytest.mark.long
def test_500_busy_containers_leave_nothing() -> None:
    busy_leave_nothing(500, 20, 900)


# What a container takes without end: files in memory, memory, processes.
GREEDY = (
    "dd if=/dev/zero of=/tmp/all bs=64k; sleep 1000",
    "x=xxxxxxxxxxxxxxxx; while true; do x=$x$x; done",
    "f() { f | f & }; f; sleep 1000",
)


def machine_without_memory(seed: int) -> None:
    """A small machine, greedy containers at once, and afterwards everything as before."""
    chance = random.Random(seed)
    names = [f"greedy{number}" for number in range(chance.randrange(1, 5))]
    commands = [f"run -d --name {n} busybox sh -c '{chance.choice(GREEDY)}'" for n in names]
    commands += ["run --rm busybox sleep 1", "run --rm busybox echo none", "free", "ps -a"]
    commands += [f"rm -f {name}" for name in names] + ["run --rm busybox echo still"]
    config = MachineConfig(
        smp=chance.choice((1, 2, 2, 3, 4)), mem_mib=chance.randrange(40, 81, 2), log=LOG
    )
    result = run_captured(config, "; ".join(commands), 120)
    assert result.status == 0, f"seed {seed}: {result.err.decode()}"
    assert result.out.endswith(b"still\n"), f"seed {seed}"
    # The first has all the memory that there is; of the others, those that started are removed.
    started, _, later = result.out.decode().partition("PAGES")
    ran = [name for name in started.split() if name in names]
    assert ran[:1] == names[:1], f"seed {seed}: {result.err.decode()}"
    assert [line for line in later.splitlines() if line in names] == ran, f"seed {seed}"


def test_a_machine_without_memory_goes_on() -> None:
    machine_without_memory(random.randrange(1 << 32))


@pytest.mark.long
def test_many_machines_without_memory() -> None:
    for _ in range(40):
        machine_without_memory(random.randrange(1 << 32))
