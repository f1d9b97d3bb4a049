"""`./cloister run` on a terminal: the prompt, poweroff, and Ctrl-A x."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator

import pytest

from pybuild.paths import ROOT

WAIT_SECONDS = 60


class Terminal:
    """`./cloister run` with a terminal of its own."""

    def __init__(self) -> None:
        self.ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            ["./cloister", "run"], cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        self.text = b""

    def expect(self, text: bytes) -> None:
        """Reads until the text is there."""
        deadline = time.monotonic() + WAIT_SECONDS
        while text not in self.text:
            ready, _, _ = select.select([self.ours], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"no {text!r}; read: {self.text!r}"
            try:
                self.text += os.read(self.ours, 4096)
            except OSError:
                raise AssertionError(f"ended before {text!r}; read: {self.text!r}") from None

    def send(self, text: bytes) -> None:
        """Types."""
        os.write(self.ours, text)

    def resize(self, rows: int, columns: int) -> None:
        """Makes the window another size."""
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
        self.process.send_signal(signal.SIGWINCH)

    def wait(self) -> int:
        """The exit status."""
        return self.process.wait(WAIT_SECONDS)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A running `./cloister run`, ended afterwards whatever happens."""
    found = Terminal()
    yield found
    found.process.kill()
    found.process.wait()
    os.close(found.ours)


def test_poweroff_ends_the_run(terminal: Terminal) -> None:
    terminal.expect(b"cloister# ")
    terminal.send(b"poweroff\r")
    assert terminal.wait() == 0


def test_ctrl_a_x_leaves(terminal: Terminal) -> None:
    terminal.expect(b"cloister# ")
    terminal.send(b"\x01x")
    assert terminal.wait() == 0


def test_a_window_that_changes_its_size(terminal: Terminal) -> None:
    """The program in the container is told, whatever terminal the window is of."""
    terminal.resize(31, 91)
    terminal.expect(b"cloister# ")
    terminal.send(
        b"run -it --rm busybox sh -c 'trap \"stty size\" WINCH; stty size; read x; read x'\r"
    )
    terminal.expect(b"31 91\r\n")
    terminal.resize(40, 100)
    terminal.expect(b"40 100\r\n")
    # The signal ends the first read, or came before it: then there are two to be answered.
    terminal.send(b"\r\r")
    terminal.expect(b"\x1b[?2048l")
    terminal.send(b"poweroff\r")
    assert terminal.wait() == 0
