"""Attacks from one container on another, and what becomes of the victim's share of instructions.

An attack runs for ever; the victim, its sibling of equal weight, does a fixed piece of work. Its
share: the instructions that pass during this work when it is alone, by those that pass beside the
attack; a half is its due on one CPU. tests/qemu/attacks holds us to it, `./cloister bench -k
attacks` prints it, with the same programs under crun on Linux beside.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pybuild import bundle, gpt, images, parts, toolchain
from pybuild.alone import alone
from pybuild.bench import cloister, crun, linux, tools
from pybuild.bench.guest import Probe, guest_start
from pybuild.bench.markers import Hit, constants
from pybuild.bench.tools import BenchError
from pybuild.command import run_captured
from pybuild.machine import MachineError
from pybuild.paths import BUILD, ROOT

PROGRAM = "attack"
SOURCE = ROOT / "tests" / "linux" / "hostile" / f"{PROGRAM}.c"
SERVICES = ROOT / "tests" / "services"
NATIVE_SOURCES = [SERVICES / "attacker.c", SERVICES / "attacker_objects.c"]
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
    if attack in MORTAL:
        return ["sh", "-c", f"while :; do {PROGRAM} {attack}; done"]
    return [PROGRAM, attack]


def has_peer(attack: str) -> bool:
    """Whether the attack makes sense on Linux."""
    return attack in (*LINUX, "cache")


@contextmanager
def linux_tree(out: Path) -> Iterator[Path]:
    """busybox's image as a folder, with the attacks."""
    flags = [*tools.PROGRAM_FLAGS, "-Wno-unused-function", "-fno-builtin"]
    headers = [ROOT / "tests" / "linux" / "check.h", *tools.HEADERS]
    program = tools.compile_to(out / PROGRAM, SOURCE, headers, flags)
    base = next(recipe for recipe in images.recipes() if recipe.name == "busybox")
    with tempfile.TemporaryDirectory(dir=out) as folder:
        tree, unpacked = Path(folder) / "tree", Path(folder) / "unpacked"
        tree.mkdir()
        unpacked.mkdir()
        images.image_tree(base, tree, unpacked)
        shutil.copy(program, tree / "bin" / PROGRAM)
        (tree / "bin" / PROGRAM).chmod(0o755)
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


def cloister_shares(probe: Probe, attacks: list[str]) -> dict[str, float]:
    """The shares on Cloister, in one boot."""
    victim = f"run --rm attack attack victim {ROUNDS}"
    commands = [victim, victim]
    for name in attacks:
        commands += [f"run -d {attackers()[name]}", "run --rm busybox sleep 0.2", victim]
        commands += [f"kill {name}-attack", f"rm {name}-attack"]
    extra = tuple(probe.arguments)
    config = replace(cloister.CONFIG, disk=disk_build(tools.OUT), extra=extra)
    try:
        result = run_captured(config, "; ".join(commands), WAIT_SECONDS)
    except (MachineError, TimeoutError) as error:
        raise BenchError(str(error)) from None
    said_check((result.out + result.err).decode(errors="replace"), len(attacks) + 2)
    return shares_of(probe.hits(), attacks)


def peer_shares(probe: Probe, attacks: list[str]) -> dict[str, float]:
    """The shares on Linux with crun, in one boot."""
    attacks = sorted(attacks)  # as the guest takes them
    containers = {"victim": [PROGRAM, "victim", str(ROUNDS)], "confined": crun.CONFINED_WORDS}
    containers |= {name: peer_words(name) for name in attacks}
    with linux_tree(tools.OUT) as tree:
        initramfs = crun.initramfs_build(tree, containers, "attacks")
    kernel, version = linux.kernel_fetch()
    peer = linux.Peer(kernel, initramfs, initramfs, version)
    with guest_start([*peer.arguments(initramfs), *probe.arguments]) as guest:
        guest.wait_for("@@@ end", timeout_seconds=WAIT_SECONDS)
        said = guest.said.decode(errors="replace").replace("\r", "")
    crun.confined_check(said)
    said_check(said, len(attacks) + 2)
    return shares_of(probe.hits(), attacks)
