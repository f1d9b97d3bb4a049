"""Our half of a bench: Cloister on the same machine as the peer, driven by its own interfaces.

Three kinds of run: to the prompt, on the console; native bench programs, named on the kernel's
command line (tests/native/bench_*.c, in the test bundle); containers, by `run -c` over COM2.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median

from pybuild.bench.guest import Probe, guest_start
from pybuild.bench.markers import Hit, constants, samples
from pybuild.bench.metrics import USERLAND
from pybuild.bench.tools import BenchError
from pybuild.command import command_run
from pybuild.machine import Machine, MachineConfig, MachineError, machine_command
from pybuild.paths import BUILD, TEST_BUNDLE

PROMPT = "cloister# "
# The machine of guest.MACHINE, in the harness's words.
CONFIG = MachineConfig(
    smp=1, mem_mib=512, cpu="max,erms=off", accel="tcg", log=BUILD / "bench" / "cloister.log"
)
# The image that holds tests/bench/tiny.c, as its command, and bench_linux.
IMAGE = "tiny"
PROGRAM = "/bin/bench_linux"
# The image with a userland, and what runs in it.
USERLAND_IMAGE = "bench"
USERLAND_PROGRAM = "/bin/bench_userland"
STARTS = 15
TOGETHER = 64
PAGE_BYTES = 4096


@dataclass(frozen=True)
class Run:
    """One boot that reaches the markers of these metrics."""

    name: str
    metrics: frozenset[str]
    hits: Callable[[Probe], list[Hit]]


def boot_arguments() -> list[str]:
    """What Cloister's machine has beyond the bench's own: kernel, bundle, devices."""
    command = machine_command(CONFIG)
    return [*command[command.index("-kernel") :], "-serial", "null"]


def boot_seconds() -> float:
    """QEMU's start → the prompt, on the host's clock."""
    with guest_start(boot_arguments()) as guest:
        return guest.wait_for(PROMPT, timeout_seconds=30)


def boot_hits(probe: Probe) -> list[Hit]:
    """Boots to the prompt with a probe."""
    with guest_start([*boot_arguments(), *probe.arguments]) as guest:
        guest.wait_for(PROMPT, timeout_seconds=60)
    return probe.hits()


def probed(probe: Probe, append: str) -> MachineConfig:
    """The bench's machine with a probe."""
    return replace(CONFIG, append=append, extra=tuple(probe.arguments))


def native_hits(probe: Probe, program: str) -> list[Hit]:
    """Runs a native bench program of the test bundle."""
    config = replace(probed(probe, f"test={program}"), bundle=TEST_BUNDLE)
    try:
        with Machine(config) as machine:
            machine.wait(120)
            text = machine.console.text
            if not re.search(rb"^TEST \S+ PASS", text, re.MULTILINE) or b" FAIL" in text:
                raise BenchError(f"{program}: {machine.report()}\n{machine.console.tail()}")
    except MachineError as error:
        raise BenchError(str(error)) from None
    return probe.hits()


def revocation_hits(probe: Probe) -> list[Hit]:
    """Runs tests/native/revocation.c."""
    return native_hits(probe, "revocation")


def revocation_instructions(hits: list[Hit]) -> float | None:
    """Of its one call; None: it did not come to that."""
    found = samples(hits, "REVOCATION_BEGIN", "REVOCATION_END", "instructions")
    return found[0] if found else None


def start_hits(probe: Probe) -> list[Hit]:
    """Starts the tiny program's container again and again."""
    commands_run(probed(probe, "channel=com2"), [f"run --rm {IMAGE}"] * STARTS)
    return probe.hits()


def batch_hits(probe: Probe) -> list[Hit]:
    """Starts containers that stay, all at once; a first one and a pause come before."""
    commands_run(probed(probe, "channel=com2"), batch_commands())
    return probe.hits()


def batch_commands() -> list[str]:
    """One start, and many at once."""
    start, pause = f"run -d {IMAGE} {PROGRAM} idle", "run --rm busybox sleep 0.2"
    return [start, pause, *[start] * TOGETHER, pause]


def batch_each(hits: list[Hit]) -> float | None:
    """Instructions of each start of a batch: from the first request to the last program.

    Which of them the CPU does in what order is the scheduler's affair. None: some did not start.
    """
    told, first = (
        [hit.instructions for hit in hits if hit.marker == constants()[name]]
        for name in ("CONTAINER_TOLD", "CONTAINER_FIRST")
    )
    if len(first) != TOGETHER + 1:
        return None
    return (first[-1] - told[2]) / TOGETHER


def single_each(hits: list[Hit]) -> float | None:
    """The same of starts one by one: from the end of the container before to the program."""
    found = samples(hits, "CONTAINER_GONE", "CONTAINER_FIRST", "instructions")
    return median(found[1:]) if found else None


def program_hits(probe: Probe, program: str) -> list[Hit]:
    """Runs a Linux bench (image, program, argument) in a container, whose start does not count."""
    commands_run(probed(probe, "channel=com2"), [f"run --rm {program}"])
    starts = {number for name, number in constants().items() if name.startswith("CONTAINER_")}
    return [hit for hit in probe.hits() if hit.marker not in starts]


def commands_run(
    config: MachineConfig,
    commands: list[str],
    prepare: Callable[[Machine], None] = lambda machine: None,
) -> bytes:
    """Gives the shell these commands in one boot; BenchError unless the last one's status is 0."""
    out, errors = bytearray(), bytearray()

    def sink(kind: str, data: bytes) -> None:
        (out if kind == "O" else errors).extend(data)

    try:
        with Machine(config) as machine:
            prepare(machine)
            status = command_run(machine, "; ".join(commands).encode(), 240, sink)
            machine.wait(10)
    except (MachineError, TimeoutError) as error:
        raise BenchError(str(error)) from None
    if status:
        raise BenchError(f"status {status} of {commands[-1]!r}: {errors.decode(errors='replace')}")
    return bytes(out)


@dataclass(frozen=True)
class IdleMemory:
    """What an idle container holds, in bytes. Reserved pages count, used or not."""

    held: int
    credit_unused: int


def idle_memory() -> IdleMemory:
    """Reads the ledger of a container whose only process waits for ever."""
    start = f"run -d --name idle {IMAGE} {PROGRAM} idle"
    out = commands_run(
        replace(CONFIG, append="channel=com2"),
        # It has come to rest when another container has started, slept and ended.
        [start, "run --rm busybox sleep 1", "inspect idle", "rm -f idle"],
    )
    return idle_parse(out.decode())


def idle_parse(text: str) -> IdleMemory:
    """The memory in what `run -d`, `inspect` and `rm` printed; BenchError when it is not there.

    Names are those of the ABI's ns_info; where in the JSON they are is the shell's affair.
    """
    pages = {
        name: int(number) * PAGE_BYTES
        for name, number in re.findall(r'"memory_(used|reserved|idle)_pages"\s*:\s*(\d+)', text)
    }
    if pages.keys() != {"used", "reserved", "idle"}:
        raise BenchError(f"`inspect` does not say the container's pages: {text}")
    return IdleMemory(max(pages["used"], pages["reserved"]), pages["idle"])


def runs() -> list[Run]:
    """Every boot that a whole bench needs, one for each thing so that each can fail alone."""

    def native(metric: str) -> Run:
        program = f"bench_{metric}"
        return Run(program, frozenset({metric}), lambda probe: native_hits(probe, program))

    def linux(metric: str, bench: str) -> Run:
        program = f"{IMAGE} {PROGRAM} {bench}"
        return Run(bench, frozenset({metric}), lambda probe: program_hits(probe, program))

    def userland(metric: str, bench: str) -> Run:
        program = f"{USERLAND_IMAGE} {USERLAND_PROGRAM} {bench}"
        return Run(bench, frozenset({metric}), lambda probe: program_hits(probe, program))

    return [
        Run("boot", frozenset({"boot_to_prompt"}), boot_hits),
        native("null_syscall"),
        native("channel_call"),
        Run("starts", frozenset({"container_start", "container_cycle"}), start_hits),
        linux("linux_getppid", "getppid"),
        linux("sched_yield", "yield_alone"),
        linux("sched_yield", "yield_pair"),
        linux("page_touch", "page_touch"),
        *(userland(metric, bench) for metric, _, bench, _, _ in USERLAND),
    ]
