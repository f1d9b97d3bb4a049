"""What is measured: one entry per metric, and how its figure comes out of a run's markers.

The names are an interface: other tools look them up in build/bench.json.
"""

import ast
import re
from dataclasses import dataclass
from statistics import median

from pybuild.bench import markers
from pybuild.bench.markers import Counter, Hit


@dataclass(frozen=True)
class Stretch:
    """A figure out of markers: the median of what lies between two, divided by `per`.

    `skip` leading samples are left out: a first start is not a warm one.
    """

    begin: str
    end: str
    per: int = 1
    skip: int = 0

    def value(self, hits: list[Hit], counter: Counter) -> float | None:
        """The figure; None when the markers were not reached."""
        found = markers.samples(hits, self.begin, self.end, counter)[self.skip :]
        return median(found) / self.per if found else None


@dataclass(frozen=True)
class Metric:
    """One marked operation on both systems; gives an `icount` and a `wall` row.

    `bar_instructions`, `bar_ratio` (to the peer's instructions): what the issues hold us to, 0 for
    none.
    """

    name: str
    variant: str
    cloister: Stretch
    linux: Stretch
    linux_name: str
    bar_instructions: int = 0
    bar_ratio: float = 0


def loop(name: str, operations: int = 0) -> Stretch:
    """The stretch of a marked loop, per operation."""
    return Stretch(f"{name}_BEGIN", f"{name}_END", operations or markers.constants()["LOOPS"])


def marked_metrics() -> list[Metric]:
    """All metrics that come from markers."""
    loops, pages = markers.constants()["LOOPS"], markers.constants()["PAGES"]
    start = Stretch("CONTAINER_TOLD", "CONTAINER_FIRST", skip=1)
    cycle = Stretch("CONTAINER_TOLD", "CONTAINER_GONE", skip=1)
    getppid, touch = loop("LINUX_GETPPID"), loop("PAGE_TOUCH", pages)
    alone, pair = loop("YIELD_ALONE"), loop("YIELD_PAIR", 2 * loops)
    return [
        Metric("container_start", "warm", start, start, "fork+exec", 150_000),
        Metric("container_cycle", "warm", cycle, cycle, "fork+exec+wait"),
        Metric(
            "channel_call", "8 B and back", loop("CHANNEL_CALL"), loop("PIPE"), "pipe 8 B", 1_500
        ),
        Metric("null_syscall", "native", loop("NULL_SYSCALL"), getppid, "getppid", 150),
        Metric("linux_getppid", "personality", getppid, getppid, "getppid", 600),
        Metric("sched_yield", "alone", alone, alone, "sched_yield"),
        Metric("sched_yield", "switch", pair, pair, "sched_yield"),
        Metric("page_touch", "anonymous 4 KiB", touch, touch, "page fault"),
        *userland_metrics(),
    ]


# Benches of tests/bench/bench_userland.c: metric, variant, bench, operations between its markers
# (0: MARKER_LOOPS), the highest ratio to Linux.
USERLAND = [
    ("fork_exec_wait", "static program", "fork_exec", 1, 1.0),
    ("vfork_exec_wait", "static program", "vfork_exec", 1, 1.5),
    ("fork_exit_wait", "", "fork_exit", 1, 1.5),
    ("pipe_round_trip", "8 B", "pipe", 0, 1.5),
    ("file_cycle", "create, write, read, unlink 4 KiB", "file", 0, 1.5),
    ("stat", "/bin/busybox", "stat", 0, 1.5),
    ("directory_list", "/bin", "list", 1, 1.5),
    ("find", "/ -xdev", "find", 1, 1.5),
    ("shell_loop", "1000 true", "loop_builtin", 1, 1.5),
    ("shell_loop", "1000 /bin/true", "loop_program", 1, 1.5),
]


def userland_metrics() -> list[Metric]:
    """Linux programs on both systems."""
    found = []
    for name, variant, bench, operations, ratio in USERLAND:
        stretch = loop(bench.upper(), operations)
        found.append(Metric(name, variant, stretch, stretch, "the same", bar_ratio=ratio))
    return found


def selected(expression: str | None, *words: str) -> bool:
    """Whether `-k EXPRESSION` (pytest's: substrings with and, or, not) takes a metric.

    ValueError when the expression can't be read.
    """
    if not expression:
        return True
    text = " ".join(words).lower()

    def truth(match: re.Match[str]) -> str:
        word = match[0]
        return word if word in ("and", "or", "not") else str(word.lower() in text)

    try:
        return _holds(ast.parse(re.sub(r"\w+", truth, expression), mode="eval").body)
    except SyntaxError:
        raise ValueError(f"-k {expression!r}: words with and, or, not and parentheses") from None


def _holds(node: ast.expr) -> bool:
    match node:
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_holds(value) for value in values)
        case ast.BoolOp(op=ast.Or(), values=values):
            return any(_holds(value) for value in values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _holds(operand)
        case ast.Constant(value=bool(value)):
            return value
    raise SyntaxError
