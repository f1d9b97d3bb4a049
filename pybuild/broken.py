"""Kernels that are broken in one place, to see that the proofs find it (kernel/check/hooks.h).

Each is the debug kernel but for the sources that say BREAK, which are compiled again.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from pybuild import host, parts
from pybuild.alone import alone
from pybuild.paths import BUILD
from pybuild.toolchain import KERNEL_DEBUG, compile_source

NAMES = ("CHARGE", "RIGHTS", "REFERENCE", "SHOOTDOWN")


def flag(name: str) -> str:
    """What the compiler is told."""
    return f"-DCLOISTER_BREAK=BREAK_{name}"


def is_concerned(source: Path) -> bool:
    """Whether a source can be broken."""
    return "BREAK(" in source.read_text()


def sources() -> list[Path]:
    """Those of the kernel that can be broken."""
    debug = next(part for part in parts.kernels() if part.flavour == KERNEL_DEBUG)
    return [source for source in debug.sources if is_concerned(source)]


@dataclass(frozen=True)
class BrokenKernel(parts.Part):
    """A debug kernel; its flavour is that of the sources that are compiled again."""

    def objects(self) -> list[Path]:
        """Objects in the order of the sources."""
        return [
            (self.flavour if is_concerned(s) else KERNEL_DEBUG).object_of(s) for s in self.sources
        ]


def build(name: str) -> Path:
    """Builds the kernel that is broken like this, beside a debug kernel that is up to date."""
    debug = next(part for part in parts.kernels() if part.flavour == KERNEL_DEBUG)
    flavour = replace(
        KERNEL_DEBUG, name=f"kernel-broken-{name}", flags=(*KERNEL_DEBUG.flags, flag(name))
    )
    out = BUILD / "test" / f"kernel-broken-{name}.elf"
    kernel = BrokenKernel(f"kernel-broken-{name}", flavour, debug.sources, debug.script, out)
    with alone(out):
        for source in debug.sources:
            if is_concerned(source):
                compile_source(flavour, source)
        kernel.link()
    return out


@dataclass(frozen=True)
class BrokenProgram(host.HostProgram):
    """A program of the host with a broken kernel: all but what is broken is that of `sound`."""

    sound: host.HostProgram | None = None

    def object_of(self, source: Path) -> Path:
        """The object of a source."""
        if self.sound is None or is_concerned(source):
            return super().object_of(source)
        return self.sound.object_of(source)

    def compile_command(self, source: Path) -> list[str]:
        """Command that compiles a source."""
        if self.sound is None or is_concerned(source):
            return super().compile_command(source)
        return self.sound.compile_command(source)


def program(name: str, sound: host.HostProgram) -> Path:
    """Builds a program of the host, with a kernel that is broken like this."""
    host.build(sound)
    made = BrokenProgram(
        name=f"{sound.name}-broken-{name}",
        sources=sound.sources,
        sanitizers=sound.sanitizers,
        includes=sound.includes,
        flags=(*sound.flags, flag(name)),
        sound=sound,
    )
    return host.build(made)
