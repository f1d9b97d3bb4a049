"""`./cloister bench`: both systems side by side, in one run, on the same QEMU.

What can't be measured is said, leaves its figure empty, and makes the status 1; the rest is
measured all the same.
"""

import sys
from collections.abc import Callable
from functools import partial
from statistics import median

from pybuild.bench import cloister, linux, lock_wait
from pybuild.bench.attack_rows import attack_rows, attacks_wanted
from pybuild.bench.guest import Probe, probe_count, probe_time
from pybuild.bench.markers import Counter, Hit, constants
from pybuild.bench.metrics import Metric, marked_metrics, selected
from pybuild.bench.report import Row, json_write, table_print
from pybuild.bench.trial import Bench
from pybuild.paths import BUILD

BOOTS = 7
BOOT_BAR_RATIO = 0.1
TOGETHER_BAR_RATIO = 1.1
# Of crun's idle container, all counted: docs/measuring.md.
IDLE_CRUN_BYTES = 348 * 1024
IDLE_PEER = "crun, by hand"
IDLE_BAR = IDLE_CRUN_BYTES
# These need no run of all markers on both systems.
ALONE = {"idle_container", "revocation", lock_wait.METRIC}
UNMARKED = ["boot_to_prompt", *sorted(ALONE)]
JSON = BUILD / "bench.json"
COUNTERS: tuple[Counter, ...] = ("instructions", "nanoseconds")


def boot_wall_row(bench: Bench) -> Row:
    """QEMU's start → prompt; the two systems take turns, so that a busy host is fair to both."""
    systems: dict[str, Callable[[], float]] = {
        "Cloister": cloister.boot_seconds,
        "Linux": lambda: linux.boot_seconds(bench.peer),
    }
    seconds: dict[str, list[float]] = {system: [] for system in systems}
    for turn in range(BOOTS):
        for system, boot in systems.items():
            # A system that failed to boot once has no figure and is not tried again.
            if len(seconds[system]) == turn:
                taken = bench.tried(f"{system} boots, {turn + 1} of {BOOTS}", boot)
                seconds[system] += [] if taken is None else [taken]
    ours, theirs = (
        median(taken) * 1000 if len(taken) == BOOTS else None for taken in seconds.values()
    )
    peer_name = bench.peer_name("init")
    return Row(
        "boot_to_prompt", "q35", "ms", "wall", ours, theirs, peer_name, bar_ratio=BOOT_BAR_RATIO
    )


def boot_icount_row(bench: Bench, ours: list[Hit], theirs: list[Hit]) -> Row:
    """The same in executed instructions."""
    prompt = constants()["BOOT_PROMPT"]
    mine, peer = (
        next((hit.instructions for hit in hits if hit.marker == prompt), None)
        for hits in (ours, theirs)
    )
    peer_name = bench.peer_name("init")
    return Row("boot_to_prompt", "q35", "instructions", "icount", mine, peer, peer_name)


def marked_row(
    bench: Bench, metric: Metric, counter: Counter, ours: list[Hit], theirs: list[Hit]
) -> Row:
    """One metric out of both systems' hits."""
    figures = metric.cloister.value(ours, counter), metric.linux.value(theirs, counter)
    peer_name = bench.peer_name(metric.linux_name)
    if counter == "nanoseconds":
        return Row(metric.name, metric.variant, "ns", "wall", *figures, peer_name)
    bars = metric.bar_instructions, metric.bar_ratio
    return Row(metric.name, metric.variant, "instructions", "icount", *figures, peer_name, *bars)


def cloister_hits(bench: Bench, counter: Counter) -> list[Hit]:
    """The hits of all our runs that the wanted metrics need."""
    probe = probe_count if counter == "instructions" else probe_time
    found: list[Hit] = []
    for run in cloister.runs():
        if run.metrics & bench.names:
            work = partial(run_hits, run, probe)
            found += bench.tried(f"Cloister: {run.name}, {counter}", work) or []
    return found


def run_hits(run: cloister.Run, probe: Callable[[str], Probe]) -> list[Hit]:
    """The hits of one of our runs, with a fresh probe."""
    return run.hits(probe(run.name))


def linux_hits(bench: Bench, counter: Counter) -> list[Hit]:
    """The hits of the peer's one run."""
    probe = probe_count if counter == "instructions" else probe_time
    what = f"Linux: all, {counter}"
    return bench.tried(what, lambda: linux.bench_hits(bench.peer, probe("linux"))) or []


def together_row(bench: Bench) -> Row:
    """A start among many at once, beside one alone; both with what the shell does for it."""
    batch = cloister.Run("batch", frozenset(), cloister.batch_hits)
    single = cloister.Run("single", frozenset(), cloister.start_hits)
    together = bench.tried(
        f"Cloister: {cloister.TOGETHER} containers started at once, instructions",
        partial(run_hits, batch, probe_count),
    )
    alone = bench.tried(
        "Cloister: starts one by one, instructions", partial(run_hits, single, probe_count)
    )
    return Row(
        "container_start",
        f"each of {cloister.TOGETHER}",
        "instructions",
        "icount",
        cloister.batch_each(together or []),
        cloister.single_each(alone or []),
        "one alone",
        bar_ratio=TOGETHER_BAR_RATIO,
    )


def idle_rows(bench: Bench) -> list[Row]:
    """An idle container's memory, beside crun's, which was measured once and by hand."""
    idle = bench.tried("Cloister: an idle container", cloister.idle_memory)
    held, unused = (idle.held, idle.credit_unused) if idle else (None, None)
    return [
        Row("idle_container", "held", "bytes", "size", held, IDLE_CRUN_BYTES, IDLE_PEER, IDLE_BAR),
        Row("idle_container", "credit unused", "bytes", "size", unused, None, "none"),
    ]


def revocation_row(bench: Bench) -> Row:
    """What ending a thousand copies with one call costs. Linux has nothing of the kind."""
    run = cloister.Run("revocation", frozenset(), cloister.revocation_hits)
    work = partial(run_hits, run, probe_count)
    hits = bench.tried("Cloister: revocation, instructions", work)
    variant = "1,000 copies, mapped, in 100 processes"
    figure = cloister.revocation_instructions(hits or [])
    return Row("revocation", variant, "instructions", "icount", figure, None, "none")


def bench_rows(bench: Bench, wanted: list[Metric]) -> list[Row]:
    """Runs everything that is wanted."""
    rows = []
    if "boot_to_prompt" in bench.names:
        rows.append(boot_wall_row(bench))
    if "idle_container" in bench.names:
        rows += idle_rows(bench)
    if "revocation" in bench.names:
        rows.append(revocation_row(bench))
    if lock_wait.METRIC in bench.names:
        rows.append(lock_wait.lock_wait_row(bench))
    if not bench.names - ALONE:
        return rows
    if "container_start" in bench.names:
        rows.append(together_row(bench))
    for counter in COUNTERS:
        theirs, ours = linux_hits(bench, counter), cloister_hits(bench, counter)
        if counter == "instructions" and "boot_to_prompt" in bench.names:
            rows.append(boot_icount_row(bench, ours, theirs))
        rows += [marked_row(bench, metric, counter, ours, theirs) for metric in wanted]
    return rows


def bench(expression: str | None) -> int:
    """Measures, prints the table, writes build/bench.json; the command's exit status.

    `expression` is pytest's `-k` over metric names and variants.
    """
    wanted = [
        metric for metric in marked_metrics() if selected(expression, metric.name, metric.variant)
    ]
    names = {metric.name for metric in wanted}
    names |= {name for name in UNMARKED if selected(expression, name)}
    attacks = attacks_wanted(expression)
    if not names and not attacks:
        print(f"bench: no metric matches -k {expression!r}", file=sys.stderr)
        return 2
    run = Bench(names, linux.peer())
    rows = bench_rows(run, wanted) if names else []
    rows += attack_rows(run, attacks)
    table_print(rows)
    json_write(rows, JSON)
    missing = [row.metric for row in rows if row.is_missing]
    if missing:
        print(f"bench: not measured: {', '.join(sorted(set(missing)))}", file=sys.stderr)
    return 1 if run.problems or missing else 0
