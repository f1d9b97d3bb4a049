"""Containers killed at random moments: nothing of them is left."""

from __future__ import annotations

import random

import pytest

from pybuild.command import run_captured
from pybuild.machine import MachineConfig
from pybuild.paths import BUILD

LOG = BUILD / "test" / "storm.log"
KILLS = 50
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
    rows = {line.split()[0]: line.split()[1:] for line in table.decode().splitlines() if line[:1]}
    free = next(line for line in table.decode().splitlines() if line.startswith("  free"))
    pages = int(free.split()[1]) + int(rows["/services/storage"][0])
    return (pages, *(int(number) for number in rows["machine"][2:]))


def storm(seed: int) -> list[str]:
    """Start, let it run for a moment, kill: some one after the other, some together."""
    chance = random.Random(seed)
    commands: list[str] = []
    alive: list[str] = []
    for number in range(KILLS):
        name = f"k{number}"
        busy = list(BUSY.values())[number % len(BUSY)]
        commands.append(f"run -d --name {name} busybox sh -c '{busy}'")
        alive.append(name)
        if delay_s := chance.choice(DELAYS_S):
            commands.append(f"run --rm busybox sleep {delay_s}")
        while alive and chance.random() < 0.7:
            commands.append(f"rm -f {alive.pop(chance.randrange(len(alive)))}")
    return commands + [f"rm -f {name}" for name in alive]


@pytest.mark.parametrize("smp", [1, 4])
def test_killed_containers_leave_nothing(smp: int) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    commands = storm(seed)
    # The first storm makes everything that is made once, and kept.
    script = "; ".join([*commands, "free", *commands, "free"])
    result = run_captured(MachineConfig(smp=smp, log=LOG), script, 120)
    assert result.status == 0, f"seed {seed}: {result.err.decode()}"
    tables = result.out.split(b"PAGES")[1:]
    assert len(tables) == 2
    before, after = (table_totals(table.partition(b"k0\n")[0]) for table in tables)
    assert before == after, f"seed {seed}"


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
