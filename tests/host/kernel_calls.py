"""The kernel's own code in a process of its own, call by call (tests/host/kernel/calls.c)."""

from __future__ import annotations

import os
import runpy
import select
import struct
import subprocess
from collections import deque
from types import SimpleNamespace
from typing import NamedTuple

from model import Access

from pybuild import host
from pybuild.paths import BUILD, ROOT

abi = SimpleNamespace(**runpy.run_path(str(BUILD / "gen" / "python" / "abi.py")))
NUMBERS = {call.name: call.number for call in abi.SYSCALLS}
ERROR_NAMES = {value: name for name, value in abi.ERRORS.items()}
TYPE_NAMES = {value: name for name, value in abi.OBJECTS.items()}
LIMITS_SAME = "#" + "ff" * abi.STRUCT_SIZES["ns_limits"]
ACL_USERS = 8
ANSWER_MS = 60_000  # a kernel that takes longer hangs


class Facts(NamedTuple):
    """What the kernel knows of a handle; `revoker` is a koid, or 0."""

    koid: int
    kind: str
    rights: int
    user: int
    revoker: int


def host_program() -> host.HostProgram:
    """The program, with sanitizers."""
    folder = ROOT / "tests" / "host" / "kernel"
    sources = (
        *(folder / "calls.c", folder / "calls_more.c", folder / "disk.c"),
        ROOT / "kernel" / "syscall" / "syscall.c",
        BUILD / "gen" / "kernel" / "dispatch.c",
    )
    return host.kernel_program("calls", *sources, sanitizers=("address", "undefined"))


def program() -> str:
    """The program, built."""
    return str(host.build(host_program()))


def acl(access: Access) -> str:
    """struct acl."""
    users = [user for user, _ in access.users]
    rights = [allowed for _, allowed in access.users]
    pad = [0] * (ACL_USERS - len(users))
    fields = (len(users), access.everyone, *users, *pad, *rights, *pad)
    return "#" + struct.pack(f"<II{2 * ACL_USERS}I", *fields).hex()


class Kernel:
    """The kernel in a process of its own; one call a line."""

    def __init__(self, program: str) -> None:
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdin and self.process.stdout
        self._stdin, self._stdout = self.process.stdin, self.process.stdout
        self._readable = select.poll()
        self._readable.register(self._stdout, select.POLLIN)
        self._lines: deque[bytes] = deque()
        self._rest = b""
        self.root = int(self._line())
        self.store = 0
        self.images: list[tuple[int, int]] = []  # first page on the disk, and handle

    def _read(self) -> None:
        if not self._readable.poll(ANSWER_MS):
            self.process.kill()
            raise AssertionError("the kernel hangs")
        part = os.read(self._stdout.fileno(), 65536)
        assert part, "the kernel is gone; its last words are above"
        *lines, self._rest = (self._rest + part).split(b"\n")
        self._lines.extend(lines)

    def _line(self) -> str:
        while not self._lines:
            self._read()
        return self._lines.popleft().decode()

    def _write(self, lines: list[str]) -> None:
        try:
            self._stdin.write("\n".join([*lines, ""]).encode())
            self._stdin.flush()
        except BrokenPipeError:
            raise AssertionError("the kernel is gone; its last words are above") from None

    def call(self, name: str, *arguments: int | str) -> tuple[str, list[int], bytes]:
        """Error name, three results, and the bytes of an output."""
        return self.calls(name, [arguments])[0]

    def calls(
        self, name: str, each: list[tuple[int | str, ...]]
    ) -> list[tuple[str, list[int], bytes]]:
        """Many of them; few enough that the answers fit in a pipe."""
        self._write([" ".join(map(str, (NUMBERS[name], *arguments))) for arguments in each])
        return [self._answer() for _ in each]

    def _answer(self) -> tuple[str, list[int], bytes]:
        status, *rest = self._line().split(" ")
        return ERROR_NAMES[int(status)], [int(w) for w in rest[:3]], bytes.fromhex(rest[3].strip())

    def close(self) -> None:
        """Ends it; it must end well (the sanitizers speak at the end)."""
        self._stdin.close()
        status = self.process.wait(timeout=60)
        self._stdout.close()
        assert status == 0

    def _say(self, lines: list[str]) -> list[list[int]]:
        """Lines that are answered with numbers; few enough that the answers fit in the pipe."""
        self._write(lines)
        return [[int(word) for word in self._line().split()] for _ in lines]

    @staticmethod
    def _facts(words: list[int]) -> tuple[str, Facts | None]:
        error = ERROR_NAMES[words[0]]
        koid, kind, rights, user, revoker = words[1:]
        return error, Facts(koid, TYPE_NAMES[kind], rights, user, revoker) if koid else None

    def look(self, number: int) -> Facts:
        """What a handle is."""
        _, facts = self._facts(self._say([f"?look {number}"])[0])
        assert facts
        return facts

    def make(self, kind: str, ns: int) -> int:
        """An object on a namespace's account; its handle."""
        number = self._say([f"?make {abi.OBJECTS[kind]} {ns}"])[0][0]
        assert number, kind
        return number

    def probe(
        self, name: str, calls: list[tuple[int | str, ...]]
    ) -> list[tuple[str, Facts | None]]:
        """Calls that give a handle, which is closed at once: the error, and what it was."""
        lines = [" ".join(map(str, ("?probe", NUMBERS[name], *call))) for call in calls]
        return [self._facts(words) for words in self._say(lines)]
