"""A QEMU machine as a context manager.

States: configured (Machine(...)), running (inside `with`), ended (always, when `with` is left:
the process is gone and its sockets are closed, whatever happened).

The console is COM1, the command channel COM2, control is QMP; all over socket pairs, no ports and
no files that two runs could fight over. A failed start says the whole command; a wait that runs
out raises with what was read until then.
"""

import contextlib
import os
import re
import shlex
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from pybuild.paths import BUNDLE, DISK, KERNEL_ELF, KERNEL_LOG, ROOT

# What a kernel or a sanitizer says on the console when it is lost.
FATAL = re.compile(
    rb"^.*(PANIC|assertion failed|ERROR: AddressSanitizer|runtime error:).*$", re.MULTILINE
)
PANIC_REPORT_SECONDS = 2.0
START_SECONDS = 20.0


class MachineError(Exception):
    """The machine did not start, died, or said something fatal."""


class WaitError(MachineError):
    """A wait ran out; the text has what was read until then."""


@dataclass(frozen=True)
class MachineConfig:
    """What the machine is made of. Sizes in MiB; `kernel` and so on are files."""

    smp: int = 2
    icount_smp: int = 1  # with icount, where CPUs take turns
    mem_mib: int = 512
    icount: bool = False
    kernel: Path = KERNEL_ELF
    bundle: Path = BUNDLE
    disk: Path = DISK
    append: str = ""
    log: Path = KERNEL_LOG
    cpu: str = "max"
    # "tcg" or "kvm"; empty: KVM where it can be used.
    accel: str = ""
    qemu: tuple[str, ...] = ("qemu-system-x86_64",)
    extra: tuple[str, ...] = field(default=())


def kvm_usable() -> bool:
    """Whether KVM is to be used: the device opens and the CPU has the extension.

    On some machines the device is there without the extension, and hangs the guest.
    """
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR))
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return re.search(r"^flags\s*:.*\b(vmx|svm)\b", flags, re.MULTILINE) is not None


def machine_command(config: MachineConfig) -> list[str]:
    """The QEMU command without serial ports and control."""
    smp = config.icount_smp if config.icount else config.smp
    accel = config.accel or ("kvm" if kvm_usable() and not config.icount else "tcg")
    command = [
        *config.qemu,
        *("-M", "q35", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-accel", accel, "-cpu", config.cpu, "-smp", str(smp), "-m", str(config.mem_mib)),
        *("-kernel", str(config.kernel)),
    ]
    if config.bundle.exists():
        command += ["-initrd", str(config.bundle)]
    if config.append:
        command += ["-append", config.append]
    if config.icount:
        command += ["-icount", "shift=0,sleep=off", "-rtc", "base=2026-01-01,clock=vm"]
        command += ["-seed", "1"]
    if config.disk.exists():
        # The build makes the disk; what a run writes to it is gone with the run.
        command += ["-drive", f"if=none,id=disk0,format=raw,snapshot=on,file={config.disk}"]
        command += ["-device", "virtio-blk-pci,drive=disk0,disable-legacy=on,romfile="]
    command += ["-netdev", "user,id=net0"]
    command += ["-device", "virtio-net-pci,netdev=net0,disable-legacy=on,event_idx=off,romfile="]
    command += ["-device", "virtio-rng-pci,disable-legacy=on"]
    return command + list(config.extra)


class Line:
    """One serial line as a pwntools tube, with waits that have an end and say what was read."""

    def __init__(self, name: str, end: socket.socket, log: IO[bytes] | None = None) -> None:
        # The tube needs no terminal, and is not to complain on stderr that it does not know ours.
        os.environ.setdefault("PWNLIB_NOTERM", "1")
        from pwnlib.tubes.sock import sock

        self.name = name
        self.text = b""
        self._log = log
        tube = sock(timeout=0.05, level="error")
        tube.rhost, tube.rport = name, 0
        tube.sock = end
        tube.type = socket.SOCK_STREAM
        end.settimeout(0.05)
        self.tube: Any = tube

    def pump(self, timeout_s: float = 0.0) -> bytes:
        """What has arrived, waiting up to the time for the first byte; b"" when nothing has.

        Raises EOFError when the machine has closed the line.
        """
        data = bytes(self.tube.recv(65536, timeout=max(timeout_s, 0.001)) or b"")
        self.text += data
        if data and self._log is not None:
            self._log.write(data)
            self._log.flush()
        return data

    def send(self, data: bytes) -> None:
        """Sends bytes, as fast as the guest takes them."""
        self.tube.sock.settimeout(None)
        self.tube.send(data)
        self.tube.sock.settimeout(0.05)

    def expect(self, pattern: bytes, timeout_s: float, start: int = 0) -> re.Match[bytes]:
        """Waits until what was read since `start` matches; WaitError, MachineError on panic."""
        deadline = time.monotonic() + timeout_s
        compiled = re.compile(pattern, re.MULTILINE)
        while True:
            found = compiled.search(self.text, start)
            if found:
                return found
            if FATAL.search(self.text, start):
                self.drain(PANIC_REPORT_SECONDS)
                raise MachineError(f"{self.name}: the machine is lost:\n{self.tail()}")
            left = deadline - time.monotonic()
            if left <= 0:
                raise WaitError(
                    f"{self.name}: no {pattern!r} within {timeout_s} s; read:\n{self.tail()}"
                )
            try:
                self.pump(min(left, 0.2))
            except EOFError:
                if not compiled.search(self.text, start):
                    raise MachineError(
                        f"{self.name}: the machine ended before {pattern!r}; read:\n{self.tail()}"
                    ) from None

    def drain(self, quiet_s: float) -> None:
        """Reads until nothing came for so long, or the line is closed."""
        with contextlib.suppress(EOFError):
            while self.pump(quiet_s):
                pass

    def tail(self, lines: int = 40) -> str:
        """The last lines that were read."""
        return "\n".join(self.text.decode(errors="replace").splitlines()[-lines:])

    def close(self) -> None:
        """Closes our end."""
        with contextlib.suppress(OSError):
            self.tube.sock.close()


class Machine:
    """A running machine: `with Machine(MachineConfig()) as machine: ...`."""

    def __init__(self, config: MachineConfig | None = None) -> None:
        self.config = config or MachineConfig()
        self.started_s = 0.0
        self._clean = contextlib.ExitStack()
        self._process: subprocess.Popen[bytes] | None = None
        self._stderr: IO[bytes] | None = None
        self._qmp: Any = None
        self._checked = 0
        self.command: list[str] = []

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._clean.close()
            raise
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._clean.close()

    def _pair(self) -> tuple[socket.socket, socket.socket]:
        ours, theirs = socket.socketpair()
        self._clean.callback(ours.close)
        self._clean.callback(theirs.close)
        return ours, theirs

    def _start(self) -> None:
        pairs = {name: self._pair() for name in ("console", "channel", "qmp")}
        self.command = machine_command(self.config)
        for name, (_, theirs) in pairs.items():
            self.command += ["-chardev", f"socket,id={name},fd={theirs.fileno()}"]
        self.command += ["-serial", "chardev:console", "-serial", "chardev:channel"]
        self.command += ["-mon", "chardev=qmp,mode=control"]
        self.config.log.parent.mkdir(parents=True, exist_ok=True)
        log = self._clean.enter_context(self.config.log.open("wb"))
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 (closed by _clean)
        self._clean.callback(self._stderr.close)
        self.started_s = time.monotonic()
        try:
            self._process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=self._stderr,
                stderr=self._stderr,
                pass_fds=[theirs.fileno() for _, theirs in pairs.values()],
            )
        except OSError as error:
            raise MachineError(f"{error}\ncommand: {shlex.join(self.command)}") from None
        self._clean.callback(self._kill)
        for _, theirs in pairs.values():
            theirs.close()
        self.console = Line("console", pairs["console"][0], log)
        self.channel = Line("channel", pairs["channel"][0])
        self._control = pairs["qmp"][0]
        self._await_greeting()

    def _await_greeting(self) -> None:
        """Waits until QMP says a first word: then QEMU has taken its command line."""
        self._control.settimeout(START_SECONDS)
        try:
            said = self._control.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            raise MachineError(f"no QMP after {START_SECONDS} s\n{self.report()}") from None
        if not said:
            self._kill()
            raise MachineError(f"the machine did not start\n{self.report()}")

    def qmp(self, command: str, **arguments: object) -> Any:
        """Runs a QMP command and gives its result; raises what qemu.qmp raises."""
        if self._qmp is None:
            from qemu.qmp.legacy import QEMUMonitorProtocol

            self._control.setblocking(False)
            self._qmp = QEMUMonitorProtocol(self._control)
            self._qmp.connect()
            self._clean.callback(self._close_qmp, self._qmp)
        return self._qmp.cmd(command, **arguments)

    @staticmethod
    def _close_qmp(qmp: Any) -> None:
        with contextlib.suppress(Exception):
            qmp.close()

    def report(self) -> str:
        """What QEMU itself said, and the command to run again by hand."""
        said = ""
        if self._stderr is not None:
            self._stderr.seek(0)
            said = self._stderr.read().decode(errors="replace")
        return f"{said}command: {shlex.join(self.command)}"

    def wait(self, timeout_s: float) -> int:
        """Waits for QEMU to end, reading the console meanwhile; its exit status.

        WaitError when it has not ended in time, MachineError when the kernel is lost.
        """
        assert self._process is not None
        deadline = time.monotonic() + timeout_s
        while self._process.poll() is None:
            self.check_console()
            if time.monotonic() > deadline:
                text = self.console.tail()
                raise WaitError(f"the machine still runs after {timeout_s} s; console:\n{text}")
        self.console.drain(0.0)
        self.check_console()
        return self._process.returncode

    def check_console(self, wait_s: float = 0.05) -> None:
        """Reads what the console says; MachineError with the whole report when it says its end."""
        try:
            self.console.pump(wait_s)
        except EOFError:
            time.sleep(0.01)
        if FATAL.search(self.console.text, self._checked):
            self.console.drain(PANIC_REPORT_SECONDS)
            raise MachineError(f"the kernel is lost; end of its log:\n{self.console.tail()}")
        # The line that is not complete yet is looked at again.
        self._checked = self.console.text.rfind(b"\n") + 1

    def pid(self) -> int:
        """QEMU's process id."""
        assert self._process is not None
        return self._process.pid

    def is_running(self) -> bool:
        """Whether QEMU has not ended."""
        return self._process is not None and self._process.poll() is None

    def _kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
        if self._process is not None:
            self._process.wait()


def poll_until(check: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Waits until `check` is true; WaitError naming `what` when the time runs out."""
    deadline = time.monotonic() + timeout_s
    while not check():
        if time.monotonic() > deadline:
            raise WaitError(f"not within {timeout_s} s: {what}")
        time.sleep(0.01)
