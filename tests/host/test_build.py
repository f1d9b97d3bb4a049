"""The build: nothing is done twice, and the folder that it is done in leaves no trace."""

import hashlib
import os
import subprocess
import time
from pathlib import Path

import pytest

from pybuild.paths import BUNDLE, DISK, KERNEL_ELF, ROOT

BUILD_SECONDS = 300
BUILDS = 4
SECONDS_MAX = 2


def cloister(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs ./cloister in a folder."""
    command = ["./cloister", *words]
    return subprocess.run(
        command, cwd=folder, text=True, capture_output=True, timeout=BUILD_SECONDS, check=False
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources in another folder, with our .venv and downloads."""
    folder = tmp_path_factory.mktemp("clone") / "another" / "place"
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        source, target = ROOT / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
            target.chmod(source.stat().st_mode)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    (folder / "build").mkdir()
    (folder / "build" / "cache").symlink_to(ROOT / "build" / "cache")
    done = cloister(folder, "build")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.parametrize("path", [KERNEL_ELF, BUNDLE, DISK], ids=lambda path: path.name)
def test_two_folders_give_the_same_bytes(copy: Path, path: Path) -> None:
    other = copy / path.relative_to(ROOT)
    digests = [hashlib.sha256(p.read_bytes()).hexdigest() for p in (path, other)]
    assert digests[0] == digests[1]


def test_a_second_build_does_nothing_in_under_two_seconds(copy: Path) -> None:
    def times() -> dict[Path, int]:
        files = [p for p in (copy / "build").rglob("*") if p.is_file()]
        return {p: p.stat().st_mtime_ns for p in files if p.name not in (".lock", ".doit.json")}

    before = times()
    seconds: list[float] = []
    # The machine may be busy with other tests: the best of a few.
    while len(seconds) < BUILDS and min(seconds, default=SECONDS_MAX) >= SECONDS_MAX:
        started = time.monotonic()
        done = cloister(copy, "build")
        seconds.append(time.monotonic() - started)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert times() == before
    assert min(seconds) < SECONDS_MAX


def test_a_changed_header_builds_what_includes_it(copy: Path) -> None:
    header = copy / "kernel" / "lib" / "list.h"
    header.write_text(header.read_text() + "\nint no_such_function(struct nowhere);\n")
    done = cloister(copy, "build", "compile")
    assert done.returncode == 1
    assert "list.h" in done.stdout + done.stderr


def test_the_usage_names_the_verbs() -> None:
    said = cloister(ROOT, "--help").stdout
    for verb in ("run", "build", "test", "test-long", "bench", "lint", "docs", "clean"):
        assert f"  {verb} " in said


def test_a_wrong_verb_is_status_2() -> None:
    assert cloister(ROOT, "fly").returncode == 2
    assert "fly" in cloister(ROOT, "fly").stderr


def test_no_path_of_this_machine_is_in_the_kernel() -> None:
    data = KERNEL_ELF.read_bytes()
    assert os.fsencode(ROOT) not in data
    assert b"site-packages" not in data
