"""Storms: what one container can do to another on the other CPU.

The attacker's threads run on both CPUs and contend for locks of the kernel, or have TLBs shot
down; in turns, every 50 ms, they only spin. What its victim gets done beside the one is compared
with what it gets done beside the other, in seven pairs of many such windows; the median counts. In
a pair the median window of each kind does: in one of ten or so all of the other's threads happen to
be on one CPU, and the victim has the other for itself.

A virtual CPU is a thread of the host. Where it does not run while it holds a lock, the other waits
for nothing that is ours; so they run with real-time priority if we may, and QEMU's main loop, which
brings their interrupts, above them. Windows in which they did not have the host's processors are
left out, work is counted per processor time that they had, and two containers of hardly any weight
spin, so that no CPU is ever idle: idle time would look the same as what the host has taken.
"""

import re
from dataclasses import dataclass, replace
from statistics import median

from pybuild.bench import attacks, cloister, crun, real_time, tools
from pybuild.bench.guest import probe_processor_time
from pybuild.bench.markers import Hit, constants
from pybuild.bench.tools import BenchError
from pybuild.command import Result, command_run, config_with_channel
from pybuild.machine import Machine, MachineError
from pybuild.paths import ROOT

SOURCE = ROOT / "tests" / "services" / "storm.c"
# tests/linux/hostile
PEER_PROGRAM = "storm"
STORMS = ("shootdowns", "futexes", "channels", "handles", "ledgers", "queues", "objects", "nothing")
PAIRS = 7
# Of a pair, spinning and storming ones.
WINDOWS = 32
WINDOW_MS = 50  # tests/services/storm.c has the same
PEER_WINDOWS = 8
PEER_WINDOW_MS = 400
WORK_MIN = 0.9
CPUS = 2
# A window counts when the virtual CPUs had so much of two processors.
PROCESSOR_MIN = 0.85
WAIT_SECONDS = 300
SPINNER = "run -d --cpu-shares 11 attack attack spin"


class BusyError(BenchError):
    """The host has not given the machine its processors."""


@dataclass(frozen=True)
class Window:
    """One window of the victim's."""

    storms: bool
    steps: int
    wall_ns: int
    processor_ns: int

    @property
    def rate(self) -> float:
        """Of steps, per processor time that the virtual CPUs had."""
        return self.steps / self.processor_ns

    @property
    def counts(self) -> bool:
        """Whether the machine had the host's processors."""
        return self.processor_ns >= PROCESSOR_MIN * CPUS * self.wall_ns


def windows_of(hits: list[Hit]) -> list[Window]:
    """The windows between the victim's markers."""
    numbers = constants()
    begins = {numbers["PACE_SPIN_BEGIN"]: False, numbers["PACE_STORM_BEGIN"]: True}
    ends = {numbers["PACE_SPIN_END"], numbers["PACE_STORM_END"]}
    found, begin, steps = [], None, 0
    for hit in hits:
        if hit.marker in begins:
            begin, steps = hit, 0
        elif hit.marker == numbers["PACE_STEP"]:
            steps += 1
        elif hit.marker in ends and begin:
            wall, processor = (
                hit.nanoseconds - begin.nanoseconds,
                hit.more[0] - begin.more[0],
            )
            found.append(Window(begins[begin.marker], steps, wall, processor))
            begin = None
    return found


def work_of_pair(windows: list[Window]) -> float:
    """The victim's work beside the storm, by that beside spinners; BusyError without enough."""
    rates = []
    for storms in (False, True):
        some = [window for window in windows if window.counts and window.storms == storms]
        if len(some) < len(windows) / 8:
            raise BusyError(f"{len(some)} of {len(windows)} windows had the host's processors")
        rates.append(median(window.rate for window in some))
    if not rates[0]:
        raise BenchError("the victim does nothing beside spinners")
    return rates[1] / rates[0]


def work_of(windows: list[Window]) -> float:
    """The median of the pairs."""
    size = len(windows) // PAIRS
    return median(work_of_pair(windows[i * size : (i + 1) * size]) for i in range(PAIRS))


def commands_of(storms: list[str], windows: int) -> list[str]:
    """What the shell is told."""
    commands = ["run --rm attack attack victim 1", *[SPINNER] * CPUS]
    for name in storms:
        commands += [f"run -d --name {name} storm {name}", "run --rm busybox sleep 0.1"]
        commands += [
            f"run --rm attack attack pace {windows} {WINDOW_MS}",
            f"kill {name}",
            f"rm {name}",
        ]
    return commands


def works_measure(storms: list[str]) -> dict[str, float]:
    """Storm → the victim's work beside it, of that beside spinners; all in one boot."""
    images = {"storm": attacks.native_image("storm", [SOURCE])}
    disk = attacks.disk_build(tools.OUT / "storms", images)
    probe = probe_processor_time("storms")
    config = replace(cloister.CONFIG, smp=CPUS, disk=disk, extra=tuple(probe.arguments))
    result = Result()
    try:
        with Machine(config_with_channel(config)) as machine:
            real_time.real_time_take(machine)
            command = "; ".join(commands_of(storms, PAIRS * WINDOWS)).encode()
            command_run(machine, command, WAIT_SECONDS, result.take)
            machine.wait(10)
    except (MachineError, TimeoutError) as error:
        raise BenchError(str(error)) from None
    attacks.said_check((result.out + result.err).decode(errors="replace"), 1)
    return works_of(probe.hits(), storms, WINDOWS)


def peer_containers(storms: list[str]) -> dict[str, crun.Container]:
    """The same containers for the peer, with its own storms of these names."""
    words = {"confined": crun.CONFINED_WORDS}
    words["victim"] = [attacks.PROGRAM, "pace", str(PAIRS * PEER_WINDOWS), str(PEER_WINDOW_MS)]
    words |= {name: [PEER_PROGRAM, name, str(PEER_WINDOW_MS)] for name in storms}
    found = {name: crun.Container(each, cpus=CPUS) for name, each in words.items()}
    spinner = crun.Container([attacks.PROGRAM, "spin"], weight=1, cpus=CPUS)
    return found | {f"spinner{i}": spinner for i in range(CPUS)}


def peer_works_measure(storms: list[str]) -> dict[str, float]:
    """The same under crun on Linux, in one boot."""
    storms = sorted(storms)  # as the guest takes them
    probe = probe_processor_time("storms-crun")
    arguments = ["-smp", str(CPUS), *real_time.NAMED_THREADS, *probe.arguments]
    with attacks.linux_tree(tools.OUT, PEER_PROGRAM) as tree:
        said = crun.guest_run(
            *(tree, peer_containers(storms), "storms", arguments),
            prepare=lambda guest: real_time.real_time_take_named(guest.process.pid),
        )
    ended = re.findall(r"@@@ victim beside (\S+): status 0\b", said)
    if ended != storms or "does not run" in said:
        raise BenchError(f"the victim failed, or a storm ended: {said[-4000:]}")
    return works_of(probe.hits(), storms, PEER_WINDOWS)


def works_of(hits: list[Hit], storms: list[str], windows: int) -> dict[str, float]:
    """Storm → the victim's work, of what it did beside each in turn."""
    found, each = windows_of(hits), PAIRS * windows
    if len(found) != each * len(storms):
        raise BenchError(f"{len(found)} windows of {len(storms)} times {each}")
    return {name: work_of(found[i * each : (i + 1) * each]) for i, name in enumerate(storms)}
