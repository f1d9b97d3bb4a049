"""The formats that containers and their clients read of each other, with sanitizers."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLANG = shutil.which("clang-19")
FLAGS = ["-std=gnu23", "-Wall", "-Wextra", "-Werror", "-g", "-O1", f"-I{ROOT}/userland"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
SOURCES = [
    "tests/host/streams_test.c",
    "userland/lib/format.c",
    "userland/lib/log_ring.c",
    "userland/linux/archive/ustar.c",
]

pytestmark = pytest.mark.skipif(CLANG is None, reason="clang-19 is not installed")


def test_records_and_headers(tmp_path: Path) -> None:
    """Damaged ones are refused; what we write, Python's tarfile reads."""
    assert CLANG is not None
    program = tmp_path / "streams_test"
    sources = [str(ROOT / source) for source in SOURCES]
    subprocess.run([CLANG, *FLAGS, *SANITIZERS, *sources, "-o", program], check=True, timeout=120)
    archive = tmp_path / "archive.tar"
    done = subprocess.run([program, archive], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    with tarfile.open(archive) as tar:
        (member,) = tar.getmembers()
        content = tar.extractfile(member)
        assert content is not None
        assert content.read() == b"abc"
    assert (member.name, member.mode, member.uid, member.gid) == ("p" * 300, 0o640, 3_000_000, 34)
    assert member.mtime == 99
