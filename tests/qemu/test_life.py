"""The life of containers between their start and their removal, from the shell."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from ledgers import LOOK, LOOKS, least, looks_parse

from pybuild.command import Result, run_captured
from pybuild.machine import Machine, MachineConfig
from pybuild.paths import BUILD

LOG = BUILD / "test" / "life.log"
WAIT_SECONDS = 120
PAUSE = "run --rm busybox sleep 0.4"


def shell(*commands: str) -> Result:
    """Boots and gives the shell some commands."""
    return run_captured(MachineConfig(log=LOG), "; ".join(commands), WAIT_SECONDS)


def detached(name: str, script: str, options: str = "") -> str:
    """The command that starts a container with a script, and lets it come to its first wait."""
    return f"run -d --name {name} {options} busybox sh -c '{script}'; {PAUSE}"


def test_stop_asks_first_and_kills_then() -> None:
    polite = 'trap "exit 5" TERM; while :; do sleep 0.1; done'
    stubborn = 'trap "" TERM; while :; do sleep 0.1; done'
    result = shell(
        detached("polite", polite),
        detached("stubborn", stubborn),
        "stop polite",
        "wait polite",
        "stop -t 1 stubborn",
        "wait stubborn",
        "stop stubborn",
        "rm polite stubborn",
        "ps -a",
    )
    assert result.status == 0, result.err.decode()
    *lines, table = result.out.decode().splitlines()
    started, first, second = ["polite", "stubborn"], ["polite", "5"], ["stubborn", "137"]
    assert lines == [*started, *first, *second, "stubborn", "polite", "stubborn"]
    assert table.startswith("NAME")


def test_signals_reach_the_first_process_as_from_outside() -> None:
    """What it has no handler for is ignored, but for KILL."""
    result = shell(
        detached("a", 'trap "exit 12" USR2; while :; do sleep 0.1; done'),
        "kill -s TERM a",
        PAUSE,
        "kill -s SIGUSR2 a",
        "wait a",
        detached("b", "sleep 1000"),
        "kill -s 15 b",
        PAUSE,
        "ps",
        "kill b",
        "wait b",
        "kill -s TERM b",
    )
    assert result.status == 1
    assert b"does not run" in result.err
    lines = result.out.decode().splitlines()
    assert lines[1:4] == ["a", "a", "12"]
    assert "Up " in next(line for line in lines if line.startswith("b "))
    assert lines[-2:] == ["b", "137"]


def test_wait_tells_the_status() -> None:
    result = shell(detached("w", "sleep 0.5; exit 9"), "wait w", "wait w", "wait nosuch")
    assert result.out.split()[1:] == [b"9", b"9"]
    assert (result.status, b"no container nosuch" in result.err) == (1, True)


def test_the_first_process_takes_all_others_along() -> None:
    """What it leaves is killed, whatever that does; the files stay until the container goes."""
    script = '(trap "" TERM HUP; sleep 1000) & setsid sleep 1000 & sleep 0.2; exit 4'
    result = shell(f"run --name o busybox sh -c '{script}'", "inspect o", "rm o", "free")
    inspected, _, table = result.out.partition(b"\no\n")
    assert (result.status, result.err) == (0, b"")
    assert json.loads(inspected)[0]["Ledger"]["threads"] == 1
    assert json.loads(inspected)[0]["ExitCode"] == 4
    assert table_rows(table)[0][b"/containers"] == [b"0"] * 5
    assert shell(f"run --rm busybox sh -c '{script}'").status == 4


def test_the_working_directory() -> None:
    assert shell("run --rm -w /etc busybox pwd") == Result(0, b"/etc\n", b"")
    result = shell("run --rm -w /etc/passwd busybox pwd")
    assert (result.status, b"/etc/passwd" in result.err) == (126, True)


def test_exec_runs_beside_the_first_process() -> None:
    """Its streams, status, environment and directory are its own; it ends with the container."""
    result = shell(
        detached("c", "while :; do sleep 0.1; done", "-e X=1 -e Y=1"),
        "exec -e X=2 -w /etc c sh -c 'echo $X $Y $PPID; pwd; echo err >&2; head -1 passwd'",
        "exec -d c sh -c 'echo made > /tmp/t; sleep 1000'",
        PAUSE,
        "exec c cat /tmp/t",
        "exec -i c cat",
        "exec c sh -c 'sleep 1000 & (sleep 1000 &); exit 3'",
        "kill c",
        "wait c",
        "exec c true",
    )
    assert result.out.decode().splitlines() == [
        "c",
        "2 1 0",
        "/etc",
        "root:x:0:0:root:/root:/bin/sh",
        "made",
        "c",
        "137",
    ]
    assert result.err.decode().splitlines() == ["err", "cloister: container c does not run"]


def test_exec_ends_whatever_still_writes() -> None:
    """What an ended program has left in its container is not waited for."""
    result = shell(detached("c", "sleep 1000"), "exec c sh -c 'yes & sleep 0.2; exit 5'")
    assert result.status == 5
    assert set(result.out.split()) == {b"c", b"y"}


def test_commands_that_are_longer_than_a_message() -> None:
    """Of what starts once more, and of `exec` with the container's environment below its own."""
    long, longer = "x" * 40000, "y" * 64500
    result = shell(
        f"run -d -e A={long} --name c busybox sh -c 'sleep 1000'",
        "exec -e B=$B c sh -c 'echo ${#A} ${#B}'".replace("$B", "z" * 24000),
        "kill c",
        "start c",
        "exec c sh -c 'echo ${#A}'",
    )
    assert result.out.split() == [b"c", b"40000", b"24000", b"c", b"c", b"40000"]
    result = shell(
        f"run -e A={longer} --name d busybox sh -c 'echo ${{#A}}; env | wc -l; exit 4'; start -a d"
    )
    first, second = result.out.splitlines()[:2], result.out.splitlines()[2:]
    assert first[0] == b"64500"
    assert (result.status, first) == (4, second)


STATUSES = {
    "exec c sh -c 'exit 7'": 7,
    "exec c nosuch": 127,
    "exec c /etc/passwd": 126,
    "exec -w /nosuch c true": 126,
    "exec c sh -c 'kill -9 $$'": 137,
    "exec nosuch true": 1,
    "exec c": 125,
}


def test_exec_has_the_status_of_its_program() -> None:
    start = detached("c", "sleep 1000")
    for command, status in STATUSES.items():
        assert shell(start, command).status == status, command


def table_rows(out: bytes) -> list[dict[bytes, list[bytes]]]:
    """The rows of each table of `free`, by name."""
    tables = out.split(b"PAGES")[1:]
    rows = [[row.split() for row in table.splitlines()[1:] if row.strip()] for table in tables]
    return [{row[0]: row[1:] for row in table} for table in rows]


def test_many_execs_leave_nothing() -> None:
    """Neither objects nor threads; a page of each would be forty.

    How many a heap keeps depends on how many of the programs happened to be there at once.
    """
    runs = "exec c sh -c '(true) | cat'; " * 40
    result = shell(detached("c", "sleep 1000"), runs, LOOK, runs, LOOK)
    tables = looks_parse(result.out)
    assert len(tables) == 2 * LOOKS
    for row in ("/containers/c", "/services/manager", "/services/shell"):
        before = least([rows[row] for rows in tables[:LOOKS]])
        after = least([rows[row] for rows in tables[LOOKS:]])
        assert before[2:] == after[2:], row
        assert after[0] <= before[0] + 4, row


LOGGED = "echo one; echo two >&2; echo -n three; sleep 0.5; echo; seq 1 5; exit 4"


def test_logs() -> None:
    """What was written, on the stream that it was written to, while it runs and afterwards."""
    result = shell(
        f"run -d --name c busybox sh -c '{LOGGED}'",
        "run --rm busybox sleep 0.2",
        "logs c",
        "run --rm busybox echo -----",
        "logs -f c",
        "run --rm busybox echo -----",
        "logs --tail 2 c",
        "run --rm busybox echo -----",
        "logs -t c",
    )
    assert result.status == 0, result.err.decode()
    now, followed, tail, times = result.out.split(b"-----\n")
    assert now == b"c\none\nthree"
    assert followed == b"one\nthree\n1\n2\n3\n4\n5\n"
    assert tail == b"4\n5\n"
    assert result.err.startswith(b"two\ntwo\n")
    assert len(times.splitlines()) == 7
    for line in times.decode().splitlines():
        assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z \w+", line)


def test_the_log_keeps_the_end_of_what_was_written() -> None:
    """With and without somebody who reads; whole lines, but for the first."""
    for options in ("-d", ""):
        result = shell(
            f"run {options} --name c busybox seq 1 30000",
            "wait c",
            "run --rm busybox echo -----",
            "logs c",
        )
        lines = result.out.split(b"-----\n")[1].decode().splitlines()[1:]
        assert lines[-1] == "30000"
        assert 9000 < len(lines) < 12000
        assert lines == [str(n) for n in range(30001 - len(lines), 30001)]


def test_the_logs_of_exec_are_its_clients() -> None:
    result = shell(detached("c", "echo c; sleep 1000"), "exec c echo exec", "logs c")
    assert result.out == b"c\nexec\nc\n"


def test_a_full_log_stops_nobody() -> None:
    """Output that nobody reads goes on and on."""
    result = shell("run -d --name c busybox dd if=/dev/zero bs=4096 count=2000", "wait c")
    assert result.out == b"c\n0\n"


KEEPING = "echo $$; cat /tmp/x; echo line >> /tmp/x; rm -f /etc/group; ls /etc; exit 3"


def test_start_goes_on_with_the_files_there_are() -> None:
    result = shell(
        f"run --name c busybox sh -c '{KEEPING}'",
        "start -a c",
        "start c",
        "wait c",
        "logs c",
        "start nosuch",
    )
    assert (result.status, b"no container nosuch" in result.err) == (1, True)
    first, second = b"1\npasswd\n", b"1\nline\npasswd\n"
    third = b"1\nline\nline\npasswd\n"
    assert result.out == first + second + b"c\n3\n" + first + second + third


def test_restart_rename_and_names() -> None:
    """A name is free again when its container has another one; its first name stays inside."""
    result = shell(
        detached("a", "echo up; cat /proc/sys/kernel/hostname; hostname; exec sleep 1000"),
        "restart -t 0 a",
        "rename a b",
        "rename b b",
        "rename b /",
        "run --name a busybox hostname",
        "rename a b",
        PAUSE,
        "logs b",
        "exec b hostname",
        "rm a",
        "rm -f b",
        "start a",
    )
    assert result.status == 1
    assert result.err.count(b"already") == 2
    logged = ["up", "a", "a"] * 2
    assert result.out.decode().split() == ["a", "a", "a", *logged, "a", "a", "b"]


def test_users() -> None:
    """By name and by number, as the container's own files say."""
    files = "echo u:x:100:200::/home/u:/bin/sh >> /etc/passwd; echo g:x:300:u >> /etc/group"
    start = detached("c", f"{files}; exec sleep 1000")
    show = "sh -c 'echo $(id -u):$(id -g):$(id -G) $HOME'"
    users = ["u", "100", "u:g", "7", "7:8", "root", "u:9"]
    commands = [f"exec -u {user} c {show}" for user in users]
    bad = ["exec -u nosuch c true", "exec -u u:nosuch c true"]
    result = shell(start, *commands, *bad, "exec -u 7 c sh -c 'echo > /etc/no'")
    assert result.out.decode().splitlines()[1:] == [
        "100:200:200 300 /home/u",
        "100:200:200 300 /home/u",
        "100:300:300 /home/u",
        "7:0:0",
        "7:8:8",
        "0:0:0 /root",
        "100:9:9 /home/u",
    ]
    assert result.err.count(b"no such user or group") == 2
    assert b"/etc/no: Permission denied" in result.err


def test_top_stats_and_inspect() -> None:
    result = shell(
        detached("c", "sleep 1000 & exec sleep 2000"),
        "top c",
        "stats --no-stream",
        "inspect c",
        "stop -t 0 c",
        "top c",
    )
    assert (result.status, b"does not run" in result.err) == (1, True)
    lines = result.out.decode().splitlines()
    assert lines[2].split() == ["0", "1", "0", "S", "0", "sleep", "2000"]
    assert lines[3].split() == ["0", "2", "1", "S", "0", "sleep", "1000"]
    assert re.match(r"c +0\.\d\d% +\d+\.\dKiB / 64\.0MiB", lines[5])
    assert '        "OpenStdin": false,' in lines


PROMPT = rb"cloister# $"
LEAVE = b"\x10\x11"


class Console:
    """A machine at its prompt."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.place = 0
        self.expect(PROMPT)

    def expect(self, pattern: bytes) -> bytes:
        """Waits for a pattern behind what was read before; the text up to its end."""
        found = self.machine.console.expect(pattern, 30, self.place)
        text = self.machine.console.text[self.place : found.end()]
        self.place = found.end()
        return text

    def run(self, line: bytes) -> bytes:
        """Types a line; what is shown until the next prompt."""
        self.machine.console.send(line + b"\r")
        return self.expect(PROMPT)


@pytest.fixture(scope="module")
def console() -> Iterator[Console]:
    """One machine for all tests that need a console."""
    with Machine(MachineConfig(log=LOG)) as machine:
        yield Console(machine)


def test_leaving_and_coming_back(console: Console) -> None:
    """The container goes on without us; what it shows meanwhile is in the log."""
    console.machine.console.send(b"run -it --name t busybox sh\r")
    console.expect(rb"# (\x1b\[6n)?$")
    console.machine.console.send(b"sleep 0.5; echo un''seen; read x; echo got $x\r")
    console.expect(rb"got")
    console.machine.console.send(LEAVE)
    console.expect(PROMPT)
    console.run(b"run --rm busybox sleep 1")
    assert b"\nunseen\r" in console.run(b"logs t")
    console.machine.console.send(b"attach t\r")
    console.machine.console.send(b"word\r")
    console.expect(rb"got word")
    console.machine.console.send(b"exit 7\r")
    console.expect(PROMPT)
    assert b"\n7\r" in console.run(b"wait t")


def test_attaching_to_streams(console: Console) -> None:
    """Without a terminal: the input waits for somebody to come, and ends with him."""
    console.run(b"run -d -i --name s busybox sh -c 'read a; echo got $a; cat; echo end'")
    console.machine.console.send(b"attach s\r")
    console.machine.console.send(b"one\r")
    console.expect(rb"got one")
    console.machine.console.send(b"two\r\x04")
    assert console.expect(PROMPT).count(b"two") == 2
    assert b"got one\r\ntwo\r\nend\r" in console.run(b"logs s")


TREE = """mkdir -p /d/e/f; echo hi > /d/e/x; ln -s x /d/e/l; mkfifo /d/p; chmod 4711 /d/e/x
chown 5:6 /d/p; seq 1 20000 > /d/big; n=$(printf %0120d 7); mkdir -p /d/$n/$n/$n
echo deep > /d/$n/$n/$n/$n; ln -s $n$n /d/e/ll; chmod 500 /d/e/f
touch -d 2001-02-03 /d/e/x /d/e/f /d/e; touch -hd 2002-02-03 /d/e/l"""
SHOW = "cd %s; find . | sort | xargs ls -ld; find . -type f | sort | xargs md5sum"


def test_cp_from_container_to_container() -> None:
    """Of one that has ended into one that runs, and back: types, modes, owners, times, contents."""
    tree = TREE.replace("\n", "; ")
    result = shell(
        f"run --name a busybox sh -c '{tree}; {SHOW % '/d'}'",
        "run --rm busybox echo -----",
        detached("b", "mkdir /dir; ln -s /etc /out; sleep 1000"),
        "cp a:/d b:/dir",
        f"exec b sh -c '{SHOW % '/dir/d'}'",
        "run --rm busybox echo -----",
        "cp a:/d b:/new",
        f"exec b sh -c '{SHOW % '/new'}'",
        "run --rm busybox echo -----",
        "cp a:/d/e/. b:/contents",
        "cp a:/d/big b:/file",
        "cp a:/d/big b:/out",
        "exec b sh -c 'ls /contents; wc -c /file /etc/big'",
        "cp b:/etc/passwd a:/d",
        "cp b:/dir/d/e/x a:/d/big",
        "run --rm busybox echo -----",
    )
    assert (result.status, result.err) == (0, b"")
    made, into, as_new, rest, _ = result.out.split(b"-----\n")
    assert made.count(b"\n") > 12
    assert into.removeprefix(b"b\n") == made
    assert as_new == made
    assert rest.split() == [
        *b"f l ll x".split(),
        *b"108894 /file 108894 /etc/big 217788 total".split(),
    ]


def test_cp_says_what_is_wrong() -> None:
    result = shell(
        "run --name a busybox true",
        detached("b", "mkdir -p /x/passwd; sleep 1000"),
        "cp a:/nosuch b:/",
        "cp a:/etc b:/no/such",
        "cp a:/etc/passwd b:/x",
        "cp a:/etc c:/",
        "cp a:/etc b:/etc/passwd",
        "cp a: b:/",
        "cp a:/etc",
        "exec b ls /x",
    )
    assert result.status == 0
    assert result.out == b"b\npasswd\n"
    lines = [line.removeprefix("cloister: ") for line in result.err.decode().splitlines()]
    assert lines[:5] == [
        "/nosuch: there is no such file",
        "/no/such: there is no such directory",
        "passwd: can't be made (error 21)",
        "there is no container c (`ps -a` lists those that there are)",
        "etc: can't be made (error 20)",
    ]
    assert sum("usage: cp" in line for line in lines) == 2


def test_kill_of_what_has_ended() -> None:
    """What it keeps goes only when that is said; then it starts from the image."""
    result = shell(
        "run --name c busybox sh -c 'cat /tmp/x; echo made > /tmp/x'",
        "kill c",
        "start -a c",
        "kill -f c",
        "inspect c",
        "free",
        "kill -f c",
        "start -a c",
    )
    inspected, table = result.out[result.out.index(b"\n[\n") + 1 :].split(b"\n]\n")
    assert result.out.startswith(b"made\nc\n")
    assert json.loads(inspected + b"\n]")[0]["Ledger"] is None
    assert json.loads(inspected + b"\n]")[0]["State"] == "exited"
    assert b"/containers/c" not in table
    assert b"container c does not run, and keeps its files" in result.err
    assert result.err.count(b"container c does not run\n") == 1
    assert result.err.count(b"can't open '/tmp/x'") == 2


def test_words_of_a_container_are_no_orders() -> None:
    """What an error line says of a path reaches the terminal as text, on one line."""
    odd = "no\x1b[2J\n\rfake\x7f"
    result = run_captured(
        MachineConfig(log=LOG),
        f"run -d --name a busybox sleep 1000; cp a:/etc/passwd 'a:/{odd}\u009bé/x'",
        WAIT_SECONDS,
    )
    assert result.status == 1
    assert "no?[2J??fake???é".encode() in result.err
    assert result.err.count(b"\n") == 1
