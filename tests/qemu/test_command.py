"""`run -c`: a command's output, errors and status, from the outside."""

import pytest

from pybuild.command import Result, run_captured
from pybuild.machine import Machine, MachineConfig
from pybuild.paths import BUILD

LOG = BUILD / "test" / "command.log"


def shell(command: str, smp: int = 2) -> Result:
    """Boots and gives the shell a command."""
    return run_captured(MachineConfig(smp=smp, log=LOG), command)


def test_hello_from_a_container() -> None:
    assert shell("run busybox echo hello") == Result(0, b"hello\n", b"")


def test_help_is_whole() -> None:
    """Of every verb, to its last line, however long it is."""
    names = [line.split()[0].decode() for line in shell("help").out.splitlines()[:-1]]
    result = shell("; ".join(f"help {name}; version" for name in names))
    assert result.status == 0
    texts = result.out.split(b"Cloister 0.1\n")
    assert len(texts) == len(names) + 1
    assert all(text.endswith(b"\n") for text in texts)
    assert b"125 for our own errors.\n" in texts[names.index("run")]


def test_the_status_is_the_programs() -> None:
    assert shell("run busybox sh -c 'exit 7'").status == 7


def test_an_unknown_program_is_127_and_named() -> None:
    result = shell("run busybox no-such-program")
    assert (result.status, result.out) == (127, b"")
    assert b"no-such-program" in result.err


def test_an_unknown_image_is_125_and_named() -> None:
    result = shell("run no-such-image true")
    assert (result.status, result.out) == (125, b"")
    assert b"no-such-image" in result.err


def test_the_last_of_several_commands_gives_the_status() -> None:
    result = shell("run busybox false; run busybox echo 'a  b' \"c;d\" e\\ f")
    assert result == Result(0, b"a  b c;d e f\n", b"")


def test_a_line_of_64_kib() -> None:
    word = "x" * 65000
    assert shell(f"run busybox echo {word}").out == word.encode() + b"\n"


@pytest.mark.parametrize("smp", [1, 2, 4])
def test_boots_on(smp: int) -> None:
    assert shell("run busybox echo up", smp) == Result(0, b"up\n", b"")


def test_more_cpus_than_the_kernel_uses_are_left_idle() -> None:
    assert shell("run busybox echo up", smp=44) == Result(0, b"up\n", b"")
    assert "of 44 CPUs are used" in LOG.read_text()


def test_the_console_has_a_prompt_and_poweroff() -> None:
    with Machine(MachineConfig(log=LOG)) as machine:
        machine.console.expect(rb"cloister# ", 30)
        machine.console.send(b"poweroff\r")
        assert machine.wait(20) == 0
