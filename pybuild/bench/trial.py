"""What a bench run knows of itself."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from pybuild.bench.linux import Peer
from pybuild.bench.tools import BenchError

Result = TypeVar("Result")


@dataclass
class Bench:
    """One run: the metrics' names that are wanted, the peer, and what went wrong."""

    names: set[str]
    peer: Peer
    problems: list[str] = field(default_factory=list)

    def tried(self, what: str, work: Callable[[], Result]) -> Result | None:
        """The result of `work`; or None, and one more problem."""
        print(f"bench: {what}", file=sys.stderr)
        try:
            return work()
        except BenchError as error:
            print(f"bench: {what}: {error}", file=sys.stderr)
            self.problems.append(what)
            return None

    def peer_name(self, what: str) -> str:
        """The peer as a row names it."""
        return f"Linux {self.peer.version}, {what}"
