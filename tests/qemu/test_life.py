"""The life of containers between their start and their removal, from the shell."""

from __future__ import annotations

from pybuild.command import Result, run_captured
from pybuild.machine import MachineConfig
from pybuild.paths import BUILD

LOG = BUILD / "test" / "life.log"
WAIT_SECONDS = 120
PAUSE = "run --rm busybox sleep 0.3"


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
    lines = result.out.decode().splitlines()
    assert lines[2:] == [
        "polite",
        "5",
        "stubborn",
        "137",
        "stubborn",
        "polite",
        "stubborn",
        lines[-1],
    ]
    assert lines[-1].startswith("NAME")


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
    assert result.out.count(b'"threads": 1,') == 1
    assert b"/containers/o" not in result.out
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
    """Neither objects nor threads, nor more pages than the heap happens to keep."""
    runs = "exec c sh -c '(true) | cat'; " * 20
    result = shell(detached("c", "sleep 1000"), runs + runs + "free", runs + runs + "free")
    before, after = table_rows(result.out)
    for row in (b"/containers/c", b"/services/manager", b"/services/shell"):
        assert before[row][2:] == after[row][2:], row
        assert int(after[row][0]) <= int(before[row][0]) + 1, row
