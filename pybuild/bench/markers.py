"""Markers: their numbers (from userland/lib/marker.h, the one source) and the plugin's output.

The plugin writes one line per hit, "MARKER VCPU INSTRUCTIONS NANOSECONDS"; this module turns the
lines into hits, and pairs of hits into samples.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from pybuild.paths import ROOT

HEADER = ROOT / "userland" / "lib" / "marker.h"
Counter = Literal["instructions", "nanoseconds"]


@dataclass(frozen=True)
class Hit:
    """One marker reached: the counters are since QEMU's start, instructions of that CPU only.

    `more`: what the probe asks for beyond that (plugin.c).
    """

    marker: int
    vcpu: int
    instructions: int
    nanoseconds: int
    more: tuple[int, ...] = ()


def constants_parse(text: str) -> dict[str, int]:
    """The header's constants, without their MARKER_ prefix. A number given twice: ValueError."""
    found = {
        name: int(number, 0)
        for name, number in re.findall(r"^\s*MARKER_(\w+) = (\w+),", text, re.MULTILINE)
    }
    if len(set(found.values())) != len(found):
        raise ValueError(f"marker.h: two constants are the same number: {found}")
    return found


@cache
def constants() -> dict[str, int]:
    """What marker.h defines."""
    return constants_parse(HEADER.read_text())


def hits_parse(text: str) -> list[Hit]:
    """The plugin's lines; a last line cut short by the machine's end is left out."""
    whole = text[: text.rfind("\n") + 1]
    lines = [[int(word) for word in line.split()] for line in whole.splitlines()]
    return [Hit(line[0], line[1], line[2], line[3], tuple(line[4:])) for line in lines]


def hits_read(path: Path) -> list[Hit]:
    """The hits of one run."""
    return hits_parse(path.read_text())


def samples(hits: Iterable[Hit], begin: str, end: str, counter: Counter) -> list[int]:
    """What each stretch from a `begin` to the next `end` (names of markers) took."""
    first, last = constants()[begin], constants()[end]
    found: list[int] = []
    open_at: Hit | None = None
    for hit in hits:
        if hit.marker == first:
            open_at = hit
        elif hit.marker == last and open_at is not None and open_at.vcpu == hit.vcpu:
            found.append(getattr(hit, counter) - getattr(open_at, counter))
            open_at = None
    return found
