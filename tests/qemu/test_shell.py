"""The shell on the console, and its commands from the outside."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from ledgers import LOOK, assert_equal_looks

from pybuild.command import Result, run_captured
from pybuild.machine import Machine, MachineConfig
from pybuild.paths import BUILD

LOG = BUILD / "test" / "shell.log"
PROMPT = rb"cloister# $"
WAIT_SECONDS = 30
STATUS_USAGE = 125


class Console:
    """A machine at its prompt."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.place = 0
        self.expect(PROMPT)

    def expect(self, pattern: bytes) -> bytes:
        """Waits for a pattern behind what was read before; the text up to its end."""
        found = self.machine.console.expect(pattern, WAIT_SECONDS, self.place)
        text = self.machine.console.text[self.place : found.end()]
        self.place = found.end()
        return text

    def run(self, line: bytes) -> bytes:
        """Types a line; what is shown until the next prompt."""
        self.machine.console.send(line + b"\r")
        return self.expect(PROMPT)


@pytest.fixture(scope="module")
def console() -> Iterator[Console]:
    """One machine for all tests of this file that need a console."""
    with Machine(MachineConfig(log=LOG)) as machine:
        yield Console(machine)


def test_what_is_typed_is_echoed_and_run(console: Console) -> None:
    assert console.run(b"run --rm busybox echo hi").startswith(
        b"run --rm busybox echo hi\r\nhi\r\n"
    )


def test_backspace_and_control_keys(console: Console) -> None:
    assert b"\r\nab\r\n" in console.run(b"run --rm busybox echo abc\x7f")
    assert b"\r\nok\r\n" in console.run(b"nonsense\x15run --rm busybox echo ok")
    assert b"\r\none\r\n" in console.run(b"run --rm busybox echo one two\x17")
    console.machine.console.send(b"nonsense\x03")
    console.expect(PROMPT)
    assert b"no command" not in console.run(b"")


def test_an_unknown_command_is_named(console: Console) -> None:
    assert b"`nonsense`" in console.run(b"nonsense")


def test_ctrl_c_kills_the_container(console: Console) -> None:
    console.machine.console.send(b"run --rm busybox sh -c 'echo up; sleep 1000'\r")
    console.expect(rb"\nup\r")
    console.machine.console.send(b"\x03")
    console.expect(PROMPT)
    assert b"sleep" not in console.run(b"ps -a")


def test_what_is_typed_ahead_is_run(console: Console) -> None:
    console.machine.console.send(b"run --rm busybox sleep 0.2\rrun --rm busybox echo ahead\r")
    console.expect(rb"\nahead\r")
    console.expect(PROMPT)


def test_a_poll_waits_for_input(console: Console) -> None:
    """read -t polls: once it runs out, once it is woken by what is typed."""
    script = "read -t 0.1 a || echo out; echo up; read -t 20 b; echo got $b"
    console.machine.console.send(f"run --rm -i busybox sh -c '{script}'\r".encode())
    console.expect(rb"\nout\r\nup\r")
    console.machine.console.send(b"typed\r")
    console.expect(rb"\ngot typed\r")
    console.expect(PROMPT)


def test_input_reaches_the_container(console: Console) -> None:
    console.machine.console.send(b"run --rm -i busybox sh -c 'read a; echo got $a; cat'\r")
    console.machine.console.send(b"one\r")
    console.expect(rb"got one")
    console.machine.console.send(b"two\r\x04")
    text = console.expect(PROMPT)
    assert text.count(b"two") == 2


def shell(command: str) -> Result:
    """Boots and gives the shell a command."""
    return run_captured(MachineConfig(log=LOG), command)


USAGE_ERRORS = [
    "run",
    "run --nonsense busybox true",
    "run -x busybox true",
    "run -e novalue busybox true",
    "run --name",
    "run -dx busybox",
    "run -w rel busybox pwd",
    "run -m 1q busybox true",
    "run -m 10k busybox true",
    "run --pids-limit 0 busybox true",
    "kill -s NOSUCH a",
    "kill -s 65 a",
    "stop -t x a",
    "stop",
    "wait",
    "ps -z",
    "images all",
    "free all",
    "rm",
    "rm -x a",
    "kill",
    "kill -9 a",
    "inspect",
    "inspect a b",
    "run busybox 'no end",
    "run busybox a | b",
]


def test_usage_errors() -> None:
    """Each is a line that says what is wrong; the status is 125."""
    for command in USAGE_ERRORS[-2:]:
        result = shell(command)
        assert (result.status, result.out) == (STATUS_USAGE, b"")
    result = shell("; ".join(USAGE_ERRORS[:-2]))
    assert result.out == b""
    assert result.status == STATUS_USAGE
    assert result.err.count(b"usage: ") == len(USAGE_ERRORS) - 2


def test_names() -> None:
    bad = ["''", "-a", ".a", "a/b", "a b", "ä", "x" * 64]
    runs = "; ".join(f"run --name {name!r} busybox true" for name in bad if name != "''")
    result = shell(f"run --name {'x' * 63} busybox true; {runs}; run --name a busybox true; ps -a")
    assert result.status == 0
    assert result.err.count(b"can't be a container's name") == len(bad) - 1
    assert len(result.out.splitlines()) == 3
    assert shell("run --name a busybox true; run --name a busybox true").status == STATUS_USAGE


def test_environment() -> None:
    command = "run --rm -e A=1 -e 'B=x y' --env PATH=/bin:/q --env=C= busybox env"
    lines = shell(command).out.decode().splitlines()
    assert {"A=1", "B=x y", "PATH=/bin:/q", "C="} <= set(lines)
    assert sum(line.startswith("PATH=") for line in lines) == 1


def test_ps_rm_kill_and_inspect() -> None:
    result = shell(
        "run -d --name c busybox sleep 1000; ps; rm c; kill c; ps; ps -a; inspect c; rm c; ps -a"
    )
    out = result.out.decode()
    assert "`rm -f c`" in result.err.decode()
    assert out.count("Up ") == 1
    assert out.count("Exited (137)") == 1
    assert result.status == 0
    facts = json.loads(out[out.index("[\n") : out.index("\n]") + 2])[0]
    assert (facts["Name"], facts["State"], facts["ExitCode"]) == ("c", "exited", 137)


def test_inspect_has_the_ledger() -> None:
    result = shell("run -d --name idle tiny /bin/bench_linux idle; inspect idle; rm -f idle")
    out = result.out.decode()
    ledger = json.loads(out[out.index("[\n") : out.index("\n]") + 2])[0]["Ledger"]
    assert ledger["threads"] == 1
    assert 0 < ledger["memory_used_pages"] <= ledger["memory_limit_pages"]


STATUSES = {
    "run busybox sh -c 'exit 7'": 7,
    "run busybox false": 1,
    "run busybox /etc/passwd": 126,
    "run busybox /no/such": 127,
    "run nosuch": 125,
    "run busybox sh -c 'sh -c \"kill -9 \\$\\$\"; exit $?'": 137,
    "inspect nosuch": 1,
    "nosuch": 127,
    "help run": 0,
    "help": 0,
    "version": 0,
    "images": 0,
    "poweroff": 0,
    "": 0,
    "; ;": 0,
    "run busybox cat": 0,
    "run -i busybox cat": 0,
}


@pytest.mark.parametrize("command", STATUSES)
def test_statuses(command: str) -> None:
    assert shell(command).status == STATUSES[command]


def test_containers_leave_nothing() -> None:
    """200 runs; then the machine's totals are what they were, to the page."""
    run = "run --rm busybox true; "
    result = shell(f"{run * 3} {LOOK}; {run * 200} {LOOK}")
    assert_equal_looks(result.out)


@pytest.mark.parametrize("word", ["x", "word", "y" * 1000, "z" * 65536])
def test_a_line_of_64_kib_arrives(word: str) -> None:
    start = "run busybox sh -c 'echo $# ${#1}' sh "
    count = (65536 - len(start) + 1) // (len(word) + 1) or 1
    line = (start + " ".join([word] * count))[:65536]
    words = line.removeprefix(start).split()
    assert shell(line).out.decode().split() == [str(len(words)), str(len(words[0]))]
