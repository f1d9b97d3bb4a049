"""Runs scripts on the Debian kernel that the bench boots: for each a fresh copy of the image in
memory and fresh namespaces (init.sh). An outcome that is no chance is kept as long as nothing that
it is made of changes, so that only new scripts are run again.
"""

import hashlib
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path

from compare_entries import FOLDER, Entry
from compare_image import OUT, image_folder, recipe
from compare_outcomes import Outcome, outcomes_parse

from pybuild.bench import linux, tools
from pybuild.bench.guest import MACHINE, guest_start
from pybuild.bench.tools import BenchError

INIT = FOLDER / "init.sh"
TERMINAL = FOLDER / "terminal.c"
KEPT = OUT / "linux"
END = "@@@ end"


def terminal_program() -> Path:
    """What runs a script on a pty."""
    return tools.compile_to(OUT / "terminal", TERMINAL, tools.HEADERS, tools.PROGRAM_FLAGS)


def initramfs_build(entries: list[Entry]) -> Path:
    """Init, a busybox for it, the image and the scripts, which are named by numbers."""
    image, limit_seconds = entries[0].image, entries[0].limit_seconds
    with tempfile.TemporaryDirectory(dir=OUT) as folder:
        tree = Path(folder)
        (tree / "proc").mkdir()
        (tree / "scripts").mkdir()
        (tree / "terminal").mkdir()
        shutil.copytree(image_folder(image) / "bin", tree / "bin", symlinks=True)
        shutil.copytree(image_folder(image), tree / "image", symlinks=True)
        (tree / "limit").write_text(str(limit_seconds))
        shutil.copy(terminal_program(), tree / "run-terminal")
        for number, entry in enumerate(entries):
            place = "terminal" if entry.has_terminal else "scripts"
            (tree / place / f"{number:04}").write_text(entry.script)
        out = OUT / "initramfs.cpio"
        out.write_bytes(linux.initramfs_bytes(INIT.read_bytes(), tree))
    return out


def processors_arguments(entries: list[Entry]) -> list[str]:
    """QEMU's arguments for as many processors as the entries want; the last -smp counts."""
    return ["-smp", str(entries[0].processors)]


def guest_run(entries: list[Entry]) -> dict[str, Outcome]:
    """Boots and runs them all; BenchError when the guest does not come to its end."""
    kernel, version = linux.kernel_fetch()
    initramfs = initramfs_build(entries)
    peer = linux.Peer(kernel, initramfs, initramfs, version)
    timeout_s = 120 + 2 * len(entries) + entries[0].limit_seconds
    with guest_start([*processors_arguments(entries), *peer.arguments(initramfs)]) as guest:
        guest.wait_for(END, timeout_seconds=timeout_s)
        found = outcomes_parse(guest.said)
    missing = [e.name for n, e in enumerate(entries) if f"{n:04}" not in found]
    if missing:
        raise BenchError(f"on Linux these give no outcome: {missing}")
    return {entry.name: found[f"{n:04}"] for n, entry in enumerate(entries)}


@cache
def image_digest(image: str) -> bytes:
    """A digest of the recipe, which has the driver, and of all files: types, modes and contents."""
    digest = hashlib.sha256(json.dumps(recipe(image).table, sort_keys=True).encode())
    folder = image_folder(image)
    for path in sorted(folder.rglob("*")):
        head = (str(path.relative_to(folder)), path.lstat().st_mode)
        content = str(path.readlink()).encode() if path.is_symlink() else b""
        if not content and path.is_file():
            content = path.read_bytes()
        digest.update(repr((*head, len(content))).encode() + content)
    return digest.digest()


@cache
def guest_digest() -> bytes:
    """A digest of the machine, the kernel, and what starts a script there."""
    inputs = [path.read_bytes() for path in (INIT, TERMINAL, *tools.HEADERS)]
    inputs += [repr((MACHINE, linux.COMMAND_LINE, linux.kernel_fetch()[1])).encode()]
    inputs += [repr(tools.PROGRAM_FLAGS).encode()]
    return hashlib.sha256(b"\0".join(inputs)).digest()


def key_of(entry: Entry) -> str:
    """A digest of what an outcome depends on: of all that an entry says, the limit too."""
    inputs = [image_digest(entry.image), guest_digest(), repr(entry).encode()]
    return hashlib.sha256(b"\0".join(inputs)).hexdigest()


def kept_path(entry: Entry) -> Path:
    """Where an entry's outcome is kept."""
    return KEPT / f"{entry.name.replace('/', '.')}.json"


def kept_read(entry: Entry) -> Outcome | None:
    """The outcome that is kept, unless it is of other inputs."""
    path = kept_path(entry)
    kept = json.loads(path.read_text()) if path.exists() else {}
    return Outcome.from_json(kept["outcome"]) if kept.get("key") == key_of(entry) else None


def kept_write(entry: Entry, outcome: Outcome) -> None:
    """Keeps an outcome that is no chance."""
    KEPT.mkdir(parents=True, exist_ok=True)
    kept_path(entry).write_text(json.dumps({"key": key_of(entry), "outcome": outcome.to_json()}))


def linux_run(entries: list[Entry]) -> dict[str, Outcome]:
    """Every entry's outcome, of this run or kept."""
    found = {entry.name: outcome for entry in entries if (outcome := kept_read(entry))}
    left = [entry for entry in entries if entry.name not in found]
    return found | (guest_run(left) if left else {})
