"""Each limit bites, and moves up and down while the greedy program runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prompts import PROMPT, WAIT_SECONDS, typed

from pybuild import bundle, gpt, images, parts, toolchain
from pybuild.command import Result, run_captured
from pybuild.machine import Machine, MachineConfig
from pybuild.paths import BUILD, ROOT

LOG = BUILD / "test" / "greedy.log"
KEPT = ("busybox", "cloister")


def shell(*commands: str) -> Result:
    """Boots and gives the shell some commands."""
    return run_captured(MachineConfig(log=LOG), "; ".join(commands), WAIT_SECONDS)


@pytest.fixture(scope="module")
def disk() -> Path:
    """A disk with the image `greedy`, a program that takes what it can get, beside others."""
    source = ROOT / "tests" / "services" / "greedy.c"
    part = parts.user_part("services-greedy", [source])
    toolchain.compile_source(part.flavour, source)
    part.link()
    data = bundle.elf_without_sections(part.out.read_bytes())
    greedy = bundle.bundle_bytes({"init": data}) + images.trailer({"native": "init"})
    found = [gpt.Partition("image:greedy", greedy)]
    found += [
        gpt.Partition(f"image:{name}", (BUILD / "images" / f"{name}.img").read_bytes())
        for name in KEPT
    ]
    out = BUILD / "test" / "greedy.img"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(gpt.disk_bytes(found))
    return out


@pytest.fixture(scope="module")
def console(disk: Path) -> Iterator[Machine]:
    """A machine at its prompt."""
    with Machine(MachineConfig(log=LOG, disk=disk)) as machine:
        machine.console.expect(PROMPT, 30)
        yield machine


def taken(machine: Machine, line: str, thing: str) -> int:
    """Types a line; how much the program gets from then on, when its error is the ledger's."""
    pattern = rb"greedy: " + thing.encode() + rb" (\d+) (NO_RESOURCES|SHOULD_WAIT)"
    shown = typed(machine, line, pattern)
    return int(re.findall(pattern, shown)[-1][0])


# Thing → option, and how much of the limit is one of it; of a channel that depends on the messages.
GREEDY = {
    "handles": ("--handles-limit", 1),
    "names": ("--names-limit", 1),
    "timers": ("--timers-limit", 1),
    "channels": ("--channel-bytes", 16384),
    "log": ("--log-bytes", 20),
}


@pytest.mark.parametrize("thing", GREEDY)
def test_a_limit_bites_and_moves(console: Machine, thing: str) -> None:
    """What the program gets is as its limit, up and down, but for the little that it has itself."""
    option, each = GREEDY[thing]
    sizes = [40, 80, 20]
    name = f"g-{thing}"
    counts = [
        taken(console, f"run -d --name {name} {option} {sizes[0] * each} greedy {thing}", thing),
        taken(console, f"update {option} {sizes[1] * each} {name}", thing),
        taken(console, f"update {option} {sizes[2] * each} {name}", thing),
    ]
    own = [size - count for size, count in zip(sizes, counts, strict=True)]
    if thing == "channels":
        assert all(-size / 10 <= left <= 2 for left, size in zip(own, sizes, strict=True)), counts
    else:
        assert own == [own[0]] * 3
        assert 0 <= own[0] < 15
    typed(console, f"rm -f {name}")


def test_without_a_limit_there_is_one(console: Machine) -> None:
    """What `run` does not say is finite all the same."""
    typed(console, "run -d --name d busybox sleep 1000")
    ledger = inspected(typed(console, "inspect d").replace(b"\r", b""))
    assert ledger["memory_limit_pages"] == (64 << 20) // 4096
    assert ledger["threads_limit"] == 512
    assert ledger["handles_limit"] == 16384
    assert ledger["names_limit"] == ledger["timers_limit"] == 1024
    assert ledger["message_bytes_limit"] == 4 << 20
    assert ledger["log_bytes_limit"] == 64 << 10
    unlimited = [key for key in ledger if key.startswith("disk_") and key.endswith("_limit")]
    assert len(unlimited) == 4
    assert [ledger[key] for key in ["cpu_cap", *unlimited]] == [0] * 5
    typed(console, "rm -f d")


def inspected(out: bytes) -> dict[str, int]:
    """The ledger in what `inspect` has said last."""
    text = out.decode().split("\n[\n")[-1].split("\n]")[0]
    return dict(json.loads("[\n" + text + "\n]")[0]["Ledger"])


LIMITS = {
    "-m 20m": {"memory_limit_pages": (20 << 20) // 4096},
    "--memory-reservation 2m": {"memory_reserved_pages": (2 << 20) // 4096},
    "-c 2048": {"cpu_weight": 200},
    "--pids-limit 50": {"threads_limit": 66},
    "--handles-limit 700": {"handles_limit": 700},
    "--names-limit 71": {"names_limit": 71},
    "--timers-limit 72": {"timers_limit": 72},
    "--channel-bytes 1m": {"message_bytes_limit": 1 << 20},
    "--log-bytes 7k": {"log_bytes_limit": 7 << 10},
    "--cpus 1.25": {"cpu_cap": 1250},
    "--device-read-bps /dev/vda:3mb": {"disk_read_bytes_limit": 3 << 20},
    "--device-read-iops=301": {"disk_read_requests_limit": 301},
    "--device-write-bps 2m": {"disk_write_bytes_limit": 2 << 20},
    "--device-write-iops /dev/vda:302": {"disk_write_requests_limit": 302},
}
EXPECTED = {key: value for limit in LIMITS.values() for key, value in limit.items()}


@pytest.mark.parametrize(
    "start",
    [
        pytest.param("run -d --name c busybox sleep 1000", id="linux", marks=pytest.mark.long),
        pytest.param("run -d --name c --nest cloister -c 'run busybox sleep 1000'", id="native"),
    ],
)
def test_what_update_sets_holds_after_a_stop(start: str) -> None:
    """All at once, one after the other, and from `run`; `stats` and `free` show them."""
    each = [f"update {limit} c" for limit in LIMITS]
    others = "update -m 30m --handles-limit 1000 -c 1024 --memory-reservation 0 c"
    again = ("stop -t 0 c", "start c", "inspect c")
    shown_by = ("stats --no-stream c", "free --limits")
    result = shell(start, *each, *again, others, *again, *shown_by)
    assert result.status == 0, result.err.decode()
    parts_ = result.out.split(b"\n]\n")
    first, second = inspected(parts_[0] + b"\n]"), inspected(parts_[1] + b"\n]")
    assert {key: first[key] for key in EXPECTED} == EXPECTED
    changed = {
        "memory_limit_pages": (30 << 20) // 4096,
        "handles_limit": 1000,
        "cpu_weight": 100,
        "memory_reserved_pages": 0,
    }
    assert {key: second[key] for key in EXPECTED} == EXPECTED | changed
    rows = [row for row in parts_[2].splitlines() if row.split()[0] in (b"c", b"/containers/c")]
    assert len(rows) == 2
    limits = (b"/1000 ", b"/71 ", b"/72 ", b"/1048576 ", b" 7168 ")
    rates = (b" 1.250 ", b" 3145728 ", b" 301 ", b" 2097152 ", b" 302")
    for shown in limits + rates:
        assert all(shown in row for row in rows), shown


def test_limits_of_one_that_has_ended() -> None:
    """They hold when it starts; what is no limit is refused."""
    result = shell(
        "run --name c --nest cloister version",
        "update --pids-limit 40 -m 24m c",
        "start -a c",
        "run -d --name e --handles-limit 900 --names-limit 9 --timers-limit 8 --channel-bytes 2m"
        " --log-bytes 0 busybox sleep 1000",
        "inspect e",
        "update --handles-limit many e",
        "update --handles-limit",
        "update --nosuch 3 e",
        "run --rm --ulimit nproc=3 busybox true",
    )
    ledger = inspected(result.out)
    assert result.out.count(b"memory  ") == 2
    assert f"memory  {24 << 20} bytes".encode() in result.out
    assert [ledger[f"{key}_limit"] for key in ("handles", "names", "timers")] == [900, 9, 8]
    assert [ledger["message_bytes_limit"], ledger["log_bytes_limit"]] == [2 << 20, 0]
    assert b"option `--handles-limit` is no number of handles" in result.err
    assert b"option `--handles-limit` needs a value" in result.err
    assert b"option `--nosuch` is not known" in result.err
    assert b"is not nofile=SOFT or nofile=SOFT:HARD" in result.err
    assert result.status == 125


# Option → what it is no value for.
NO_VALUES = {
    "--cpus": ("-1", "64.001", "0.0001", "1.5x", ".", "", "1e3", "many"),
    "--device-read-bps": ("-1", "fast", "vda:1m", "/dev/:1m", "/dev/vda:", "1.5m", "5x"),
    "--device-write-iops": ("-1", "1k", "/dev/vda:1m", ":5"),
}


def test_what_is_no_rate_is_refused() -> None:
    """With what there is instead; each of the values by itself, and nothing is started."""
    given = [(option, value) for option, values in NO_VALUES.items() for value in values]
    result = shell(*[f"run --rm {option}={value} busybox echo ran" for option, value in given])
    said = [line for line in result.err.splitlines() if b"option `" in line]
    assert result.out == b""
    assert len(said) == len(given)
    for line, (option, _) in zip(said, given, strict=True):
        assert b"option `" + option.encode() in line
        assert b"0: no cap" in line or b"0: no limit" in line


def test_a_cap_of_the_cpu() -> None:
    """What only computes gets about its cap, and another at once; tests/native/caps is exact."""
    shown = "stats --no-stream s"
    result = shell(
        "run -d --name s --cpus 0.25 busybox sh -c 'while :; do :; done'",
        "exec s true",
        shown,
        "update --cpus=.5 s",
        shown,
    )
    shares = [float(share) for share in re.findall(r"^s +(\d+\.\d+)%", result.out.decode(), re.M)]
    assert len(shares) == 2
    assert 12.5 <= shares[0] <= 37.5 <= shares[1] <= 62.5


READ_RATE = 512 << 10
REQUEST_BYTES_MAX = 64 << 10
BURST_SECONDS = 0.05


def test_a_read_takes_its_time() -> None:
    """A container reads its image at its limit, but for the burst and the last request."""
    option = f"--device-read-bps /dev/vda:{READ_RATE >> 10}k"
    read = "busybox sh -c 'cat /bin/busybox >/dev/null'"
    result = shell(f"run --name a {option} {read}", "inspect a")
    facts = json.loads(result.out.decode())[0]
    seconds = (facts["FinishedNs"] - facts["StartedNs"]) / 1e9
    count = facts["Ledger"]["disk_read_bytes"]
    assert count > 1 << 20
    assert seconds >= (count - REQUEST_BYTES_MAX) / READ_RATE - BURST_SECONDS


def test_processes_up_and_down() -> None:
    result = shell(
        "run -d --name c --pids-limit 2 busybox sleep 1000",
        "exec c echo two",
        "exec -d c sleep 1000",
        "exec c echo refused",
        "update --pids-limit 3 c",
        "exec c echo three",
        "exec -d c sleep 1000",
        "update --pids-limit 2 c",
        "exec c echo refused",
    )
    assert result.out.split() == [b"c", b"two", b"c", b"three", b"c"]
    assert result.err.count(b"it has as many processes as it may") == 2


def test_files_of_a_process() -> None:
    """Those of `exec` have the same, and a child can't raise what is hard."""
    tell = "ulimit -n; ulimit -Hn; ulimit -n 11; ulimit -n"
    result = shell(
        f"run --rm --ulimit nofile=10:12 busybox sh -c '{tell}'",
        "run -d --name c --ulimit nofile=15 busybox sleep 1000",
        "exec c sh -c 'ulimit -n'",
        "run --rm --ulimit nofile=5 busybox sh -c 'exec 4</dev/null; echo 4; exec 5</dev/null'",
    )
    assert result.out.split() == [b"10", b"12", b"11", b"c", b"15", b"4"]
    assert b"Too many open files" in result.err or b"Bad file" in result.err, result.err.decode()
