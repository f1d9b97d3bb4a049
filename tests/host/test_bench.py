"""The bench's own logic, without a machine, and its Linux programs on this machine's Linux."""

import json
import lzma
import struct
import subprocess
from pathlib import Path

import pytest

from pybuild.bench import (
    attack_rows,
    attacks,
    cloister,
    crun,
    guest,
    linux,
    lock_wait,
    markers,
    metrics,
    report,
    storms,
)
from pybuild.bench.linux import Peer
from pybuild.bench.markers import Hit
from pybuild.bench.storms import Window
from pybuild.bench.tools import BenchError, program_build
from pybuild.machine import machine_command


def test_constants_are_read_from_the_header() -> None:
    found = markers.constants()
    assert found["TAG"] == 0x6D720000
    assert {"LOOPS", "PAGES", "CONTAINER_TOLD", "CONTAINER_FIRST"} <= found.keys()
    assert all(number < 0x10000 for name, number in found.items() if name != "TAG")


def test_a_number_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="same number"):
        markers.constants_parse("    MARKER_A = 1,\n    MARKER_B = 1,\n")


def test_a_line_cut_short_is_left_out() -> None:
    assert markers.hits_parse("1 0 500 7\n2 0 60") == [Hit(1, 0, 500, 7)]
    assert markers.hits_parse("3 1 5 6 70 80\n") == [Hit(3, 1, 5, 6, (70, 80))]
    assert markers.hits_parse("") == []


def test_every_metric_names_markers_that_exist() -> None:
    for metric in metrics.marked_metrics():
        for stretch in (metric.cloister, metric.linux):
            assert {stretch.begin, stretch.end} <= markers.constants().keys()


def hits_of(*pairs: tuple[str, int]) -> list[Hit]:
    return [Hit(markers.constants()[name], 0, count, 10 * count) for name, count in pairs]


def test_samples_pair_a_begin_with_the_next_end() -> None:
    told, first = "CONTAINER_TOLD", "CONTAINER_FIRST"
    # An end without a begin and a begin without an end are no samples.
    hits = hits_of((first, 5), (told, 10), (told, 20), (first, 50), (first, 60), (told, 70))
    assert markers.samples(hits, told, first, "instructions") == [30]
    assert markers.samples(hits, told, first, "nanoseconds") == [300]


def test_the_first_start_is_not_a_warm_one() -> None:
    told, first = "CONTAINER_TOLD", "CONTAINER_FIRST"
    hits = hits_of(
        (told, 0), (first, 900), (told, 1000), (first, 1100), (told, 2000), (first, 2120)
    )
    stretch = metrics.Stretch(told, first, per=10, skip=1)
    assert stretch.value(hits, "instructions") == 11
    assert stretch.value([], "instructions") is None


@pytest.mark.parametrize(
    ("expression", "taken"),
    [
        (None, True),
        ("page", True),
        ("yield", False),
        ("yield or page", True),
        ("page and not anonymous", False),
        ("not (yield or boot)", True),
    ],
)
def test_expressions_select_as_pytest_does(expression: str | None, taken: bool) -> None:
    assert metrics.selected(expression, "page_touch", "anonymous 4 KiB") is taken


@pytest.mark.parametrize("expression", ["a b", "f(x)", "and"])
def test_a_bad_expression_says_so(expression: str) -> None:
    with pytest.raises(ValueError, match="-k"):
        metrics.selected(expression, "page_touch")


def test_json_has_the_ratio_and_survives_a_missing_figure(tmp_path: Path) -> None:
    rows = [
        report.Row("a", "v", "ms", "wall", 5.0, 50.0, "Linux", 0.1),
        report.Row("b", "v", "bytes", "size", None, 8, "Linux"),
    ]
    report.json_write(rows, tmp_path / "bench.json")
    first, second = json.loads((tmp_path / "bench.json").read_text())
    assert first["ratio"] == 0.1
    assert second["ratio"] is None
    keys = {"metric", "variant", "unit", "mode", "cloister", "peer", "peer_name", "ratio"}
    assert first.keys() == keys


def test_what_only_the_peer_has_is_not_missing() -> None:
    row = report.Row("a", "v", "ms", "wall", None, 50.0, "L", peer_alone=True)
    assert not row.is_missing
    assert report.Row("a", "v", "ms", "wall", None, None, "L", peer_alone=True).is_missing
    assert report.Row("a", "v", "ms", "wall", None, 50.0, "L").is_missing
    assert not report.Row("a", "v", "ms", "wall", 5.0, None, "L").is_missing


def test_a_bar_is_a_figure_or_a_ratio() -> None:
    assert "holds" in report.Row("a", "v", "ms", "wall", 5.0, 50.0, "L", bar_ratio=0.1).verdict
    assert "missed" in report.Row("a", "v", "ms", "wall", 6.0, 50.0, "L", bar_ratio=0.1).verdict
    assert "missed" in report.Row("a", "v", "instructions", "icount", 151, 9, "L", 150).verdict


def bzimage(payload: bytes) -> bytes:
    """A bzImage with one setup sector and this payload 16 bytes into its protected-mode part."""
    image = bytearray(1024 + 16)
    image[0x1F1] = 1
    image[0x202:0x206] = b"HdrS"
    struct.pack_into("<II", image, 0x248, 16, len(payload))
    return bytes(image) + payload + b"after"


def test_a_kernel_is_unpacked_from_xz() -> None:
    elf = b"\x7fELF" + bytes(range(256)) * 9
    assert linux.kernel_elf(bzimage(lzma.compress(elf) + struct.pack("<I", len(elf)))) == elf


def test_a_kernel_is_unpacked_from_lz4() -> None:
    # 4 literals, a match of 20 at distance 4 (it overlaps itself), then 2 literals.
    block = b"\x4f\x7fELF\x04\x00\x01" + b"\x20yz"
    payload = linux.LZ4_MAGIC + struct.pack("<I", len(block)) + block + struct.pack("<I", 26)
    assert linux.kernel_elf(bzimage(payload)) == b"\x7fELF" * 6 + b"yz"


def test_a_damaged_kernel_is_refused() -> None:
    block = b"\x1fA\x09\x00\x01"
    with pytest.raises(BenchError, match="damaged"):
        linux.kernel_elf(bzimage(linux.LZ4_MAGIC + struct.pack("<I", len(block)) + block + b"1234"))
    with pytest.raises(BenchError, match="unknown"):
        linux.kernel_elf(bzimage(b"ZZZZZZ"))
    with pytest.raises(BenchError, match="bzImage"):
        linux.kernel_elf(bytes(4096))


def test_initramfs_members_are_aligned_and_end_with_the_trailer() -> None:
    archive = linux.initramfs_bytes(b"12345")
    assert len(archive) % 4 == 0
    names = [b"dev\0", b"dev/console\0", b"init\0", b"TRAILER!!!\0"]
    at = 0
    for expected in names:
        assert archive[at : at + 6] == b"070701"
        size, name_size = int(archive[at + 54 : at + 62], 16), int(archive[at + 94 : at + 102], 16)
        assert archive[at + 110 : at + 110 + name_size] == expected
        at += (110 + name_size + 3) // 4 * 4 + (size + 3) // 4 * 4
    assert at == len(archive)


def test_words_for_init_come_after_two_dashes() -> None:
    peer = Peer(Path("k"), Path("i"), Path("t"), "6.1")
    assert peer.arguments(peer.userland, "bench", "getppid")[-1].endswith(" -- bench getppid")


def test_tiny_is_a_marker_and_an_exit() -> None:
    program = program_build("tiny")
    assert subprocess.run([program], check=False, timeout=10).returncode == 0
    number = markers.constants()["TAG"] | markers.constants()["CONTAINER_FIRST"]
    data = program.read_bytes()
    (entry,) = struct.unpack_from("<Q", data, 24)
    marker = b"\x0f\x1f\x80" + struct.pack("<I", number)
    # The linker keeps address and file offset equal within a page.
    assert data[entry % 4096 :].startswith(marker)


def test_bench_linux_passes_on_this_linux() -> None:
    program = program_build("bench_linux")
    words = [bench.partition(":")[2] for bench in linux.BENCHES]
    assert subprocess.run([program, *words], check=False, timeout=60).returncode == 0


def test_bench_linux_says_what_it_does_not_know() -> None:
    program = program_build("bench_linux")
    result = subprocess.run([program, "nonsense"], check=False, capture_output=True, timeout=10)
    assert result.returncode == 1
    assert b"nonsense" in result.stderr


def test_both_systems_have_the_same_machine() -> None:
    command = machine_command(cloister.CONFIG)
    assert set(guest.MACHINE) <= set(command)
    assert "kvm" not in command


def test_idle_memory_counts_what_is_reserved() -> None:
    text = 'abc123\n[{"ledger": {"memory_used_pages": 30, "memory_reserved_pages": 40,'
    text += ' "memory_idle_pages": 2}}]\nidle\n'
    assert cloister.idle_parse(text) == cloister.IdleMemory(40 * 4096, 2 * 4096)
    with pytest.raises(BenchError, match="inspect"):
        cloister.idle_parse("no such container")


def test_the_victims_share_is_of_what_it_takes_alone() -> None:
    begin, end = "VICTIM_BEGIN", "VICTIM_END"
    hits = hits_of(
        *((begin, 0), (end, 900), (begin, 1000), (end, 1100)),  # cold, alone
        *((begin, 2000), (end, 2200), (begin, 3000), (begin, 4000), (end, 4400)),
    )
    shares = attacks.shares_of(hits, ["a", "failed", "b"])
    assert shares == {"a": 0.5, "failed": 0.0, "b": 0.25}
    with pytest.raises(BenchError, match="runs"):
        attacks.shares_of(hits, ["a"])


def test_a_victim_that_says_what_went_wrong_has_failed() -> None:
    attacks.said_check("computed 5\ncomputed 5\n", 2)
    for said in ("computed 5\n", "computed 5\ncomputed 6\n", "line 9: x\ncomputed 5\ncomputed 5\n"):
        with pytest.raises(BenchError, match="victim failed"):
            attacks.said_check(said, 2)


def test_a_seccomp_profile_is_resolved_for_our_capabilities() -> None:
    def rule(name: str, **more: object) -> dict[str, object]:
        return {"names": [name], "action": "SCMP_ACT_ALLOW", "args": None} | more

    machine = {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}
    argument = {"index": 0, "value": 8, "valueTwo": 0, "op": "SCMP_CMP_EQ"}
    rules = [
        rule("read"),
        rule("chroot", includes={"caps": ["CAP_SYS_CHROOT"]}),
        rule("mount", includes={"caps": ["CAP_SYS_ADMIN"]}),
        rule("mount", excludes={"caps": ["CAP_SYS_ADMIN"]}, action="SCMP_ACT_ERRNO", errnoRet=1),
        rule("cacheflush", includes={"arches": ["arm"]}),
        rule("personality", args=[argument]),
    ]
    profile = {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "archMap": [machine]}
    found = crun.seccomp_oci(profile | {"syscalls": rules})
    assert found["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]
    assert [(r["names"], r["action"]) for r in found["syscalls"]] == [
        (["read"], "SCMP_ACT_ALLOW"),
        (["chroot"], "SCMP_ACT_ALLOW"),
        (["mount"], "SCMP_ACT_ERRNO"),
        (["personality"], "SCMP_ACT_ALLOW"),
    ]
    assert found["syscalls"][3]["args"] == [argument]


def test_a_thrash_that_reads_nothing_or_is_paid_by_the_victim_is_none() -> None:
    def said(read: int, own: int) -> str:
        facts = [("alone", 100, 0), ("thrash", 1, 5), ("thrash", 1, read), ("victim", own, 0)]
        return "".join(
            "\n[\n"
            + json.dumps({"Name": name, "Ledger": {"cpu_ns": ns, "disk_read_bytes": of}})
            + "\n]"
            for name, ns, of in facts
        )

    attacks.thrash_check(said(2 << 20, 105))
    with pytest.raises(BenchError, match="hardly anything was read"):
        attacks.thrash_check(said(5, 105))
    with pytest.raises(BenchError, match="own account has 170"):
        attacks.thrash_check(said(2 << 20, 170))


def test_a_container_of_the_peer_is_limited() -> None:
    config = crun.container_config("a", 2, crun.Container(["x"], weight=1, cpus=2), {})
    resources = config["linux"]["resources"]
    assert resources["unified"]["io.max"].startswith("254:0 rbps=")
    assert resources["unified"]["cpu.weight"] == "1"
    assert resources["cpu"] == {"quota": 200_000, "period": 100_000}
    assert config["linux"]["uidMappings"][0]["hostID"] == 100_000 + 2 * 65_536
    assert [mount["source"] for mount in config["mounts"] if mount["type"] == "bind"] == ["/disk/a"]


def test_attacks_are_measured_only_when_they_are_named() -> None:
    assert attack_rows.attacks_wanted(None) == []
    assert attack_rows.attacks_wanted("attacks and spin") == ["spin"]
    assert attack_rows.attacks_wanted("revocation") == []
    every = {name for kind in attacks.KINDS.values() for name in kind}
    assert every == attacks.attackers().keys()
    every |= {f"storm {name}" for name in storms.STORMS} | {attacks.SERVER, attacks.THRASH}
    every.add(attacks.DISK)
    assert set(attack_rows.attacks_wanted("attacks")) == every
    assert attack_rows.attacks_wanted("attacks and storm and handles") == ["storm handles"]


def windows(steps: int, storms_: bool, processor_ns: int = 190, count: int = 8) -> list[Window]:
    return [Window(storms_, steps, 100, processor_ns)] * count


def test_a_storm_is_compared_with_spinning_in_windows_that_count() -> None:
    assert storms.work_of_pair(windows(10, False) + windows(8, True)) == pytest.approx(0.8)
    # Some in which the victim had a CPU for itself do not count.
    pair = windows(10, False) + windows(8, True) + windows(20, True, count=3)
    assert storms.work_of_pair(pair) == pytest.approx(0.8)
    # Work is per processor time, and a window in which the host was elsewhere is none.
    pair = windows(10, False) + windows(9, True, 171) + windows(1, True, 100, 4)
    assert storms.work_of_pair(pair) == pytest.approx(1)
    with pytest.raises(storms.BusyError, match="1 of 9 windows"):
        storms.work_of_pair(windows(10, False, 100) + windows(10, False, 190, 1))
    pairs: list[Window] = []
    for steps in (1, 9, 9, 9, 9, 99, 99):
        pairs += windows(10, False) + windows(steps, True)
    assert storms.work_of(pairs) == pytest.approx(0.9)


def test_a_window_is_from_marker_to_marker() -> None:
    marker = markers.constants()
    hits = [
        Hit(marker["PACE_STORM_BEGIN"], 0, 0, 100, (1000,)),
        *[Hit(marker["PACE_STEP"], 1, 0, 110, (1010,))] * 3,
        Hit(marker["PACE_STORM_END"], 1, 0, 150, (1090,)),
        Hit(marker["PACE_STEP"], 1, 0, 160, (1095,)),
    ]
    assert storms.windows_of(hits) == [Window(True, 3, 50, 90)]


def test_waiting_for_locks_is_counted_from_the_first_request_to_the_last_program() -> None:
    told, first = markers.constants()["CONTAINER_TOLD"], markers.constants()["CONTAINER_FIRST"]
    hits = [Hit(told, 0, 0, 0, (5, 100)), Hit(first, 0, 0, 0, (5, 200))]
    hits += [Hit(told, 0, 0, 0, (5, 300)), Hit(told, 1, 0, 0, (10, 1000))]
    hits += [Hit(first, 0, 0, 0, (10 + i, 1000 + 100 * i)) for i in range(1, cloister.TOGETHER + 1)]
    assert lock_wait.percent_of(hits) == pytest.approx(1)
    with pytest.raises(BenchError, match="63 of 64"):
        lock_wait.percent_of(hits[:-1])
