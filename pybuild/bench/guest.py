"""One QEMU of a bench: the machine that Cloister and Linux are both measured on.

Wall-clock is taken on the host, from just before QEMU is started. A guest that says nothing for
too long is ended, and what it said is in the error.
"""

import os
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pybuild.bench import markers
from pybuild.bench.tools import OUT, BenchError, plugin_build

# The same for both systems. -nodefaults: no device that nobody asked for.
MACHINE = [
    *["qemu-system-x86_64", "-M", "q35", "-nodefaults", "-accel", "tcg", "-smp", "1"],
    *["-cpu", "max,erms=off", "-m", "512", "-display", "none", "-no-reboot"],
]
# One instruction is one nanosecond of guest time, and the same boot is the same instructions.
DETERMINISTIC = [
    *["-icount", "shift=0,sleep=off", "-rtc", "base=2026-01-01T00:00:00,clock=vm"],
    *["-seed", "1"],
]


@dataclass(frozen=True)
class Probe:
    """The plugin as set for one run: QEMU arguments, and where the hits are written."""

    arguments: list[str]
    out: Path

    def hits(self) -> list[markers.Hit]:
        """What was hit until now."""
        return markers.hits_read(self.out)


def probe_count(name: str) -> Probe:
    """Counts instructions, on a machine whose time is its instructions."""
    probe = _probe(name, "count=on")
    return Probe([*DETERMINISTIC, *probe.arguments], probe.out)


def probe_time(name: str) -> Probe:
    """Takes the host's time at markers and slows nothing else down."""
    return _probe(name, "count=off")


def probe_processor_time(name: str) -> Probe:
    """Takes the host's time, and the processor time that the virtual CPUs have had of it."""
    return _probe(name, "count=off,processor=on")


def probe_range(name: str, low: int, high: int) -> Probe:
    """Counts instructions of all CPUs, those at these addresses beside all; time is the host's."""
    return _probe(name, f"count=on,range={low:x}-{high:x}")


def _probe(name: str, count: str) -> Probe:
    plugin = plugin_build()
    out = OUT / f"{name}.hits"
    out.unlink(missing_ok=True)
    tag = markers.constants()["TAG"]
    return Probe(["-plugin", f"{plugin},out={out},tag={tag:#x},{count}"], out)


class Guest:
    """A running QEMU whose first serial port is our pipe."""

    def __init__(self, process: "subprocess.Popen[bytes]", started: float) -> None:
        self.process = process
        self.started = started
        self.said = b""

    def wait_for(self, text: str, timeout_seconds: float) -> float:
        """Seconds from QEMU's start until the guest has said `text`; BenchError when it does not.

        The timeout counts from QEMU's start too.
        """
        assert self.process.stdout is not None
        pipe = self.process.stdout.fileno()
        while text.encode() not in self.said:
            left = self.started + timeout_seconds - time.monotonic()
            ready = select.select([pipe], [], [], max(left, 0))[0]
            data = os.read(pipe, 65536) if ready else b""
            if not data:
                why = "ended" if ready else f"is silent after {timeout_seconds} s"
                raise BenchError(self._story(f"the guest {why}, without saying {text!r}"))
            self.said += data
        return time.monotonic() - self.started

    def wait_end(self, timeout_seconds: float) -> None:
        """Waits until the guest has powered itself off."""
        try:
            rest, _ = self.process.communicate(timeout=timeout_seconds)
        except subprocess.TimeoutExpired:
            raise BenchError(self._story("the guest does not power off")) from None
        self.said += rest

    def _story(self, what: str) -> str:
        command = " ".join(str(word) for word in self.process.args)  # type: ignore[union-attr]
        return f"{what}\ncommand: {command}\nsaid: {self.said.decode(errors='replace')[-4000:]}"


@contextmanager
def guest_start(arguments: list[str]) -> Iterator[Guest]:
    """Starts a QEMU with its first serial port on a pipe; ends it in any case."""
    command = [*MACHINE, "-serial", "stdio", *arguments]
    started = time.monotonic()
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        yield Guest(process, started)
    finally:
        process.kill()
        process.communicate()
