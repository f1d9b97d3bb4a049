"""Attacks from one container on another, and what becomes of the victim's share of instructions.

An attack runs for ever; the victim, its sibling of equal weight, does a fixed piece of work. Its
share: the instructions that pass during this work when it is alone, by those that pass beside the
attack; a half is its due on one CPU. tests/qemu/attacks holds us to it, `./cloister bench -k
attacks` prints it, with the same programs under crun on Linux beside.
"""

import json
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pybuild import bundle, gpt, images, parts, toolchain
from pybuild.alone import alone
from pybuild.bench import cloister, crun, tools
from pybuild.bench.guest import Probe
from pybuild.bench.markers import Hit, constants
from pybuild.bench.tools import BenchError
from pybuild.command import run_captured
from pybuild.machine import MachineError
from pybuild.paths import BUILD, ROOT

PROGRAM = "attack"
HOSTILE = ROOT / "tests" / "linux" / "hostile"
SERVICES = ROOT / "tests" / "services"
NATIVE_SOURCES = sorted(SERVICES.glob("attacker*.c"))
ROUNDS = 120
WAIT_SECONDS = 600

# Linux programs: they run on both systems.
LINUX = (
    *("spin", "yields", "exits", "forks", "memory", "descriptors", "sparse", "timers"),
    *("futexes", "ptys", "inodes", "dirt", "logs", "randomness"),
)
# Those that are killed for the memory that they take, and begin again.
MORTAL = {"memory", "sparse"}
# On the kernel's own objects, which only Cloister has.
NATIVE = (
    *("objects", "names", "messages", "cycles", "chains", "revocations", "signals", "mappings"),
    *("lines", "threads", "calls", "replies"),
)
# Of the kernel's objects, those that a container can make: as many of one type as it may have.
OBJECTS = (
    *("event", "timer", "port", "memobj", "queue", "channel", "handle", "revoker", "aspace"),
    *("process", "thread", "namespace"),
)
NESTED = "object-namespace"
# Containers made and killed as fast as a system of its own can.
KILLS = "; ".join(["run --rm busybox true", "run -d --name k busybox sleep 9", "rm -f k"] * 900)
# A server of a third container that the attacker keeps busy, and the victim needs.
SERVER = "server"
# An image of which more is read, again and again, than the machine has memory.
THRASH = "thrash"
THRASH_BYTES = 96 << 20
THRASH_MEMORY_MIB = 96
THRASH_READ_BYTES_MIN = 1 << 20
THRASH_OWN_MAX = 1.1
THRASH_LOOP = "while :; do cat /big >/dev/null; done"
# The file of `dirt` on a disk, which only the peer's containers can write to yet.
DISK = "dirt-disk"
CACHE_LOOP = "while :; do cat /bin/busybox >/dev/null; done"
SHELLS = {
    "cache": f"--name cache-attack busybox sh -c '{CACHE_LOOP}'",
    "kills": f"--name kills-attack --nest cloister -c '{KILLS}'",
}
KINDS = {
    **{"linux": LINUX, "native": NATIVE, "shells": tuple(SHELLS)},
    "objects": tuple(f"object-{name}" for name in OBJECTS),
}


def attackers() -> dict[str, str]:
    """Attack → what `run -d` is given."""
    again = "sh -c 'while :; do attack {0}; done'"
    programs = {n: again.format(n) if n in MORTAL else f"attack {n}" for n in LINUX}
    found = {n: f"--name {n}-attack attack {program}" for n, program in programs.items()}
    found |= {n: f"--name {n}-attack native {n}" for n in NATIVE}
    found |= {f"object-{n}": f"--name object-{n}-attack native {n}" for n in OBJECTS}
    found[NESTED] = found[NESTED].replace(" native", " --nest native")
    return found | SHELLS


def peer_words(attack: str) -> list[str]:
    """The same attack as the words of a container of the peer."""
    if attack == "cache":
        return ["sh", "-c", CACHE_LOOP]
    if attack == DISK:
        return [PROGRAM, "dirt", "/data/dirt"]
    if attack in MORTAL:
        return ["sh", "-c", f"while :; do {PROGRAM} {attack}; done"]
    return [PROGRAM, attack]


def has_peer(attack: str) -> bool:
    """Whether the attack makes sense on Linux."""
    return attack in (*LINUX, "cache", DISK)


def program_build(name: str, out: Path) -> Path:
    """The Linux program tests/linux/hostile/NAME.c, in the folder `out`."""
    flags = [*tools.PROGRAM_FLAGS, "-Wno-unused-function", "-fno-builtin"]
    headers = [ROOT / "tests" / "linux" / "check.h", *tools.HEADERS]
    return tools.compile_to(out / name, HOSTILE / f"{name}.c", headers, flags)


@contextmanager
def linux_tree(out: Path, *names: str) -> Iterator[Path]:
    """busybox's image as a folder, with the attacks and these programs."""
    base = next(recipe for recipe in images.recipes() if recipe.name == "busybox")
    programs = [program_build(name, out) for name in (PROGRAM, *names)]
    with tempfile.TemporaryDirectory(dir=out) as folder:
        tree, unpacked = Path(folder) / "tree", Path(folder) / "unpacked"
        tree.mkdir()
        unpacked.mkdir()
        images.image_tree(base, tree, unpacked)
        for program in programs:
            shutil.copy(program, tree / "bin" / program.name)
            (tree / "bin" / program.name).chmod(0o755)
        yield tree


def linux_image(out: Path) -> bytes:
    """The image of the Linux attacks."""
    base = next(recipe for recipe in images.recipes() if recipe.name == "busybox")
    with linux_tree(out) as tree:
        return images.erofs_bytes(tree, PROGRAM) + images.trailer(base.table)


def native_image(name: str, sources: list[Path]) -> bytes:
    """A bundle with one native program."""
    part = parts.user_part(f"services-{name}", sources)
    with alone(tools.OUT / part.name):
        for source in sources:
            toolchain.compile_source(part.flavour, source)
        part.link()
        data = bundle.elf_without_sections(part.out.read_bytes())
    return bundle.bundle_bytes({"init": data}) + images.trailer({"native": "init"})


def disk_build(out: Path, more: dict[str, bytes] | None = None) -> Path:
    """A disk with the images of the attacks beside the others, in the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    made = {"attack": linux_image(out), "native": native_image("attacker", NATIVE_SOURCES)}
    for name in ("busybox", "cloister"):
        made[name] = (BUILD / "images" / f"{name}.img").read_bytes()
    made |= more or {}
    disk = out / "disk.img"
    disk.write_bytes(gpt.disk_bytes([gpt.Partition(f"image:{n}", d) for n, d in made.items()]))
    return disk


def victim_durations(hits: list[Hit]) -> list[int | None]:
    """Instructions of each of the victim's runs; None for one that did not come to its end."""
    begin, end = constants()["VICTIM_BEGIN"], constants()["VICTIM_END"]
    ours = [hit for hit in hits if hit.marker in (begin, end)]
    return [
        after.instructions - hit.instructions if after and after.marker == end else None
        for hit, after in zip(ours, [*ours[1:], None], strict=True)
        if hit.marker == begin
    ]


def shares_of(hits: list[Hit], attacks: list[str]) -> dict[str, float]:
    """Attack → the victim's share, 0 where it did not come to its end.

    The first run is left out, the second is alone, the others are beside each attack in turn.
    """
    found = victim_durations(hits)[1:]
    if len(found) != 1 + len(attacks) or found[0] is None:
        raise BenchError(f"the victim's runs: {found}, for {attacks}")
    durations = dict(zip(attacks, found[1:], strict=True))
    return {name: found[0] / taken if taken else 0.0 for name, taken in durations.items()}


def said_check(said: str, runs: int) -> None:
    """BenchError unless each of the victim's runs came to the same result and nothing was wrong."""
    lines = said.splitlines()
    results = [line for line in lines if line.startswith("computed ")]
    wrong = [line for line in lines if line.startswith("line ") or "does not run" in line]
    if wrong or len(results) != runs or len(set(results)) != 1:
        raise BenchError(f"the victim failed, or an attack ended: {said[-4000:]}")


def cloister_run(
    probe: Probe, commands: list[str], more: dict[str, bytes] | None = None, mem_mib: int = 512
) -> str:
    """What the shell has said to these commands, in one boot with these images, too."""
    disk, extra = disk_build(tools.OUT, more), tuple(probe.arguments)
    config = replace(cloister.CONFIG, disk=disk, extra=extra, mem_mib=mem_mib)
    try:
        result = run_captured(config, "; ".join(commands), WAIT_SECONDS)
    except (MachineError, TimeoutError) as error:
        raise BenchError(str(error)) from None
    return (result.out + result.err).decode(errors="replace")


def cloister_shares(probe: Probe, attacks: list[str]) -> dict[str, float]:
    """The shares on Cloister, in one boot."""
    victim = f"run --rm attack attack victim {ROUNDS}"
    commands = [victim, victim]
    for name in attacks:
        commands += [f"run -d {attackers()[name]}", "run --rm busybox sleep 0.2", victim]
        commands += [f"kill {name}-attack", f"rm {name}-attack"]
    said_check(cloister_run(probe, commands), len(attacks) + 2)
    return shares_of(probe.hits(), attacks)


def big_image(out: Path) -> bytes:
    """An image with a file that no small machine has memory for."""
    base = next(recipe for recipe in images.recipes() if recipe.name == "busybox")
    with linux_tree(out) as tree:
        (tree / "big").write_bytes(random.Random(THRASH).randbytes(THRASH_BYTES))
        return images.erofs_bytes(tree, THRASH) + images.trailer(base.table)


def thrash_check(said: str) -> None:
    """BenchError unless the image was read all the time, and the victim has not paid for it."""
    facts: dict[str, list[dict[str, int]]] = {name: [] for name in ("alone", "victim", THRASH)}
    for part in said.split("\n[\n")[1:]:
        fact = json.loads("[" + part.split("\n]")[0] + "]")[0]
        facts[fact["Name"]].append(fact["Ledger"])
    read = [ledger["disk_read_bytes"] for ledger in facts[THRASH]]
    if read[1] - read[0] < THRASH_READ_BYTES_MIN:
        raise BenchError(f"beside the victim hardly anything was read: {read}")
    alone, beside = facts["alone"][0]["cpu_ns"], facts["victim"][0]["cpu_ns"]
    if beside > alone * THRASH_OWN_MAX:
        raise BenchError(f"the victim's own account has {beside} ns, and {alone} when it is alone")


def thrash_share(probe: Probe) -> dict[str, float]:
    """The same beside one that reads more of an image than the machine has memory."""
    out = tools.OUT / THRASH
    out.mkdir(parents=True, exist_ok=True)
    victim = f"attack attack victim {ROUNDS}"
    commands = [f"run --rm {victim}", f"run --name alone {victim}", "inspect alone"]
    commands += [f"run -d --name {THRASH} big sh -c '{THRASH_LOOP}'"]
    # All of it is read before the victim comes.
    commands += ["run --rm big sh -c 'cat /big >/dev/null'", f"inspect {THRASH}"]
    commands += [f"run --name victim {victim}", f"inspect {THRASH}", "inspect victim"]
    commands += [f"kill {THRASH}"]
    said = cloister_run(probe, commands, {"big": big_image(out)}, THRASH_MEMORY_MIB)
    said_check(said, 3)
    thrash_check(said)
    return shares_of(probe.hits(), [THRASH])


def visitor_commands(name: str, kind: str) -> list[str]:
    """A container that uses the server of another."""
    return [
        f"run -d --name {name} native {kind}",
        f"bind -r call served:door {name}:door everyone=call",
    ]


def server_share(probe: Probe) -> dict[str, float]:
    """The same of one that has a third of its work done by a server that is kept busy."""
    commands = ["run -d --name served native serve", "run --rm busybox sleep 0.1"]
    for name in ("first", "alone"):
        commands += [*visitor_commands(name, "visit"), f"wait {name}"]
    commands += [*visitor_commands("server-attack", "knock"), "run --rm busybox sleep 0.2"]
    commands += [*visitor_commands("visitor", "visit"), "wait visitor", "kill server-attack"]
    said = cloister_run(probe, commands)
    if said.split() != [
        "served",
        "first",
        "0",
        "alone",
        "0",
        "server-attack",
        "visitor",
        "0",
        "server-attack",
    ]:
        raise BenchError(f"the victim failed, or the server did: {said}")
    return shares_of(probe.hits(), [SERVER])


def peer_shares(probe: Probe, attacks: list[str]) -> dict[str, float]:
    """The shares on Linux with crun, in one boot."""
    attacks = sorted(attacks)  # as the guest takes them
    words = {"victim": [PROGRAM, "victim", str(ROUNDS)], "confined": crun.CONFINED_WORDS}
    words |= {name: peer_words(name) for name in attacks}
    containers = {name: crun.Container(each) for name, each in words.items()}
    with linux_tree(tools.OUT) as tree:
        said = crun.guest_run(tree, containers, "attacks", probe.arguments)
    said_check(said, len(attacks) + 2)
    return shares_of(probe.hits(), attacks)
