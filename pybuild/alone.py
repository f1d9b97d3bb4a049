"""Makes what several processes may want at the same moment (tests run in more than one) in one.

The others wait, and then find it made: whoever holds the lock looks first whether it is there.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Holds the lock of what is made at `path` (a file beside it); ends with its process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(path.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
