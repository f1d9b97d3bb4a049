"""busybox's own test-suite as entries: Debian's source package, fetched by apt, checked by hash.

It comes into an image of its own below /suite: `testsuite` with its `runtest`, the tests of the
shell, and the configuration that Debian's static busybox was built with.
"""

import contextlib
import hashlib
import shutil
import sys
import tarfile
from functools import cache
from pathlib import Path

from compare_entries import Entry

from pybuild.bench.tools import BenchError, run_checked
from pybuild.paths import CACHE

IMAGE = "suite"
FOLDER = CACHE / "busybox-source"
# Upstream's release; Debian's patches do not touch the tests.
TARBALL = "busybox_1.35.0.orig.tar.bz2"
TARBALL_SHA256 = "faeeb244c35a348a334f4a59e44626ee870fb07b6884d68c10ae8bc19f83a694"
TOP = "busybox-1.35.0"
APT = Path("/etc/apt")
# Applets whose tests can't be: what they need is in neither container.
WITHOUT = {
    "all_sourcecode": "looks at the source tree",
    "wget": "needs a network",
}
APPLETS_EACH = 8
LIMIT_SECONDS = 240


def sources_write(parts: Path) -> None:
    """The places that the machine has packages from, as places of sources; in both formats."""
    parts.mkdir(parents=True, exist_ok=True)
    for path in APT.glob("sources.list.d/*.sources"):
        (parts / path.name).write_text(path.read_text().replace("Types: deb\n", "Types: deb-src\n"))
    for path in APT.glob("**/*.list"):
        lines = path.read_text().splitlines()
        chosen = [line.replace("deb ", "deb-src ", 1) for line in lines if line.startswith("deb ")]
        (parts / path.name).write_text("\n".join(chosen) + "\n")


def apt_options(folder: Path) -> list[str]:
    """Options for apt that leave the machine's own lists alone: sources only, kept in `folder`."""
    parts, lists = folder / "parts", folder / "lists"
    sources_write(parts)
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    options = {
        "Dir::Etc::SourceList": "/dev/null",
        "Dir::Etc::SourceParts": str(parts),
        "Dir::State::Lists": str(lists),
    }
    return [word for name, value in options.items() for word in ("-o", f"{name}={value}")]


def source_download() -> None:
    """Fetches the package's files into the cache; BenchError when they are not what is pinned."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    options = apt_options(FOLDER / "apt")
    # A list that has no sources fails; without Debian's, it is the next command that does.
    with contextlib.suppress(BenchError):
        run_checked(["apt-get", *options, "update", "-q"], cwd=FOLDER)
    run_checked(["apt-get", *options, "source", "-q", "--download-only", "busybox"], cwd=FOLDER)
    digest = hashlib.sha256((FOLDER / TARBALL).read_bytes()).hexdigest()
    if digest != TARBALL_SHA256:
        raise BenchError(f"{TARBALL} has the hash {digest}, not {TARBALL_SHA256}")


@cache
def source_folder() -> Path:
    """The unpacked sources, and Debian's folder beside them."""
    unpacked = FOLDER / "unpacked"
    if not unpacked.exists():
        source_download()
        debian = next(FOLDER.glob("busybox_*.debian.tar.xz"))
        part = FOLDER / "part"
        shutil.rmtree(part, ignore_errors=True)
        for archive in (FOLDER / TARBALL, debian):
            with tarfile.open(archive) as tar:
                tar.extractall(part, filter="data")
        part.rename(unpacked)
    return unpacked


def suite_lay_out(tree: Path) -> None:
    """Puts the suite into an image's tree."""
    source, suite = source_folder(), tree / "suite"
    shutil.copytree(source / TOP / "testsuite", suite / "testsuite", symlinks=True)
    shell = suite / "shell" / "ash_test"
    shutil.copytree(source / TOP / "shell" / "ash_test", shell, symlinks=True)
    shutil.copy(source / "debian/config/pkg/static", suite / ".config")
    (suite / "busybox").symlink_to("/bin/busybox")
    compiler = [sys.executable, "-m", "ziglang", "cc", "-target", "x86_64-linux-musl", "-static"]
    for name in ("printenv", "recho", "zecho"):
        run_checked([*compiler, "-w", "-Os", "-s", "-o", str(shell / name), f"{shell / name}.c"])


def applets() -> list[str]:
    """The applets that have tests."""
    folder = source_folder() / TOP / "testsuite"
    names = {path.stem for path in folder.glob("*.tests")}
    names |= {path.name for path in folder.iterdir() if path.is_dir()}
    return sorted(names - WITHOUT.keys())


def suite_applets() -> list[Entry]:
    """The tests of the applets, some applets at a time (each time makes links to all)."""
    names = applets()
    groups = [names[i : i + APPLETS_EACH] for i in range(0, len(names), APPLETS_EACH)]
    return [
        _entry(
            f"suite-applets/{group[0]}-to-{group[-1]}",
            f"cd /suite/testsuite; ./runtest {' '.join(group)}",
        )
        for group in groups
    ]


def suite_shell() -> list[Entry]:
    """The tests of the shell, folder by folder."""
    folder = source_folder() / TOP / "shell" / "ash_test"
    return [
        _entry(f"suite-shell/{path.name}", f"cd /suite/shell/ash_test; ./run-all {path.name}")
        for path in sorted(folder.glob("ash-*"))
    ]


def _entry(name: str, script: str) -> Entry:
    # Its tests sleep, too.
    return Entry(name, script, image=IMAGE, limit_seconds=LIMIT_SECONDS, is_timed=True)
