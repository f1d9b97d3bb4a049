"""The command channel on COM2: one command for the shell, its output, its status.

Version 1. Guest: `READY 1\\n`. Host: `RUN <bytes>\\n` and the command. Guest: frames
`O <bytes>\\n...` (stdout), `E <bytes>\\n...` (stderr), last `S <status>\\n`; then it powers off.
docs/decisions/console-and-command-channel.md says why.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from pybuild.machine import Machine, MachineConfig, MachineError

# On the kernel's command line: the shell takes its command from COM2.
CHANNEL_WORD = "channel=com2"
STATUS_TIMEOUT = 124
STATUS_OURS = 125
HEAD_BYTES_MAX = 32


class ProtocolError(MachineError):
    """The guest sent something that is no frame."""


@dataclass
class FrameReader:
    """Takes bytes as they come, gives (kind, payload) for each whole frame.

    Kinds: READY and S with their number as payload, O and E with bytes.
    """

    pending: bytes = field(default=b"")

    def feed(self, data: bytes) -> list[tuple[str, bytes]]:
        """The frames that these bytes complete; ProtocolError for what is no frame."""
        self.pending += data
        frames = []
        while (frame := self._next()) is not None:
            frames.append(frame)
        return frames

    def _next(self) -> tuple[str, bytes] | None:
        head, newline, rest = self.pending.partition(b"\n")
        if not newline:
            if len(head) > HEAD_BYTES_MAX:
                raise ProtocolError(f"command channel: no frame: {head[:80]!r}")
            return None
        kind, _, number = head.decode(errors="replace").partition(" ")
        if kind not in ("READY", "O", "E", "S") or not number.isdecimal():
            raise ProtocolError(f"command channel: no frame: {head[:80]!r}")
        if kind in ("READY", "S"):
            self.pending = rest
            return kind, number.encode()
        size = int(number)
        if len(rest) < size:
            return None
        self.pending = rest[size:]
        return kind, rest[:size]


def command_run(
    machine: Machine, command: bytes, timeout_s: float, sink: Callable[[str, bytes], None]
) -> int:
    """Gives a running machine one command; its output goes to sink("O" or "E", bytes).

    The status of the command; TimeoutError when the time since QEMU's start is over,
    MachineError when the machine is lost before the status came.
    """
    deadline = machine.started_s + timeout_s
    reader = FrameReader()
    while True:
        if time.monotonic() > deadline:
            raise TimeoutError(f"no end after {timeout_s:g} s")
        try:
            data = machine.channel.pump(0.05)
        except EOFError:
            machine.console.drain(0.2)
            text = f"the machine ended without a status; end of its log:\n{machine.console.tail()}"
            raise MachineError(f"{text}\n{machine.report()}") from None
        for kind, payload in reader.feed(data):
            if kind == "READY":
                machine.channel.send(b"RUN %d\n" % len(command) + command)
            elif kind == "S":
                return int(payload)
            else:
                sink(kind, payload)
        if not data:
            machine.check_console(0.0)


@dataclass
class Result:
    """What a command gave."""

    status: int = -1
    out: bytes = b""
    err: bytes = b""

    def take(self, kind: str, data: bytes) -> None:
        """A sink of command_run."""
        if kind == "O":
            self.out += data
        else:
            self.err += data


def config_with_channel(config: MachineConfig) -> MachineConfig:
    """The machine, its shell told to take a command from COM2."""
    return replace(config, append=f"{config.append} {CHANNEL_WORD}".strip())


def run_captured(config: MachineConfig, command: str, timeout_s: float = 60.0) -> Result:
    """Boots, runs a command, waits for the poweroff; raises as command_run does."""
    result = Result()
    with Machine(config_with_channel(config)) as machine:
        result.status = command_run(machine, command.encode(), timeout_s, result.take)
        machine.wait(10.0)
    return result


def _to_our_files(kind: str, data: bytes) -> None:
    out = sys.stdout.buffer if kind == "O" else sys.stderr.buffer
    out.write(data)
    out.flush()


def run_one_command(config: MachineConfig, command: str, timeout_s: float) -> int:
    """`./cloister run -c`: boots, runs, powers off; the status for our own exit."""
    try:
        with Machine(config_with_channel(config)) as machine:
            status = command_run(machine, command.encode(), timeout_s, _to_our_files)
            try:
                machine.wait(5.0)
            except MachineError:
                print("cloister: the machine did not power off by itself", file=sys.stderr)
            return status
    except TimeoutError as error:
        print(f"cloister: {error}", file=sys.stderr)
        return STATUS_TIMEOUT
    except MachineError as error:
        print(f"cloister: {error}", file=sys.stderr)
        return STATUS_OURS
