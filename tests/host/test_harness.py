"""The harness itself, against a fake machine: whatever happens, it ends and says why."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pybuild.command import FrameReader, ProtocolError, command_run, run_one_command
from pybuild.machine import Machine, MachineConfig, MachineError, WaitError
from pybuild.paths import ROOT

FAKE = Path(__file__).with_name("fake_qemu.py")


def fake(mode: str, tmp_path: Path) -> MachineConfig:
    """A configuration whose QEMU is the fake one."""
    none = tmp_path / "none"
    return MachineConfig(
        append=mode,
        qemu=(sys.executable, str(FAKE)),
        kernel=none,
        bundle=none,
        disk=none,
        log=tmp_path / "kernel.log",
    )


def is_alive(pid: int) -> bool:
    """Whether a process is there."""
    with contextlib.suppress(OSError):
        os.kill(pid, 0)
        return True
    return False


def test_a_command_gives_output_errors_and_status(tmp_path: Path) -> None:
    got: list[tuple[str, bytes]] = []
    with Machine(fake("shell", tmp_path)) as machine:
        status = command_run(machine, b"echo hi", 20, lambda kind, data: got.append((kind, data)))
    assert status == 7
    assert got == [("O", b"echo hi"), ("E", b"complaint\n")]


def test_a_terminal_that_is_not_known_is_no_complaint() -> None:
    script = "import socket; from pybuild.machine import Line; Line('x', socket.socketpair()[0])"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "TERM": "no-such-terminal"},
        capture_output=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == (b"", b"")


def test_a_command_of_64_kib_arrives_whole(tmp_path: Path) -> None:
    out = []
    command = bytes(range(1, 256)) * 300
    with Machine(fake("shell", tmp_path)) as machine:
        command_run(machine, command, 20, lambda kind, data: out.append((kind, data)))
    assert out[0] == ("O", command)


def test_stdout_has_the_output_and_nothing_else(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run_one_command(fake("shell", tmp_path), "echo hi", 20) == 7
    out, err = capfdbinary.readouterr()
    assert out == b"echo hi"
    assert b"complaint" in err


def test_the_console_goes_to_the_log(tmp_path: Path) -> None:
    config = fake("die", tmp_path)
    with Machine(config) as machine:
        machine.console.expect(b"boots", 20)
        machine.wait(20)
    assert config.log.read_bytes() == b"Cloister boots\n"


@pytest.mark.parametrize(("mode", "said"), [("panic", "kettle.c:3"), ("die", "Cloister boots")])
def test_a_lost_machine_is_125_with_the_end_of_its_log(
    mode: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_one_command(fake(mode, tmp_path), "true", 20) == 125
    assert said in capsys.readouterr().err


def test_a_timeout_is_124(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_one_command(fake("silent", tmp_path), "true", 1) == 124
    assert "no end after 1 s" in capsys.readouterr().err


def test_text_that_is_no_frame_is_125(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_one_command(fake("garbage", tmp_path), "true", 20) == 125
    assert "what is this" in capsys.readouterr().err


def test_a_failed_start_shows_the_whole_command(tmp_path: Path) -> None:
    with pytest.raises(MachineError) as caught, Machine(fake("refuse", tmp_path)):
        pass
    assert "no such machine" in str(caught.value)
    assert "-M q35" in str(caught.value)


def test_a_missing_qemu_shows_the_whole_command(tmp_path: Path) -> None:
    config = MachineConfig(qemu=("/nowhere/qemu",), log=tmp_path / "log")
    with pytest.raises(MachineError, match="/nowhere/qemu"), Machine(config):
        pass


def test_a_wait_that_runs_out_says_what_was_read(tmp_path: Path) -> None:
    with Machine(fake("silent", tmp_path)) as machine:
        machine.console.expect(b"boots", 20)
        with pytest.raises(WaitError, match="Cloister boots"):
            machine.console.expect(b"never", 0.2)


def test_qmp_answers(tmp_path: Path) -> None:
    with Machine(fake("silent", tmp_path)) as machine:
        assert machine.qmp("query-status") == {"command": "query-status"}


def test_the_machine_is_gone_after_an_exception(tmp_path: Path) -> None:
    pids = []
    with pytest.raises(ZeroDivisionError), Machine(fake("silent", tmp_path)) as machine:
        pids.append(machine.pid())
        assert is_alive(pids[0])
        raise ZeroDivisionError
    assert not is_alive(pids[0])


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_frames_may_come_in_any_pieces(step: int) -> None:
    data = b"READY 1\nO 3\na\nbE 0\nS 255\n"
    reader = FrameReader()
    frames = [f for i in range(0, len(data), step) for f in reader.feed(data[i : i + step])]
    assert frames == [("READY", b"1"), ("O", b"a\nb"), ("E", b""), ("S", b"255")]


@pytest.mark.parametrize("data", [b"X 1\n", b"O -1\n", b"O\n", b"S x\n", b"y" * 40])
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        FrameReader().feed(data)
