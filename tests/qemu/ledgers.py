"""What `free` says: before and after, without what was just about to end when it was counted."""

from __future__ import annotations

import re

from pybuild.paths import ROOT

LOOKS = 4
LOOK = "; ".join(["run --rm busybox sleep 0.05", "free"] * LOOKS)
Rows = dict[str, list[int]]


def looks_parse(out: bytes) -> list[Rows]:
    """The rows of each table of `free`, by name: pages, bytes, objects, handles, threads."""
    tables = re.split(r"PAGES +BYTES +OBJECTS", out.decode())[1:]
    words = [[line.split() for line in table.splitlines()[1:]] for table in tables]
    return [
        {" ".join(line[: -len(numbers)]): numbers for line in table if (numbers := ending(line))}
        for table in words
    ]


def ending(words: list[str]) -> list[int]:
    """The numbers at the end of a line."""
    count = next((n for n, word in enumerate(reversed(words)) if not word.isdigit()), len(words))
    return [int(word) for word in words[len(words) - count :]]


def storage_reserve() -> int:
    """Pages that are set aside for images: in use, whether they hold any or not."""
    line = next(
        line
        for line in (ROOT / "disk" / "manifest").read_text().splitlines()
        if line.startswith("service storage ")
    )
    return sum(int(pages) for pages in re.findall(r"reserve=(\d+)", line))


def taken(rows: Rows) -> list[int]:
    """Pages that are not free and hold no part of an image; objects, handles, threads."""
    pages = rows["in use"][0] - max(rows["/services/storage"][0], storage_reserve())
    return [pages, *rows["machine"][2:]]


def least(figures: list[list[int]]) -> list[int]:
    """The least in each column."""
    return [min(column) for column in zip(*figures, strict=True)]


def assert_equal_looks(out: bytes, looks: int = 2) -> None:
    """The machine's totals are equal in each of so many `LOOK`s."""
    found = [taken(rows) for rows in looks_parse(out)]
    assert len(found) == looks * LOOKS, out.decode()
    parts = [least(found[start : start + LOOKS]) for start in range(0, len(found), LOOKS)]
    assert parts == [parts[0]] * looks
