"""The table of the attacks: the victim's share of the instructions on both systems, and what it
gets done beside storms on two CPUs.

It takes minutes, so a bench has it only when `-k` names it.
"""

from functools import partial

from pybuild.bench import attacks, storms
from pybuild.bench.guest import probe_count
from pybuild.bench.metrics import selected
from pybuild.bench.report import Row
from pybuild.bench.trial import Bench

METRIC = "attacks"
STORM = "storm"
SHARE_MIN = 0.45


def attacks_wanted(expression: str | None) -> list[str]:
    """The attacks and storms that `-k` asks for; none where it does not say `attacks`."""
    names = [*(name for kind in attacks.KINDS.values() for name in kind)]
    names += [attacks.SERVER, attacks.THRASH, attacks.DISK]
    names += [f"{STORM} {name}" for name in storms.STORMS]
    if METRIC not in (expression or ""):
        return []
    return [name for name in names if selected(expression, METRIC, name)]


def cloister_shares(bench: Bench, wanted: list[str]) -> dict[str, float]:
    """Ours, in a boot for each kind, so that each can fail alone."""
    found: dict[str, float] = {}
    for kind, names in attacks.KINDS.items():
        some = [name for name in names if name in wanted]
        if some:
            work = partial(attacks.cloister_shares, probe_count(f"attacks-{kind}"), some)
            found |= bench.tried(f"Cloister: {len(some)} attacks ({kind})", work) or {}
    for name, share in (
        (attacks.SERVER, attacks.server_share),
        (attacks.THRASH, attacks.thrash_share),
    ):
        if name in wanted:
            work = partial(share, probe_count(f"attacks-{name}"))
            found |= bench.tried(f"Cloister: attack {name}", work) or {}
    return found


def peer_shares(bench: Bench, wanted: list[str]) -> dict[str, float]:
    """The peer's, of those that make sense there."""
    some = [name for name in wanted if attacks.has_peer(name)]
    if not some:
        return {}
    work = partial(attacks.peer_shares, probe_count("attacks-crun"), some)
    return bench.tried(f"Linux: {len(some)} attacks under crun", work) or {}


def share_rows(bench: Bench, wanted: list[str]) -> list[Row]:
    """A row for each attack on one CPU."""
    ours, theirs = cloister_shares(bench, wanted), peer_shares(bench, wanted)
    return [
        Row(
            *(METRIC, name, "victim's share", "icount", ours.get(name), theirs.get(name)),
            bench.peer_name("crun") if attacks.has_peer(name) else "none",
            bar_least=0 if name == attacks.DISK else SHARE_MIN,
            peer_alone=name == attacks.DISK,
        )
        for name in wanted
    ]


def storm_rows(bench: Bench, wanted: list[str]) -> list[Row]:
    """A row for each storm on two CPUs."""
    what = f"Cloister: {len(wanted)} storms on two CPUs"
    found = bench.tried(what, partial(storms.works_measure, wanted)) or {}
    what = f"Linux: {len(wanted)} storms under crun on two CPUs"
    peers = bench.tried(what, partial(storms.peer_works_measure, wanted)) or {}
    return [
        Row(
            *(METRIC, f"{STORM} {name}", "of work beside spinners", "wall", found.get(name)),
            *(peers.get(name), bench.peer_name("crun")),
            bar_least=storms.WORK_MIN,
        )
        for name in wanted
    ]


def attack_rows(bench: Bench, wanted: list[str]) -> list[Row]:
    """The table, or what is wanted of it."""
    calm = [name for name in wanted if not name.startswith(STORM)]
    wild = [name.removeprefix(f"{STORM} ") for name in wanted if name not in calm]
    rows = share_rows(bench, calm) if calm else []
    return rows + (storm_rows(bench, wild) if wild else [])
