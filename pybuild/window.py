"""A program in this terminal's window: bytes pass both ways as they are, and a change of its size
is told as a terminal in mode 2048 does it, which few terminals do by themselves.

The program gets a terminal of its own, for nothing else says when QEMU's window changes.
"""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import tty

REPORTS_ON, REPORTS_OFF = b"\x1b[?2048h", b"\x1b[?2048l"
READ_BYTES, WRITE_BYTES = 65536, 512


def window_size(fd: int) -> tuple[int, int]:
    """Rows and columns; 24 and 80 where they can't be told."""
    try:
        rows, columns, _, _ = struct.unpack("4H", fcntl.ioctl(fd, termios.TIOCGWINSZ, bytes(8)))
    except OSError:
        return 24, 80
    return (rows, columns) if rows and columns else (24, 80)


class Window:
    """What is on its way to the program behind `master`, and whether it wants reports."""

    def __init__(self, master: int) -> None:
        self.master = master
        self.pending = b""
        self.has_reports = False
        self.tail = b""
        self.is_plain = False

    def report(self) -> None:
        """Tells the size, if that is wanted."""
        if self.has_reports:
            rows, columns = window_size(sys.stdin.fileno())
            self.pending += f"\x1b[48;{rows};{columns};0;0t".encode()

    def watch(self, shown: bytes) -> None:
        """Looks for the mode in what the program shows; the first report follows at once."""
        text = self.tail + shown
        self.tail = text[-len(REPORTS_ON) + 1 :]
        on, off = text.rfind(REPORTS_ON), text.rfind(REPORTS_OFF)
        if on != off:
            self.has_reports = on > off
            self.is_plain = False
            self.report()

    def make_plain(self) -> None:
        """Newlines stay newlines: QEMU has its terminal add returns, each time that it sets it."""
        settings = termios.tcgetattr(self.master)
        settings[1] &= ~termios.OPOST
        termios.tcsetattr(self.master, termios.TCSANOW, settings)
        self.is_plain = True

    def relay(self, wakeup: int) -> None:
        """Until the program has closed its side."""
        keyboard = sys.stdin.fileno()
        is_over = False
        while True:
            readers = [self.master, wakeup] + ([] if self.pending or is_over else [keyboard])
            writers = [self.master] if self.pending else []
            readable, writable, _ = select.select(readers, writers, [])
            if wakeup in readable:
                os.read(wakeup, READ_BYTES)
                self.report()
            if keyboard in readable:
                typed = os.read(keyboard, READ_BYTES)
                is_over = not typed
                self.pending += typed
            if writable:
                self.pending = self.pending[os.write(self.master, self.pending[:WRITE_BYTES]) :]
            if self.master in readable and not self._show():
                return

    def _show(self) -> bool:
        try:
            shown = os.read(self.master, READ_BYTES)
        except OSError:  # Linux's way to say that the other side is closed
            return False
        self.watch(shown)
        if not self.is_plain:
            self.make_plain()
        while shown:
            shown = shown[os.write(sys.stdout.fileno(), shown) :]
        return True


def window_run(command: list[str]) -> int:
    """Runs the command in a terminal behind this one; its exit status."""
    settings = termios.tcgetattr(sys.stdin)
    child, master = pty.fork()
    if child == 0:
        os.execvp(command[0], command)
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    signal.signal(signal.SIGWINCH, lambda _signal, _frame: None)
    signal.set_wakeup_fd(theirs)
    try:
        tty.setraw(sys.stdin)
        Window(master).relay(ours)
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, settings)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
