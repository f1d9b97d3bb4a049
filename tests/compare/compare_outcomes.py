"""What a script did: its status, both outputs and the files at its end, as the driver tells it."""

import difflib
import re
from dataclasses import asdict, dataclass
from typing import Any, Self

# What driver.sh puts behind the stderr of a script that it had to kill.
TIME_OUT = b"@@@ ran out of time\n"
RECORD = re.compile(rb"@@@ (\S+) (\d+) (\d+) (\d+) (\d+)\n")


@dataclass(frozen=True)
class Outcome:
    """One run of a script. `lost` says why there was no record."""

    status: int = -1
    out: bytes = b""
    err: bytes = b""
    tree: tuple[str, ...] = ()
    lost: str = ""

    def to_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {**asdict(self), "out": self.out.hex(), "err": self.err.hex()}

    @classmethod
    def from_json(cls, table: dict[str, Any]) -> Self:
        """What to_json gave."""
        out, err = bytes.fromhex(table["out"]), bytes.fromhex(table["err"])
        return cls(table["status"], out, err, tuple(table["tree"]), table["lost"])

    def text(self) -> list[str]:
        """All of it as lines, to be shown and compared."""
        lines = [f"lost: {self.lost}"] if self.lost else [f"status {self.status}"]
        for name, data in (("out", self.out), ("err", self.err)):
            lines += [
                f"{name}: {line}" for line in data.decode(errors="backslashreplace").split("\n")
            ]
        return lines + [f"tree: {line}" for line in self.tree]


def outcomes_parse(data: bytes) -> dict[str, Outcome]:
    """The whole records in what a machine said, by name."""
    found = {}
    place = 0
    while (head := RECORD.search(data, place)) is not None:
        status, *sizes = map(int, head.groups()[1:])
        place = head.end() + sum(sizes)
        if place > len(data):
            break
        parts = []
        begin = head.end()
        for size in sizes:
            parts.append(data[begin : begin + size])
            begin += size
        tree = tuple(sorted(parts[2].decode(errors="backslashreplace").splitlines()))
        found[head[1].decode()] = Outcome(status, parts[0], parts[1], tree)
    return found


def outcomes_diff(linux: Outcome, ours: Outcome) -> str:
    """A unified diff, empty when the two are equal."""
    return "\n".join(
        difflib.unified_diff(linux.text(), ours.text(), "linux", "container", lineterm="", n=2)
    )
