"""The result of a bench: rows, as a table on the terminal and as build/bench.json."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

Mode = Literal["icount", "wall", "size"]


@dataclass(frozen=True)
class Row:
    """One figure of both systems. None: not measured (the reason was printed).

    `bar` is the largest `cloister` allowed, `bar_least` the least, `bar_ratio` the largest ratio; 0
    for none. `peer_alone`: there is nothing of the kind in Cloister yet.
    """

    metric: str
    variant: str
    unit: str
    mode: Mode
    cloister: float | None
    peer: float | None
    peer_name: str
    bar: float = 0
    bar_ratio: float = 0
    bar_least: float = 0
    peer_alone: bool = False

    @property
    def ratio(self) -> float | None:
        """cloister ÷ peer."""
        return self.cloister / self.peer if self.cloister is not None and self.peer else None

    def as_json(self) -> dict[str, Any]:
        """The entry of build/bench.json."""
        entry = asdict(self)
        del entry["bar"], entry["bar_ratio"], entry["bar_least"], entry["peer_alone"]
        return {**entry, "ratio": self.ratio}

    @property
    def is_missing(self) -> bool:
        """Whether it was to be measured and was not."""
        return (self.peer if self.peer_alone else self.cloister) is None

    @property
    def verdict(self) -> str:
        """Whether the bar holds: a word for the table."""
        if self.bar_least and self.cloister is not None:
            return "[green]holds" if self.cloister >= self.bar_least else "[red]missed"
        bar, held = (self.bar_ratio, self.ratio) if self.bar_ratio else (self.bar, self.cloister)
        if not bar or held is None:
            return ""
        return "[green]holds" if held <= bar else "[red]missed"


def number(value: float | None) -> str:
    """A figure as people read it: three digits or whole thousands."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def bar_text(row: Row) -> str:
    """The bar as the table shows it."""
    if row.bar_ratio:
        return f"{number(row.bar_ratio)} of peer"
    if row.bar_least:
        return f"≥ {number(row.bar_least)}"
    return number(row.bar) if row.bar else ""


def console_wide() -> Console:
    """The terminal; a log has no width of its own, and a figure cut short is none."""
    console = Console()
    return console if console.is_terminal else Console(width=160)


def table_print(rows: list[Row]) -> None:
    """Prints the table."""
    table = Table(title="Cloister beside Linux, on the same QEMU")
    for heading in ["metric", "variant", "mode"]:
        table.add_column(heading)
    for heading in ["Cloister", "peer"]:
        table.add_column(heading, justify="right")
    table.add_column("unit")
    for heading in ["ratio", "bar"]:
        table.add_column(heading, justify="right")
    for heading in ["", "peer is"]:
        table.add_column(heading)
    for row in rows:
        figures = [number(row.cloister), number(row.peer), row.unit, number(row.ratio)]
        tail = [bar_text(row), row.verdict, row.peer_name]
        table.add_row(row.metric, row.variant, row.mode, *figures, *tail)
    console_wide().print(table)


def json_write(rows: list[Row], out: Path) -> None:
    """Writes build/bench.json."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps([row.as_json() for row in rows], indent=1) + "\n")
