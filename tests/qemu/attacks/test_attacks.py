"""Attacks from one container on another: each takes all that it can get, for ever; the victim, its
sibling of equal weight, never fails, and gets its share of the instructions.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection
from pathlib import Path

import pytest

from pybuild import bundle, gpt, images, parts, toolchain
from pybuild.bench import tools
from pybuild.command import run_captured
from pybuild.machine import MachineConfig
from pybuild.paths import BUILD, ROOT

OUT = BUILD / "test" / "attacks"
LOG = OUT / "attacks.log"
WAIT_SECONDS = 300
SHARE_MIN = 0.45
# What is not reached yet: the kernel's work for namespaces that end is billed to nobody.
SHARES_MIN = {"kills": 0.40}
ROUNDS = 40
PROGRAM = "attack"
LINUX = (
    *("spin", "yields", "exits", "forks", "memory", "descriptors", "sparse", "timers"),
    *("futexes", "ptys", "inodes", "dirt", "logs", "randomness"),
)
# Those that are killed for the memory that they take, and begin again.
MORTAL = {"memory", "sparse"}
NATIVE = (
    *("objects", "names", "messages", "cycles", "chains", "revocations", "signals", "mappings"),
    "lines",
)
# Containers made and killed as fast as a system of its own can.
KILLS = "; ".join(["run --rm busybox true", "run -d --name k busybox sleep 9", "rm -f k"] * 900)
SHELLS = {
    "cache": "--name cache-attack busybox sh -c 'while :; do cat /bin/busybox >/dev/null; done'",
    "kills": f"--name kills-attack --nest cloister -c '{KILLS}'",
}


def linux_image() -> bytes:
    """busybox's image with the attacks."""
    flags = [*tools.PROGRAM_FLAGS, "-Wno-unused-function", "-fno-builtin"]
    source = ROOT / "tests" / "linux" / "hostile" / f"{PROGRAM}.c"
    headers = [ROOT / "tests" / "linux" / "check.h", *tools.HEADERS]
    program = tools.compile_to(OUT / PROGRAM, source, headers, flags)
    base = next(recipe for recipe in images.recipes() if recipe.name == "busybox")
    with tempfile.TemporaryDirectory(dir=OUT) as folder:
        tree, unpacked = Path(folder) / "tree", Path(folder) / "unpacked"
        tree.mkdir()
        unpacked.mkdir()
        images.image_tree(base, tree, unpacked)
        target = tree / "bin" / PROGRAM
        target.write_bytes(program.read_bytes())
        target.chmod(0o755)
        return images.erofs_bytes(tree, PROGRAM) + images.trailer(base.table)


def native_image() -> bytes:
    """A bundle with one native program."""
    source = ROOT / "tests" / "services" / "attacker.c"
    part = parts.user_part("services-attacker", [source])
    toolchain.compile_source(part.flavour, source)
    part.link()
    data = bundle.elf_without_sections(part.out.read_bytes())
    return bundle.bundle_bytes({"init": data}) + images.trailer({"native": "init"})


@pytest.fixture(scope="module")
def disk() -> Path:
    """A disk with the images of the attacks beside the others."""
    OUT.mkdir(parents=True, exist_ok=True)
    others = {
        name: (BUILD / "images" / f"{name}.img").read_bytes() for name in ("busybox", "cloister")
    }
    made = {"attack": linux_image(), "native": native_image(), **others}
    out = OUT / "disk.img"
    out.write_bytes(gpt.disk_bytes([gpt.Partition(f"image:{n}", d) for n, d in made.items()]))
    return out


def attackers() -> dict[str, str]:
    """Attack → what `run -d` is given."""
    again = "sh -c 'while :; do attack {0}; done'"
    programs = {n: again.format(n) if n in MORTAL else f"attack {n}" for n in LINUX}
    found = {n: f"--name {n}-attack attack {program}" for n, program in programs.items()}
    found |= {n: f"--name {n}-attack native {n}" for n in NATIVE}
    return found | SHELLS


def durations(disk: Path, attacks: dict[str, str]) -> dict[str, int]:
    """Instructions that pass during the victim's work, alone and beside each attack; one CPU."""
    victim = f"attack attack victim {ROUNDS}"
    # Once before, so that nothing waits for the disk.
    commands = [f"run --rm {victim}", f"run --name alone {victim}", "inspect alone"]
    for name, attack in attacks.items():
        commands += [
            f"run -d {attack}",
            "run --rm busybox sleep 0.1",
            f"run --name {name} {victim}",
            f"inspect {name}",
            f"kill {name}-attack",
            f"rm {name}-attack",
        ]
    config = MachineConfig(icount=True, disk=disk, log=LOG)
    result = run_captured(config, "; ".join(commands), WAIT_SECONDS)
    out = result.out.decode(errors="replace")
    assert b"does not run" not in result.err, "an attack was over before the victim was"
    facts = [json.loads("[\n" + part.split("\n]")[0] + "\n]")[0] for part in out.split("\n[\n")[1:]]
    assert [fact["Name"] for fact in facts] == ["alone", *attacks], result.err.decode()
    assert {fact["Name"]: fact["ExitCode"] for fact in facts if fact["ExitCode"]} == {}, out
    assert len({line for line in out.splitlines() if line.startswith("computed")}) == 1
    return {fact["Name"]: fact["FinishedNs"] - fact["StartedNs"] for fact in facts}


@pytest.mark.parametrize("kind", [LINUX, NATIVE, SHELLS], ids=["linux", "native", "shells"])
def test_the_victim_gets_its_share(disk: Path, kind: Collection[str]) -> None:
    attacks = {name: line for name, line in attackers().items() if name in kind}
    found = durations(disk, attacks)
    shares = {name: found["alone"] / found[name] for name in attacks}
    for name, share in shares.items():
        print(f"{name}: {share:.3f} of the instructions")
    low = {n: share for n, share in shares.items() if share < SHARES_MIN.get(n, SHARE_MIN)}
    assert low == {}
