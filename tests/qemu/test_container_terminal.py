"""Terminals of containers, as far as the shell and the manager have a part in them. What programs
see of them is in tests/screens and tests/linux/terminals.c.
"""

from collections.abc import Iterator

import pytest

from pybuild.command import run_captured
from pybuild.machine import Machine, MachineConfig
from pybuild.paths import BUILD

LOG = BUILD / "test" / "container_terminal.log"
SHELL_PROMPT = rb"cloister# $"
PROMPT = rb"/ # (\x1b\[6n)?$"
WAIT_SECONDS = 20
STATUS_USAGE = 125


class Terminal:
    """The console of a machine at its prompt."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.place = 0
        self.expect(SHELL_PROMPT)

    def expect(self, pattern: bytes) -> bytes:
        """Waits for a pattern behind what was read before; the text up to its end."""
        found = self.machine.console.expect(pattern, WAIT_SECONDS, self.place)
        text = self.machine.console.text[self.place : found.end()]
        self.place = found.end()
        return text

    def type(self, keys: bytes) -> None:
        """Types."""
        self.machine.console.send(keys)

    def run(self, line: bytes) -> bytes:
        """Types a line for Cloister's shell; what is shown until its next prompt."""
        self.type(line + b"\r")
        return self.expect(SHELL_PROMPT)


@pytest.fixture(scope="module")
def terminal() -> Iterator[Terminal]:
    """One machine for all tests that type."""
    with Machine(MachineConfig(log=LOG)) as machine:
        yield Terminal(machine)


def test_the_size_is_the_terminals(terminal: Terminal) -> None:
    """It is asked for at the start; what is typed before the answer is not lost."""
    terminal.type(b"run -it --rm busybox sh -c 'stty size; read x; echo $x'\r")
    terminal.expect(rb"\x1b\[18t")
    terminal.type(b"ahe\x1b[8;33;101tad\r")
    terminal.expect(rb"33 101\r\n")
    terminal.expect(rb"^ahead\r\n")
    terminal.expect(SHELL_PROMPT)


def test_a_change_of_size_reaches_the_program(terminal: Terminal) -> None:
    """As the terminal reports it, in the middle of what is typed; SIGWINCH comes with it."""
    # A trap ends a read, but not the line that is being typed.
    script = b"trap 'stty size' WINCH; echo up; until [ $x ]; do read x; done; echo got $x"
    terminal.type(b'run -it --rm busybox sh -c "' + script + b'"\r')
    terminal.expect(rb"up\r\n")
    for rows in range(40, 45):
        terminal.type(f"a\x1b[48;{rows};100;640;800tb".encode())
        terminal.expect(rf"{rows} 100\r\n".encode())
    terminal.type(b"\r")
    terminal.expect(rb"got ababababab\r\n")
    terminal.expect(SHELL_PROMPT)


def test_escape_is_a_key(terminal: Terminal) -> None:
    """What only begins like a report is the program's, soon."""
    script = b"stty raw -echo; echo up; dd bs=1 count=5 2>/dev/null | od -An -tx1; stty sane"
    terminal.type(b"run -it --rm busybox sh -c '" + script + b"'\r")
    terminal.expect(rb"up\n")
    terminal.type(b"\x1b")
    terminal.type(b"[48")
    terminal.type(b"\x10")
    terminal.expect(rb"1b 5b 34 38 10")
    terminal.expect(SHELL_PROMPT)


def test_a_paste_is_whole(terminal: Terminal) -> None:
    """More than all buffers on the way hold, for a program that reads it line by line."""
    terminal.type(b"run -it --rm busybox sh -c 'stty -echo; echo up; wc'\r")
    terminal.expect(rb"up\r\n")
    terminal.type(b"0123456789abcde\r" * 1500 + b"\x04")
    terminal.expect(rb"1500 +1500 +24000\r\n")
    terminal.expect(SHELL_PROMPT)


def test_without_input_ctrl_c_ends_the_container(terminal: Terminal) -> None:
    terminal.type(b"run -t --name t busybox sh -c 'tty; sleep 1000'\r")
    terminal.expect(rb"/dev/pts/0\r\n")
    terminal.type(b"\x03")
    terminal.expect(SHELL_PROMPT)
    assert b"Exited" in terminal.run(b"ps -a")
    assert terminal.run(b"logs t").startswith(b"logs t\r\n/dev/pts/0\r\n")
    terminal.run(b"rm t")


def test_exec_gets_a_terminal_of_its_own(terminal: Terminal) -> None:
    """With job control; the end of its shell ends what it has stopped."""
    terminal.run(b"run -d --name c busybox sleep 1000")
    terminal.type(b"exec -it c sh\r")
    terminal.expect(PROMPT)
    terminal.type(b"tty\r")
    terminal.expect(rb"/dev/pts/0\r\n")
    terminal.expect(PROMPT)
    terminal.type(b"sh -c 'echo on; exec sleep 999'\r")
    terminal.expect(rb"^on\r\n")
    terminal.type(b"\x1a")
    terminal.expect(rb"Stopped")
    terminal.expect(PROMPT)
    terminal.type(b"exit\r")
    terminal.expect(PROMPT)
    terminal.type(b"exit 4\r")
    terminal.expect(SHELL_PROMPT)
    assert b"999" not in terminal.run(b"top c")
    terminal.run(b"rm -f c")


def test_a_command_without_a_console() -> None:
    """-t alone gives a terminal of the usual size; -it has nobody who types."""
    config = MachineConfig(log=LOG)
    result = run_captured(config, "run -t --rm busybox sh -c 'tty; stty size; echo $TERM'")
    assert (result.status, result.out) == (0, b"/dev/pts/0\r\n24 80\r\nxterm\r\n")
    result = run_captured(config, "run --rm busybox sh -c 'tty; : < /dev/tty'")
    assert result.out == b"not a tty\n"
    assert b"/dev/tty: No such device or address" in result.err
    assert run_captured(config, "run -it busybox sh").status == STATUS_USAGE
