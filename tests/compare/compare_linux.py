"""Runs scripts on the Debian kernel that the bench boots: for each a fresh copy of the image in
memory and fresh namespaces (init.sh). An outcome is kept as long as nothing that it is made of
changes, so that only new scripts are run again.
"""

import hashlib
import json
import shutil
import tempfile
from pathlib import Path

from compare_entries import FOLDER, Entry
from compare_image import DRIVER, OUT, image_folder
from compare_outcomes import Outcome, outcomes_parse

from pybuild.bench import linux, tools
from pybuild.bench.guest import guest_start
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


def guest_run(entries: list[Entry]) -> dict[str, Outcome]:
    """Boots and runs them all; BenchError when the guest does not come to its end."""
    kernel, version = linux.kernel_fetch()
    initramfs = initramfs_build(entries)
    peer = linux.Peer(kernel, initramfs, initramfs, version)
    timeout_s = 120 + 2 * len(entries) + entries[0].limit_seconds
    with guest_start(peer.arguments(initramfs)) as guest:
        guest.wait_for(END, timeout_seconds=timeout_s)
        found = outcomes_parse(guest.said)
    missing = [e.name for n, e in enumerate(entries) if f"{n:04}" not in found]
    if missing:
        raise BenchError(f"on Linux these give no outcome: {missing}")
    return {entry.name: found[f"{n:04}"] for n, entry in enumerate(entries)}


def key_of(entry: Entry) -> str:
    """A digest of what an outcome depends on."""
    inputs = [path.read_bytes() for path in (DRIVER, INIT, TERMINAL)]
    inputs += [(image_folder(entry.image) / "bin/busybox").read_bytes()]
    inputs += [linux.kernel_fetch()[1].encode(), entry.script.encode()]
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
    """Keeps an outcome."""
    KEPT.mkdir(parents=True, exist_ok=True)
    kept_path(entry).write_text(json.dumps({"key": key_of(entry), "outcome": outcome.to_json()}))


def linux_run_anew(entries: list[Entry]) -> dict[str, Outcome]:
    """Every entry's outcome, of this run."""
    found = guest_run(entries)
    for entry in entries:
        kept_write(entry, found[entry.name])
    return found


def linux_run(entries: list[Entry]) -> dict[str, Outcome]:
    """Every entry's outcome, of this run or kept."""
    found = {entry.name: outcome for entry in entries if (outcome := kept_read(entry))}
    left = [entry for entry in entries if entry.name not in found]
    return found | (linux_run_anew(left) if left else {})
