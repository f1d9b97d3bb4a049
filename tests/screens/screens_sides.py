"""The same shell on both sides: `run -it busybox sh` at Cloister's console, and busybox on the
serial console of the Debian kernel that the bench boots."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from screens_emulator import Emulator

from pybuild import images
from pybuild.bench import linux, tools
from pybuild.machine import Machine, MachineConfig
from pybuild.paths import BUILD

FOLDER = Path(__file__).resolve().parent
OUT = BUILD / "screens"
BOOT_SECONDS = 90


class Side:
    """A machine at whose console a session can be had."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.emulator = Emulator(machine.console)

    def begin(self) -> None:
        """A new shell, with the cursor behind its prompt on an empty screen."""
        raise NotImplementedError

    def end(self) -> None:
        """Leaves the shell, which is at its prompt."""
        raise NotImplementedError

    def resize(self, rows: int, columns: int) -> None:
        """Makes the window another size."""
        raise NotImplementedError

    def _clear(self) -> None:
        self.emulator.expect(r"^/ # ", timeout_seconds=BOOT_SECONDS)
        self.emulator.settle()
        self.emulator.send(b"clear\r")
        self.emulator.expect(r"\A/ # \n\[cursor 0,4;")
        self.emulator.settle()


class ContainerSide(Side):
    """Cloister."""

    def begin(self) -> None:
        self.emulator.expect(r"^cloister# \n\[", timeout_seconds=BOOT_SECONDS)
        self.emulator.settle()
        self.emulator.send(b"run -it --rm busybox sh\r")
        self._clear()

    def end(self) -> None:
        self.emulator.reset()
        self.emulator.send(b"\x15exit\r")

    def give_up(self) -> None:
        """Leaves the container in whatever state it is."""
        self.emulator.reset()
        self.emulator.send(b"\x10\x11")

    def resize(self, rows: int, columns: int) -> None:
        self.emulator.resize(rows, columns)
        self.emulator.send(f"\x1b[48;{rows};{columns};0;0t".encode())


class LinuxSide(Side):
    """The Debian kernel."""

    def begin(self) -> None:
        self._clear()

    def end(self) -> None:
        self.emulator.reset()
        self.emulator.send(b"\x15exit\r")
        self.emulator.expect(r"the shell has ended")

    def resize(self, rows: int, columns: int) -> None:
        self.emulator.resize(rows, columns)
        command = f"/window {rows} {columns} </dev/ttyS0\n"
        self.machine.channel.send(command.encode())


def window_program() -> Path:
    """What gives Linux's terminal another size."""
    source = FOLDER / "screens_window.c"
    return tools.compile_to(OUT / "window", source, tools.HEADERS, tools.PROGRAM_FLAGS)


@cache
def initramfs() -> Path:
    """Init, programs for it, and the image as a folder."""
    OUT.mkdir(parents=True, exist_ok=True)
    recipe = next(recipe for recipe in images.recipes() if recipe.name == "busybox")
    with tempfile.TemporaryDirectory(dir=OUT) as folder:
        tree = Path(folder) / "tree"
        (tree / "proc").mkdir(parents=True)
        (tree / "image").mkdir()
        (Path(folder) / "unpacked").mkdir()
        images.image_tree(recipe, tree / "image", Path(folder) / "unpacked")
        shutil.copytree(tree / "image" / "bin", tree / "bin", symlinks=True)
        shutil.copy(window_program(), tree / "window")
        out = OUT / "initramfs.cpio"
        out.write_bytes(linux.initramfs_bytes((FOLDER / "screens_init.sh").read_bytes(), tree))
    return out


@contextmanager
def container_side() -> Iterator[ContainerSide]:
    """A booted Cloister."""
    OUT.mkdir(parents=True, exist_ok=True)
    with Machine(MachineConfig(log=OUT / "cloister.log")) as machine:
        yield ContainerSide(machine)


@contextmanager
def linux_side() -> Iterator[LinuxSide]:
    """A booted Linux."""
    kernel, _ = linux.kernel_fetch()
    config = MachineConfig(
        smp=1,
        kernel=kernel,
        bundle=initramfs(),
        append=linux.COMMAND_LINE,
        disk=Path("/nonexistent"),
        log=OUT / "linux.log",
    )
    with Machine(config) as machine:
        yield LinuxSide(machine)
