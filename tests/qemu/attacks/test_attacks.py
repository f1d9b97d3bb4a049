"""Attacks from one container on another: each takes all that it can get, for ever; the victim, its
sibling of equal weight, never fails, and gets its share of the instructions.
"""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

from pybuild import images
from pybuild.bench import attacks
from pybuild.bench.guest import probe_count
from pybuild.command import run_captured
from pybuild.machine import MachineConfig
from pybuild.paths import BUILD

OUT = BUILD / "test" / "attacks"
LOG = OUT / "attacks.log"
WAIT_SECONDS = 300
SHARE_MIN = 0.45
ROUNDS = 60
TAKEN = re.compile(r"took (\d+) of (\w+)")
TAKEN_MIN = 500


@pytest.fixture(scope="module")
def disk() -> Path:
    """A disk with the images of the attacks beside the others."""
    return attacks.disk_build(OUT)


def durations(disk: Path, attackers: dict[str, str], mem_mib: int = 512) -> dict[str, int]:
    """Instructions that pass during the victim's work, alone and beside each attack; one CPU."""
    victim = f"attack attack victim {ROUNDS}"
    # Once before, so that nothing waits for the disk.
    commands = [f"run --rm {victim}", f"run --name alone {victim}", "inspect alone"]
    for name, attack in attackers.items():
        commands += [
            f"run -d {attack}",
            "run --rm busybox sleep 0.1",
            f"run --name {name} {victim}",
            f"inspect {name}",
            f"kill {name}-attack",
            f"rm {name}-attack",
        ]
    config = MachineConfig(icount=True, disk=disk, log=LOG, mem_mib=mem_mib)
    result = run_captured(config, "; ".join(commands), WAIT_SECONDS)
    out = result.out.decode(errors="replace")
    assert b"does not run" not in result.err, "an attack was over before the victim was"
    facts = [json.loads("[\n" + part.split("\n]")[0] + "\n]")[0] for part in out.split("\n[\n")[1:]]
    assert [fact["Name"] for fact in facts] == ["alone", *attackers], result.err.decode()
    assert {fact["Name"]: fact["ExitCode"] for fact in facts if fact["ExitCode"]} == {}, out
    assert len({line for line in out.splitlines() if line.startswith("computed")}) == 1
    return {fact["Name"]: fact["FinishedNs"] - fact["StartedNs"] for fact in facts}


def taken_check() -> None:
    """Each attack on objects has had many of its type, as it says in the kernel's log."""
    taken = {kind: int(count) for count, kind in TAKEN.findall(LOG.read_text(errors="replace"))}
    assert {kind: taken.get(kind, 0) for kind in attacks.OBJECTS} == taken
    assert min(taken.values()) >= TAKEN_MIN, taken


@pytest.mark.parametrize("kind", attacks.KINDS)
def test_the_victim_gets_its_share(disk: Path, kind: str) -> None:
    attackers = {n: line for n, line in attacks.attackers().items() if n in attacks.KINDS[kind]}
    found = durations(disk, attackers)
    shares = {name: found["alone"] / found[name] for name in attackers}
    for name, share in shares.items():
        print(f"{name}: {share:.3f} of the instructions")
    if kind == "objects":
        taken_check()
    assert {name: share for name, share in shares.items() if share < SHARE_MIN} == {}


def test_an_image_larger_than_memory_read_for_ever() -> None:
    """Memory is short then: the victim's part of its image stays, as it is used."""
    (recipe,) = (found for found in images.recipes() if found.name == "busybox")
    source = random.Random(7)
    files = {f"/data/{number}": source.randbytes(3 << 20) for number in range(8)}
    folder = OUT / "short"
    folder.mkdir(parents=True, exist_ok=True)
    disk = attacks.disk_build(folder, {"big": images.image_bytes(recipe, files)})
    read = "cat /data/* > /dev/null"
    # Read once before the victim starts, memory is full.
    attack = f"--name big-attack big sh -c 'while :; do {read}; done'; run --rm big sh -c '{read}'"
    found = durations(disk, {"big": attack}, mem_mib=24)
    share = found["alone"] / found["big"]
    print(f"big: {share:.3f} of the instructions")
    assert share >= SHARE_MIN


def test_a_server_that_is_kept_busy_serves_others_too() -> None:
    assert attacks.server_share(probe_count("test-server"))[attacks.SERVER] >= SHARE_MIN


def test_an_image_that_does_not_fit_costs_only_who_reads_it() -> None:
    assert attacks.thrash_share(probe_count("test-thrash"))[attacks.THRASH] >= SHARE_MIN
