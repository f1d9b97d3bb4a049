"""Services that die, and personalities that misbehave: what must not spread does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from ledgers import LOOK, assert_equal_looks

from pybuild import bundle, parts, toolchain
from pybuild.command import Result, run_captured
from pybuild.machine import Machine, MachineConfig
from pybuild.paths import BUILD, ROOT

LOG = BUILD / "test" / "services.log"
STATUS_OURS = 125
STATUS_KILLED = 137


def program(name: str) -> Path:
    """Builds tests/services/NAME.c as a native program."""
    part = parts.user_part(f"services-{name}", [ROOT / "tests" / "services" / f"{name}.c"])
    toolchain.compile_source(part.flavour, part.sources[0])
    part.link()
    return part.out


def bundle_with(folder: Path, **files: Path) -> Path:
    """The boot bundle with some files replaced or added."""
    members = {part.name: part.out for part in parts.programs()} | {"manifest": parts.MANIFEST}
    out = folder / "bundle.img"
    bundle.bundle_write(out, members | files)
    return out


@pytest.fixture(scope="module")
def bad_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose personality misbehaves as it is told."""
    return bundle_with(tmp_path_factory.mktemp("bundle"), linux=program("bad_personality"))


def shell(image: Path, command: str) -> Result:
    """Boots this bundle and gives the shell a command."""
    return run_captured(MachineConfig(bundle=image, log=LOG), command)


# What it does, the status of the container, a word of the line that says so.
BAD = [
    ("silent", STATUS_KILLED, b"was killed"),
    ("crash", STATUS_KILLED, b"crashed"),
    ("short", STATUS_KILLED, b"nonsense"),
    ("version", STATUS_KILLED, b"nonsense"),
    ("status", STATUS_KILLED, b"nonsense"),
    ("failed", 9, b"gave up"),
    ("twice", 5, b""),
    ("handles", STATUS_KILLED, b"talked nonsense"),
    ("kill-namespace", STATUS_KILLED, b"was killed"),
]


@pytest.fixture(scope="module")
def bad_result(bad_bundle: Path) -> Result:
    """All of them in one boot, beside a container that only hangs."""
    runs = "; ".join(f"run --name {how} busybox {how}" for how, _, _ in BAD)
    return shell(bad_bundle, f"run -d --name other busybox hang; {runs}; ps -a")


@pytest.mark.parametrize(("how", "status", "text"), BAD)
def test_a_bad_personality_ends_its_container(
    bad_result: Result, how: str, status: int, text: bytes
) -> None:
    line = next(line for line in bad_result.out.splitlines() if line.startswith(how.encode()))
    assert f"Exited ({status})".encode() in line
    said = [line for line in bad_result.err.splitlines() if f"container {how}:".encode() in line]
    assert bool(said) == bool(text)
    assert all(text in line for line in said)


def test_a_container_that_lost_its_files_starts_from_its_image(bad_bundle: Path) -> None:
    commands = "run --name c busybox crash; start -a c; start c; wait c; ps -a; logs c"
    result = shell(bad_bundle, commands)
    assert result.err.count(b"lost its files") == 2
    assert result.err.count(b"container c: its personality crashed") == 2
    assert result.err.count(b"\nits personality crashed") == 3  # in its log
    assert b"137\n" in result.out


def test_a_bad_personality_ends_no_other_container(bad_result: Result) -> None:
    other = [line for line in bad_result.out.splitlines() if line.startswith(b"other ")]
    assert len(other) == 1
    assert b"Up " in other[0]


def test_what_bad_personalities_leave_is_nothing(bad_bundle: Path) -> None:
    runs = "; ".join(f"run --rm busybox {how}" for how, _, _ in BAD)
    look = LOOK.replace("sleep 0.05", "status")
    result = shell(bad_bundle, f"{runs}; {look}; {runs}; {runs}; {look}")
    assert_equal_looks(result.out)


def test_output_that_floods_arrives_whole(bad_bundle: Path) -> None:
    result = shell(bad_bundle, "run busybox flood")
    assert result.status == 0
    assert result.out == b"x" * (256 * 4096)


def test_a_hanging_container_can_be_killed(bad_bundle: Path) -> None:
    result = shell(bad_bundle, "run -d --name h busybox hang; kill h; ps -a; rm h; ps -a")
    assert result.status == 0
    assert b"Exited (137)" in result.out


def test_an_end_that_is_told_twice_is_nonsense(bad_bundle: Path) -> None:
    result = shell(bad_bundle, "run -d --name r busybox repeat; exec r program; wait r; rm r")
    assert (result.status, result.out) == (0, b"r\n137\nr\n")


PROMPT = rb"cloister# $"
INTERRUPT = b"\x03"
# More than may wait for one container.
WAITS = 70


class Keys:
    """Somebody at the console, who does not wait long for a container."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.place = 0
        self.expect(PROMPT)

    def expect(self, pattern: bytes, seconds: float = 10) -> bytes:
        """Waits for a pattern behind what was read before; the text up to its end."""
        found = self.machine.console.expect(pattern, seconds, self.place)
        text = self.machine.console.text[self.place : found.end()]
        self.place = found.end()
        return text

    def run(self, line: bytes, interrupts: int = 0) -> bytes:
        """Types a line, and Ctrl-C so often; what is shown until the next prompt."""
        self.machine.console.send(line + b"\r")
        self.expect(b"\n")
        shown = b""
        for _ in range(interrupts):
            self.machine.console.send(INTERRUPT)
            shown += self.expect(rb"\^C\r\n")
        return shown + self.expect(PROMPT)


def test_a_container_that_does_not_answer_can_be_left(bad_bundle: Path) -> None:
    """By Ctrl-C; whoever has left takes no place, and a kill stays one whatever comes after it."""
    with Machine(MachineConfig(bundle=bad_bundle, log=LOG)) as machine:
        keys = Keys(machine)
        keys.run(b"run -d --name h busybox hang")
        for line in (b"top h", b"cp h:/x h:/y", b"stop -t 100000 h"):
            keys.run(line, 1)
        keys.run(b"exec h program", 2)
        for _ in range(WAITS):
            assert b"cloister:" not in keys.run(b"wait h", 1)
        keys.run(b"kill h", 1)
        keys.run(b"stop -t 100000 h")
        assert b"Exited (137)" in keys.run(b"ps -a")
        assert b"h\r\n" in keys.run(b"rm h")


def test_without_a_personality_there_is_a_line(tmp_path: Path) -> None:
    image = bundle_with(tmp_path, linux=program("manager_killer"))
    result = shell(image, "run busybox true")
    assert result.status == STATUS_OURS
    assert b"personality" in result.err


def test_a_killed_manager_comes_again(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest"
    text = parts.MANIFEST.read_text()
    changed = text.replace("service shell last restart", "service shell owner:services")
    assert changed != text
    manifest.write_text(changed)
    image = bundle_with(
        tmp_path,
        linux=program("bad_personality"),
        shell=program("manager_killer"),
        manifest=manifest,
    )
    with Machine(MachineConfig(bundle=image, log=LOG)) as machine:
        machine.wait(60)
        text = machine.console.text.decode(errors="replace")
    assert "TEST manager PASS" in text
    assert text.count("it is started again") == 5


def test_a_machine_without_memory_still_obeys() -> None:
    """Containers take all there is; the services have theirs set aside."""
    eat = "dd if=/dev/zero of=/tmp/all bs=64k; sleep 1000"
    command = (
        f"run -d --name eat1 busybox sh -c '{eat}'; run -d --name eat2 busybox sh -c '{eat}'; "
        "run --rm busybox sleep 1; run --rm busybox echo none; free; ps; "
        "rm -f eat1 eat2; run --rm busybox echo still"
    )
    result = run_captured(MachineConfig(mem_mib=48, log=LOG), command, 60)
    assert result.status == 0
    assert result.out.endswith(b"eat1\neat2\nstill\n")
