"""A Cloister in a container, and another in that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import prompts
import pytest
from ledgers import LOOK, LOOKS, Rows, assert_equal_looks, least, looks_parse

from pybuild import bundle, gpt, images, parts, toolchain
from pybuild.command import Result, run_captured
from pybuild.machine import Machine, MachineConfig
from pybuild.paths import BUILD, ROOT

LOG = BUILD / "test" / "nest.log"
WAIT_SECONDS = 120
DEPTH = 8
NEST = "run --rm --nest cloister"
PROMPT = rb"cloister# $"


def shell(*commands: str) -> Result:
    """Boots and gives the shell some commands."""
    return run_captured(MachineConfig(log=LOG), "; ".join(commands), WAIT_SECONDS)


def nested(depth: int, command: str) -> str:
    """The command, run so many systems deep."""
    return f"{NEST} " * depth + command


def test_deep() -> None:
    """At each depth programs run, and nothing of any level is left."""
    warm = nested(DEPTH, "run --rm busybox true")
    result = shell(warm, LOOK, nested(DEPTH, "run --rm busybox echo deep"), LOOK)
    assert result.status == 0, result.err.decode()
    assert result.out.count(b"deep\n") == 1
    assert_equal_looks(result.out)


def levels(table: bytes) -> list[bytes]:
    """The paths that `ps --all-levels` lists."""
    return [line.split()[0] for line in table.splitlines()]


def test_a_level_is_killed_with_all_below() -> None:
    """Levels 3 to 8 go at once, their pages come back; what is above and beside them goes on."""
    inner = "run --rm busybox sleep 1000"
    for level in range(8, 3, -1):
        inner = f"run --rm --name n{level} --nest cloister {inner}"
    second = f"run -d --name n3 --nest cloister {inner}; run --rm --name p busybox sleep 1000"
    first = f'run -d --name n2 --nest cloister -c "{second}"; run --rm --name p busybox sleep 1000'
    beside = "run -d --name b --nest cloister run --rm --name p busybox sleep 1000"
    warm = nested(DEPTH, "run --rm busybox true")
    result = shell(
        warm,
        LOOK,
        beside,
        f"run -d --name n1 --nest cloister -c '{first}'",
        "run --rm busybox sleep 4",
        "ps --all-levels",
        "update -m 30m n1/n2/n3",
        "kill n1/n2/n3",
        "run --rm busybox sleep 1",
        "ps --all-levels",
        "kill b n1",
        "rm b n1",
        LOOK,
    )
    assert result.status == 0, result.err.decode()
    before, deep, killed = result.out.split(b"NAME ")
    kept = [b"b", b"b/p", b"n1", b"n1/n2", b"n1/n2/p", b"n1/p"]
    gone = [b"n1/n2/n3" + b"".join(b"/n%d" % n for n in range(4, last)) for last in range(4, 10)]
    assert set(kept + gone) < set(levels(deep))
    assert sorted(path for path in levels(killed) if path[:1] in b"bn" and b"/" in path) == [
        path for path in kept if b"/" in path
    ]
    assert_equal_looks(before + killed)


STATUSES = {
    "-c 'run --rm busybox sh -c \"exit 7\"'": 7,
    "run --rm busybox sh -c 'exit 7'": 7,
    "-c 'nosuch; run --rm busybox true'": 0,
    "nosuch": 127,
    "run nosuch": 125,
    "run busybox nosuch": 127,
    "-c": 125,
    "poweroff": 0,
    "": 0,  # a prompt without anybody who types
}


def test_the_status_is_passed_on() -> None:
    starts = [f"run -d --name s --nest cloister {words}" for words in STATUSES]
    result = shell(*[f"{start}; wait s; rm s" for start in starts])
    assert [int(word) for word in result.out.split() if word != b"s"] == list(STATUSES.values())


def test_processors() -> None:
    """The machine's processors are those of its containers, at each depth."""
    words = "; ".join(nested(depth, "run --rm busybox nproc") for depth in range(3))
    result = run_captured(MachineConfig(log=LOG, smp=2), words, WAIT_SECONDS)
    assert (result.status, result.out) == (0, b"2\n" * 3), result.err.decode()


def test_it_must_be_allowed_to() -> None:
    """A system without --nest is refused; --nest is no harm to a program that does not use it."""
    refused = shell("run --rm cloister ps")
    assert refused.status == 125
    assert b"--nest" in refused.err
    assert shell("run --rm --nest busybox sh -c 'exit 3'").status == 3


def names_in(images: bytes) -> set[bytes]:
    """The names in what `images` says, which have a number in their line."""
    return {words[0] for line in images.splitlines() if len(words := line.split()) == 4}


def test_inside_it_is_the_top() -> None:
    """It sees its own containers, its limit, and the images of outside."""
    inside = "images; run -d --name inner busybox true; ps -a; free"
    result = shell(
        "run -d --name outer busybox sleep 1000",
        "images",
        f"run --rm -m 32m --nest cloister -c '{inside}'",
        "ps",
    )
    assert result.status == 0, result.err.decode()
    outside, inside_, listed, after = result.out.split(b"IMAGE  ")[1:]
    assert b"outer" not in inside_ + listed.split(b"\nlimit")[0]
    assert b"\ninner " in listed
    assert names_in(outside) == names_in(inside_) > {b"busybox", b"cloister"}
    table = listed.split(b"\nlimit")[1]
    assert int(table.split()[0]) == (32 << 20) // 4096
    assert b"\nouter " in after


def test_the_limit_outside_holds_inside() -> None:
    """One that eats all of its system's memory leaves the machine as it was."""
    hog = "a=x; while :; do a=$a$a; done"
    result = shell(
        f"run -d --name n -m 12m --nest cloister run --rm busybox sh -c '{hog}'",
        "run --rm busybox true",
        "wait n",
    )
    assert result.out.split() == [b"n", b"137"]


def test_stop_and_start() -> None:
    result = shell(
        "run -d --name n --nest cloister -c 'run busybox sleep 1000'",
        "stop n",
        "wait n",
        "start n",
        "kill n",
        "wait n",
        "rm n",
    )
    assert result.out.split() == [b"n", b"n", b"143", b"n", b"n", b"137", b"n"]


def test_its_log() -> None:
    """What its shell says is in the log, on its stream, over a start; it has no files."""
    result = shell(
        "run --name n --nest cloister -c 'version; nosuch'",
        "run --rm busybox echo -----",
        "logs n",
        "start n",
        "wait n",
        "logs -t --tail 3 n",
        "inspect n",
        "run -d --name r --nest cloister -c 'run -d busybox sleep 1000; run busybox sleep 1000'",
        "exec r version",
        "run --rm busybox echo -----",
        "logs r",
        "inspect r",
    )
    shown, logged, other = result.out.split(b"-----\n")
    assert b"Cloister" not in other
    assert logged.startswith(shown)
    assert result.err.count(b"no command `nosuch`") == 3
    assert logged.count(b"Z Cloister 0.1\n") == logged.count(b"Z memory ") == 1
    assert result.out.count(b'"HasFiles": false') == 2


def test_its_log_is_followed() -> None:
    """Until it ends; then what there was is shown."""
    said = 'run --rm busybox sh -c "for i in 1 2 3; do echo $i; sleep 0.3; done"'
    result = shell(
        f"run -d --name n --nest cloister -c '{said}; {said}; nosuch'",
        "logs -f n",
        "wait n",
        "run --rm busybox echo -----",
        "logs -f n",
    )
    first, second = result.out.split(b"-----\n")
    assert first == b"n\n1\n2\n3\n1\n2\n3\n127\n"
    assert second == b"1\n2\n3\n1\n2\n3\n"
    assert result.err.count(b"no command `nosuch`") == 2


@pytest.mark.parametrize("image", ["busybox", "--nest cloister run --rm busybox"])
def test_a_follower_leaves(image: str) -> None:
    """It sees what is written while it waits. Ctrl-C ends it, not the container."""
    said = 'sh -c "while sleep 0.1; do echo tick; done"'
    with Machine(MachineConfig(log=LOG)) as machine:
        console = machine.console
        console.expect(PROMPT, WAIT_SECONDS)
        typed(machine, f"run -d --name n {image} {said}".encode())
        for _ in range(10):
            place = len(console.text)
            console.send(b"logs -f --tail 0 n\r")
            place = console.expect(rb"(tick\r\n){3}", WAIT_SECONDS, place).end()
            console.send(b"\x03")
            console.expect(prompts.PROMPT, WAIT_SECONDS, place)
        assert b"Up " in typed(machine, b"ps")
        assert b"tick" in typed(machine, b"kill n; logs -f n; wait n", rb"137\r\n")


def test_exec_is_one_more_shell() -> None:
    """With its own streams and status, however the first one goes on."""
    sleeper = "run --rm --name p busybox sleep 1000"
    lines = ["exec n ps", "exec n -c 'nosuch; version'", "exec n poweroff", "exec n ps"]
    again = "; ".join(lines * 20)
    result = shell(
        f"run -d --name n --nest cloister {sleeper}", "run --rm busybox sleep 1.5", again
    )
    assert result.status == 0, result.err.decode()
    assert result.out.count(b"\np ") == 40
    assert result.out.count(b"Cloister 0.1") == 20
    assert result.err.count(b"nosuch") == 20
    statuses = {"exec n nosuch": 127, "exec n run --rm busybox sh -c 'exit 9'": 9, "exec n -c": 125}
    for line, status in statuses.items():
        start = f"run -d --name n --nest cloister {sleeper}; run --rm busybox sleep 1"
        assert shell(start, line).status == status, line


def test_a_long_line() -> None:
    """Every service is there, however long the command is."""
    line = "; ".join(["version"] * 3000)
    result = shell(f"{NEST} -c '{line}'")
    assert result.status == 0, result.err.decode()
    assert result.out.count(b"Cloister") == 3000


def manager_handles(tables: list[Rows]) -> int:
    """How many handles the manager has."""
    return least([rows["/services/manager"] for rows in tables])[3]


def assert_equal_handles(out: bytes) -> None:
    """The manager has as many handles as before."""
    tables = looks_parse(out)
    assert len(tables) == 2 * LOOKS
    assert manager_handles(tables[:LOOKS]) == manager_handles(tables[LOOKS:])


@pytest.mark.parametrize("left_bytes", [2, 12, 20])
def test_a_command_without_room_for_its_handles(left_bytes: int) -> None:
    """Where the words just fit, and not what comes behind them, nothing is left of the start."""
    fixed = len("a-c\0ohostname=nnnnnnnn\0olog=1\0")  # about
    words = (65536 - fixed - left_bytes) // 3
    result = shell(
        "run --rm --nest cloister nosuch",
        LOOK,
        f"run --rm --nest cloister -c {'x ' * words}",
        LOOK,
    )
    assert b"longer than" in result.err
    assert_equal_handles(result.out)


def test_a_start_without_memory() -> None:
    """Wherever it ends, it ends, and nothing is left."""
    sizes = range(1024, 6145, 256)
    starts = [f"run --rm --nest -m {size}k cloister nosuch" for size in sizes]
    first = "run --rm --nest cloister nosuch"
    result = shell(first, LOOK, *starts, LOOK)
    assert_equal_handles(result.out)
    assert result.err.count(b"no command `nosuch`") > 1  # the last ones had enough


def test_attach_says_that_it_cannot() -> None:
    line = "run --rm busybox sleep 1000"
    result = shell(f"run -d --name n --nest cloister {line}", "attach n", "kill n", "wait n")
    assert b"keeps the streams" in result.err
    assert result.out.split()[-1:] == [b"137"]


def nester_disk() -> Path:
    """A disk with the image `nester`, whose program makes namespaces, beside busybox's."""
    source = ROOT / "tests" / "services" / "nester.c"
    part = parts.user_part("services-nester", [source])
    toolchain.compile_source(part.flavour, source)
    part.link()
    data = bundle.elf_without_sections(part.out.read_bytes())
    image = bundle.bundle_bytes({"init": data}) + images.trailer({"native": "init"})
    busybox = (BUILD / "images" / "busybox.img").read_bytes()
    out = BUILD / "test" / "nester.img"
    found = [gpt.Partition("image:nester", image), gpt.Partition("image:busybox", busybox)]
    out.write_bytes(gpt.disk_bytes(found))
    return out


def test_whoever_looks_in_is_not_led_astray() -> None:
    """Namespaces in circles, thousands of them, and odd names are listed in a bounded time."""
    commands = [
        "run -d --name a --nest --names-limit 4096 nester",
        "run -d --name z busybox sleep 1000",
        "run --rm busybox sleep 3",
        "tree",
        "ps --all-levels",
        "stats --no-stream z",
    ]
    config = MachineConfig(log=LOG, disk=nester_disk())
    result = run_captured(config, "; ".join(commands), 60)
    tree, listed = result.out.split(b"NAME ")[1:3]
    assert result.err.count(b"not all that is in container a is shown") == 2, result.err.decode()
    assert b"?2J?9?fake " in tree
    assert tree.count(b" deeper ") == 20
    assert tree.count(b" many") == 1024
    assert b"\na/many1023 " in listed
    rows = [line.split()[0] for line in tree.splitlines() if b" many" in line]
    assert rows == [b"many%d" % i for i in range(1024)]
    assert b"\nz " in tree
    assert b"\nz " in listed


def test_a_native_program_that_just_ends() -> None:
    """Its status is what it returns, each time; a long name is not that of another container."""
    name = "n" * 63
    runs = [f"run -d --name r{i} nester end; wait r{i}; rm r{i}" for i in range(60)]
    commands = [*runs, f"run -d --name {name} busybox sleep 1000", f"update -m 2m {name}n"]
    result = run_captured(MachineConfig(log=LOG, disk=nester_disk()), "; ".join(commands), 60)
    statuses = [word for word in result.out.split() if word.isdigit()]
    assert statuses == [b"7"] * 60
    assert b"there is no container nnn" in result.err


def test_start_of_one_that_has_ended() -> None:
    """It begins anew, with the streams of who starts it, and as often as that is said."""
    starts = ["start -a n"] * 5
    result = shell("run --name n --nest cloister version", LOOK, *starts, LOOK, "rm n")
    assert result.out.count(b"Cloister") == 6
    assert_equal_handles(result.out)


@pytest.fixture
def console() -> Iterator[Machine]:
    """A machine at its prompt."""
    with Machine(MachineConfig(log=LOG)) as machine:
        machine.console.expect(PROMPT, 30)
        yield machine


def typed(machine: Machine, line: bytes, until: bytes = PROMPT) -> bytes:
    """Types a line; what is shown until the pattern."""
    place = len(machine.console.text)
    machine.console.send(line + b"\r")
    found = machine.console.expect(until, 30, place)
    return machine.console.text[place : found.end()]


def test_a_prompt_in_a_prompt(console: Machine) -> None:
    """The terminal is passed down as far as it takes."""
    typed(console, b"run -it --name a --nest cloister")
    typed(console, b"run -it --name b --nest cloister")
    assert b"\nb " not in typed(console, b"ps")
    typed(console, b"run -it busybox sh", rb"# (\x1b\[6n)?$")
    assert b"\n24 80\r" in typed(console, b"stty size", rb"# (\x1b\[6n)?$")
    typed(console, b"exit 5")
    assert b"\nb " in typed(console, b"poweroff") + typed(console, b"ps -a")
    assert b"\na " in typed(console, b"poweroff") + typed(console, b"ps -a")


def test_a_prompt_beside_the_first(console: Machine) -> None:
    typed(console, b"run -d --name a --nest cloister run --rm --name p busybox sleep 1000")
    typed(console, b"run --rm busybox sleep 1.5")
    typed(console, b"exec -it a sh")
    assert b"\np " in typed(console, b"ps")
    typed(console, b"poweroff")
    assert b"\na " in typed(console, b"ps")


def test_input_that_is_no_terminal(console: Machine) -> None:
    """With -i the lines that are typed are the shell's inside, until Ctrl-D."""
    typed(console, b"run -i --name a --nest cloister", rb"\n")
    typed(console, b"run -d --name inner busybox true", rb"inner\r\n")
    typed(console, b"\x04")
    assert b"\na " in typed(console, b"ps -a")


def test_detaching_ends_its_input(console: Machine) -> None:
    """Who leaves the terminal of a system leaves it without one; it ends, and outside goes on."""
    typed(console, b"run -it --name a --nest cloister")
    typed(console, b"run -it --name b --nest cloister")
    console.console.send(b"\x10\x11")
    console.console.expect(rb"detached from a", 30)
    assert b"\n0\r" in typed(console, b"wait a", rb"\n\d+\r\n")
