"""The peer: Debian's cloud kernel on the same machine, with an initramfs of our own programs.

The package is downloaded into build/cache and never installed. Its kernel is unpacked from the
bzImage to the ELF inside, which boots by PVH as Cloister does: neither pays for a boot loader nor
for decompression.
"""

import lzma
import re
import stat
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pybuild import images
from pybuild.alone import alone
from pybuild.bench.guest import Probe, guest_start
from pybuild.bench.markers import Hit
from pybuild.bench.metrics import USERLAND
from pybuild.bench.tools import OUT, BenchError, program_build, run_checked
from pybuild.paths import CACHE

META_PACKAGE = "linux-image-cloud-amd64"
# What measuring found to be the fair peer: no mitigations, no KASLR, the TSC believed at once. A
# check of the timer would take a busy host for a broken machine, and panic.
COMMAND_LINE = (
    "console=ttyS0 quiet mitigations=off nokaslr no_timer_check tsc=reliable clocksource=tsc"
    " panic=-1 rdinit=/init"
)
READY = "init: ready"
BENCHES = [f"bench_linux:{name}" for name in ["getppid", "yield_alone", "yield_pair", "page_touch"]]
# The image whose tree the peer has, too.
TREE = "bench"
LZ4_MAGIC = b"\x02\x21\x4c\x18"
FILE, FOLDER, DEVICE = 0o100755, 0o040755, 0o020600


@dataclass(frozen=True)
class Peer:
    """A Linux to boot, with hardly an initramfs or with a userland; `version` is Debian's."""

    kernel: Path
    smallest: Path
    userland: Path
    version: str

    def arguments(self, initramfs: Path, *init_arguments: str) -> list[str]:
        """QEMU's arguments for this peer; the words go to its init."""
        line = " ".join([COMMAND_LINE, "--", *init_arguments])
        return ["-kernel", str(self.kernel), "-initrd", str(initramfs), "-append", line]


def bzimage_payload(image: bytes) -> bytes:
    """The compressed kernel inside a bzImage (Documentation/arch/x86/boot.rst)."""
    if image[0x202:0x206] != b"HdrS":
        raise BenchError("not a bzImage: no HdrS at 0x202")
    setup_sectors = image[0x1F1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    return image[start : start + length]


def lz4_block(source: bytes, out: bytearray) -> None:
    """Appends an unpacked LZ4 block to `out` (lz4_Block_format.md), some seconds for a kernel."""
    at, end = 0, len(source)

    def length_more(length: int) -> int:
        nonlocal at
        more = 255 if length == 15 else 0
        while more == 255:
            more = source[at]
            at += 1
            length += more
        return length

    while at < end:
        token = source[at]
        at += 1
        literals = length_more(token >> 4)
        out += source[at : at + literals]
        at += literals
        if at >= end:  # the last sequence is literals only
            return
        distance = source[at] | source[at + 1] << 8
        at += 2
        length = length_more(token & 15) + 4
        start = len(out) - distance
        if distance == 0 or start < 0:
            raise BenchError("the compressed kernel is damaged")
        piece = out[start : start + length]
        # A match may overlap what it writes: then it repeats itself.
        out += (piece * (length // len(piece) + 1))[:length]


def lz4_legacy(payload: bytes) -> bytes:
    """What `lz4 -l` packed: blocks, each after its length; the kernel's build adds a size."""
    out = bytearray()
    at = len(LZ4_MAGIC)
    while at + 4 < len(payload):
        (size,) = struct.unpack_from("<I", payload, at)
        lz4_block(payload[at + 4 : at + 4 + size], out)
        at += 4 + size
    return bytes(out)


def kernel_elf(image: bytes) -> bytes:
    """The ELF kernel out of a bzImage, in the two packings that Debian uses."""
    payload = bzimage_payload(image)
    if payload.startswith(LZ4_MAGIC):
        elf = lz4_legacy(payload)
    elif payload.startswith(b"\xfd7zXZ\0"):
        # A decompressor object: four bytes of size follow the stream.
        elf = lzma.LZMADecompressor().decompress(payload)
    else:
        raise BenchError(f"the kernel is compressed by something unknown: {payload[:6]!r}")
    if not elf.startswith(b"\x7fELF"):
        raise BenchError("what is inside the bzImage is no ELF")
    return elf


def cpio_entry(name: str, mode: int, data: bytes = b"", device: tuple[int, int] = (0, 0)) -> bytes:
    """One member of a cpio archive in the `newc` format that Linux takes."""
    path = name.encode() + b"\0"
    fields = [0, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path), 0]
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + path
    return _pad4(head) + _pad4(data)


def _pad4(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def initramfs_bytes(init: bytes, tree: Path | None = None) -> bytes:
    """The smallest initramfs: the first program and a console; and a folder's files."""
    entries = [cpio_entry("dev", FOLDER), cpio_entry("dev/console", DEVICE, device=(5, 1))]
    entries.append(cpio_entry("init", FILE, init))
    if tree:
        entries += [tree_entry(tree, path) for path in sorted(tree.rglob("*"))]
    return b"".join([*entries, cpio_entry("TRAILER!!!", 0)])


def tree_entry(tree: Path, path: Path) -> bytes:
    """The member for a file, folder or link below `tree`."""
    mode = path.lstat().st_mode
    data = b""
    if stat.S_ISLNK(mode):
        data = str(path.readlink()).encode()
    elif stat.S_ISREG(mode):
        data = path.read_bytes()
    return cpio_entry(str(path.relative_to(tree)), mode, data)


def package_download(folder: Path) -> Path:
    """Debian's current kernel package, by apt, in `folder`."""
    depends = run_checked(["apt-cache", "depends", META_PACKAGE])
    match = re.search(r"Depends: (linux-image-\S+)", depends)
    if match is None:
        raise BenchError(f"apt knows no {META_PACKAGE}: try `apt-get update`")
    folder.mkdir(parents=True, exist_ok=True)
    run_checked(["apt-get", "download", match[1]], cwd=folder)
    return next(folder.glob(f"{match[1]}_*.deb"))


def package_image(package: Path) -> bytes:
    """The bzImage in a kernel package."""
    with tempfile.TemporaryDirectory(dir=package.parent) as unpacked:
        run_checked(["dpkg-deb", "-x", str(package), unpacked])
        return next((Path(unpacked) / "boot").glob("vmlinuz-*")).read_bytes()


def kernel_fetch() -> tuple[Path, str]:
    """The ELF kernel and its Debian version; downloaded and unpacked once."""
    folder = CACHE / "linux"
    kernel, version = folder / "vmlinux", folder / "version"
    with alone(version):
        if not version.exists():
            package = package_download(folder)
            kernel.write_bytes(kernel_elf(package_image(package)))
            version.write_text(package.name.split("_")[1])
    return kernel, version.read_text()


def package_kept() -> Path:
    """The package that kernel_fetch() took the kernel from."""
    return max((CACHE / "linux").glob("*.deb"), key=lambda path: path.stat().st_mtime)


def peer() -> Peer:
    """The Linux guest, with what is missing of it downloaded and built."""
    kernel, version = kernel_fetch()
    init = program_build("init").read_bytes()
    OUT.mkdir(parents=True, exist_ok=True)
    smallest, whole = OUT / "initramfs.cpio", OUT / "initramfs-tree.cpio"
    smallest.write_bytes(initramfs_bytes(init))
    recipe = next(recipe for recipe in images.recipes() if recipe.name == TREE)
    with tempfile.TemporaryDirectory(dir=OUT) as folder:
        tree, unpacked = Path(folder) / "tree", Path(folder) / "unpacked"
        tree.mkdir()
        unpacked.mkdir()
        images.image_tree(recipe, tree, unpacked)
        whole.write_bytes(initramfs_bytes(init, tree))
    return Peer(kernel, smallest, whole, version)


def boot_seconds(linux: Peer) -> float:
    """QEMU's start → its init prints, on the host's clock."""
    with guest_start(linux.arguments(linux.smallest, "boot")) as guest:
        return guest.wait_for(READY, timeout_seconds=60)


def bench_hits(linux: Peer, probe: Probe) -> list[Hit]:
    """Runs every Linux bench once and returns the markers that were hit."""
    userland = [f"bench_userland:{bench}" for _, _, bench, _, _ in USERLAND]
    words = ["bench", *BENCHES, *userland]
    arguments = [*linux.arguments(linux.userland, *words), *probe.arguments]
    with guest_start(arguments) as guest:
        guest.wait_for("init: done", timeout_seconds=300)
        guest.wait_end(timeout_seconds=60)
        if b"bench: failed" in guest.said:
            raise BenchError(f"on Linux: {guest.said.decode(errors='replace')}")
    return probe.hits()
