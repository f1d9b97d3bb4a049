"""How much of what two CPUs execute is waiting for locks, while many containers start at once.

Counted are the instructions of lock_wait(), whose loop is inlined. A host that takes a processor
away from a virtual CPU that holds a lock lets the other one count on: hence real-time priority, if
we may, and the median of some boots.
"""

from dataclasses import replace
from itertools import pairwise
from statistics import median

from pybuild import symbols
from pybuild.bench import cloister, real_time
from pybuild.bench.cloister import TOGETHER
from pybuild.bench.guest import Probe, probe_range
from pybuild.bench.markers import Hit, constants
from pybuild.bench.report import Row
from pybuild.bench.tools import BenchError
from pybuild.bench.trial import Bench
from pybuild.paths import KERNEL_ELF

METRIC = "lock_wait"
FUNCTION = "lock_wait"
BOOTS = 5
PERCENT_MAX = 1.0


def function_range(name: str) -> tuple[int, int]:
    """The addresses of a function of the kernel, from its first to behind its last."""
    found = symbols.functions(KERNEL_ELF)
    for (low, function), (high, _) in pairwise(found):
        if function == name:
            return low, high
    raise BenchError(f"the kernel has no function {name}()")


def percent_of(hits: list[Hit]) -> float:
    """Of all instructions from the first request of the batch to its last program."""
    told = [hit for hit in hits if hit.marker == constants()["CONTAINER_TOLD"]]
    first = [hit for hit in hits if hit.marker == constants()["CONTAINER_FIRST"]]
    # One container and one that sleeps are before.
    if len(first) != TOGETHER + 1:
        raise BenchError(f"{len(first) - 1} of {TOGETHER} containers have started")
    waited, executed = (after - at for at, after in zip(told[2].more, first[-1].more, strict=True))
    return 100 * waited / executed


def percent_once(probe: Probe) -> float:
    """One boot."""
    config = replace(cloister.probed(probe, "channel=com2"), smp=2)
    cloister.commands_run(config, cloister.batch_commands(), real_time.real_time_take)
    return percent_of(probe.hits())


def percent() -> float:
    """The median of some boots."""
    low, high = function_range(FUNCTION)
    return median(percent_once(probe_range("lock_wait", low, high)) for _ in range(BOOTS))


def lock_wait_row(bench: Bench) -> Row:
    """The row of the table."""
    what = f"Cloister: {TOGETHER} containers started at once on two CPUs"
    found = bench.tried(what, percent)
    variant = f"{TOGETHER} starts at once, 2 CPUs"
    return Row(METRIC, variant, "% of instructions", "wall", found, None, "none", PERCENT_MAX)
