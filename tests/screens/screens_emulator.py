"""A terminal at the other end of a serial line: pyte renders what comes, and answers."""

import re
import time
from collections.abc import Callable

import pyte

from pybuild.machine import Line, MachineError, WaitError

ROWS, COLUMNS = 24, 80
SIZE_REQUEST = re.compile(rb"\x1b\[18t")
QUIET_SECONDS = 0.4
STAY_SECONDS = 0.05
WAIT_SECONDS = 20


class Screen(pyte.Screen):
    """A screen that gives its answers to somebody."""

    def __init__(self, answer: Callable[[str], None]) -> None:
        super().__init__(COLUMNS, ROWS)
        self._answer = answer

    def write_process_input(self, data: str) -> None:
        """What the terminal itself says, as if it were typed."""
        self._answer(data)


class Emulator:
    """A screen on a line. It answers requests for the cursor's place and the screen's size."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.screen = Screen(self._answer)
        self.stream = pyte.ByteStream(self.screen)
        self._fed = len(line.text)
        self.answers = 0

    def _answer(self, text: str) -> None:
        self.answers += 1
        self.line.send(text.encode())

    def _feed(self) -> None:
        new = self.line.text[self._fed :]
        self._fed = len(self.line.text)
        self.stream.feed(new)
        for _ in SIZE_REQUEST.finditer(new):
            self._answer(f"\x1b[8;{self.screen.lines};{self.screen.columns}t")

    def text(self) -> str:
        """What is to be seen, without spaces at ends of lines; where the cursor is, and how often
        that or the size was asked for: who types before the answer types into it.
        """
        cursor = self.screen.cursor
        rows = [row.rstrip() for row in self.screen.display]
        rows[cursor.y] = rows[cursor.y].ljust(cursor.x)
        return "\n".join(rows).rstrip("\n") + f"\n[cursor {cursor.y},{cursor.x}; {self.answers}]"

    def send(self, data: bytes) -> None:
        """Types."""
        self.line.send(data)

    def place(self) -> int:
        """How much has been read. Answers are counted from here on."""
        self.answers = 0
        return len(self.line.text)

    def reset(self) -> None:
        """An empty screen of the usual size."""
        self.screen.resize(ROWS, COLUMNS)
        self.screen.reset()

    def expect(self, pattern: str, place: int = 0, timeout_seconds: float = WAIT_SECONDS) -> None:
        """Waits until more than `place` was read and the pattern is to be seen."""
        deadline = time.monotonic() + timeout_seconds
        while len(self.line.text) <= place or not re.search(pattern, self.text(), re.MULTILINE):
            if time.monotonic() > deadline:
                raise WaitError(f"no {pattern!r} on the screen:\n{self.text()}")
            self._pump(0.2)

    def _pump(self, seconds: float) -> bool:
        try:
            data = self.line.pump(seconds)
        except EOFError:
            raise MachineError(f"the machine ended:\n{self.text()}") from None
        self._feed()
        return bool(data)

    def expect_text(self, text: str, timeout_seconds: float = WAIT_SECONDS) -> None:
        """Waits until the screen is this, and stays."""
        deadline = time.monotonic() + timeout_seconds
        while self.text() != text or self._pump(STAY_SECONDS):
            if time.monotonic() > deadline:
                raise WaitError(self.text())
            self._pump(STAY_SECONDS)
        # busybox drops what it reads together with an answer.
        if self.answers:
            self.settle()

    def settle(self) -> None:
        """Reads until nothing came for a while."""
        while self._pump(QUIET_SECONDS):
            pass

    def resize(self, rows: int, columns: int) -> None:
        """The window is another size now; telling so is the caller's."""
        self.screen.resize(rows, columns)
