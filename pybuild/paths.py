"""Where things are, all from the root of the clone.

Commands of the build run with ROOT as working directory and relative paths, so that two clones
give the same bytes.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
GEN = BUILD / "gen"
OBJ = BUILD / "obj"
CACHE = BUILD / "cache"

KERNEL_ELF = BUILD / "kernel.elf"
KERNEL_DEBUG_ELF = BUILD / "kernel-debug.elf"
BUNDLE = BUILD / "bundle.img"
TEST_BUNDLE = BUILD / "bundle-test.img"
DISK = BUILD / "disk.img"
KERNEL_LOG = BUILD / "kernel.log"


def relative(path: Path) -> str:
    """The path as written in commands: relative to ROOT when below it."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
