"""Containers killed at random moments: nothing of them is left."""

from __future__ import annotations

import random

import pytest

from pybuild.command import run_captured
from pybuild.machine import MachineConfig
from pybuild.paths import BUILD

LOG = BUILD / "test" / "storm.log"
KILLS = 40
LINE_BYTES_MAX = 65536
# What a container is busy with: fork and clone, exec, page faults, calls and messages, waiting.
BUSY = {
    "fork": "while :; do (:); done",
    "exec": "while :; do /bin/true; done",
    "fault": "while :; do dd if=/dev/zero of=/tmp/x bs=64k count=40 2>/dev/null; done",
    "pipe": "while :; do echo x | cat | cat >/dev/null; done",
    "read": "while :; do cat /bin/busybox >/dev/null; done",
    "list": "ls -lR /; cat /etc/passwd",
    "sleep": "sleep 1000",
    "end": "true",
}
DELAYS_S = (0, 0, 0.001, 0.003, 0.01, 0.03)


def table_totals(table: bytes) -> tuple[int, ...]:
    """Free pages and those that hold parts of images, objects, handles, threads."""
    lines = [line.split() for line in table.decode().splitlines() if line.strip()]
    rows = {line[0]: line[1:] for line in lines}
    free = next(line for line in table.decode().splitlines() if line.startswith("  free"))
    pages = int(free.split()[1]) + int(rows["/services/storage"][0])
    return (pages, *(int(number) for number in rows["machine"][2:]))


def storm(chance: random.Random, kills: int) -> list[str]:
    """Start, let it run for a moment, kill: some one after the other, some together."""
    commands: list[str] = []
    alive: list[str] = []
    for number in range(kills):
        name = f"k{number}"
        busy = list(BUSY.values())[number % len(BUSY)]
        commands.append(f"run -d --name {name} busybox sh -c '{busy}'")
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


# Forks, files and pipes; one of the commands is always true.
WORK = "(seq 9|cat>/tmp/x)&cp /bin/ash /y;wc -l</tmp/x|cat;rm /y;wait"


def unchanged(commands: list[str], smp: int, warm: list[str], timeout_s: float) -> None:
    """Runs the commands; the machine's totals are the same as before, to the page."""
    # What is made once, and kept, is made by the first ones.
    script = "; ".join([*warm, "free", *commands, "free"])
    assert len(script) < LINE_BYTES_MAX
    result = run_captured(MachineConfig(smp=smp, log=LOG), script, timeout_s)
    assert b"crashed" not in result.err, result.err.decode()
    assert b"PANIC" not in LOG.read_bytes()
    tables = result.out.split(b"PAGES")[1:]
    assert len(tables) == 2
    before, after = (table_totals(table.partition(b"k0\n")[0]) for table in tables)
    assert before == after


def kills_leave_nothing(smp: int, kills: int, timeout_s: float) -> None:
    """Containers are killed at random moments, in all ways that there are."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    warm = storm(random.Random(seed), min(kills, KILLS))
    unchanged(storm(random.Random(seed), kills), smp, warm, timeout_s)


@pytest.mark.parametrize("smp", [1, 4])
def test_killed_containers_leave_nothing(smp: int) -> None:
    kills_leave_nothing(smp, KILLS, 120)


def test_busy_containers_leave_nothing() -> None:
    work = [f"run --rm busybox sh -c '{WORK}'"]
    unchanged(work * 30, 2, work * 5, 120)


@pytest.mark.long
@pytest.mark.parametrize("smp", [1, 2, 4])
def test_200_killed_containers_leave_nothing(smp: int) -> None:
    kills_leave_nothing(smp, 200, 900)


@pytest.mark.long
def test_500_busy_containers_leave_nothing() -> None:
    work = [f"run --rm busybox sh -c '{WORK}'"]
    unchanged(work * 500, 2, work * 20, 900)


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


def test_a_machine_without_memory_goes_on() -> None:
    machine_without_memory(random.randrange(1 << 32))


@pytest.mark.long
def test_many_machines_without_memory() -> None:
    for _ in range(40):
        machine_without_memory(random.randrange(1 << 32))
