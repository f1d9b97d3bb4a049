"""The library of native programs, compiled for the host with ASan and UBSan."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from erofs_patch import Image

ROOT = Path(__file__).resolve().parents[2]
CLANG = shutil.which("clang-19")
FLAGS = ["-std=gnu23", "-Wall", "-Wextra", "-Werror", "-g", "-O1", f"-I{ROOT}/userland"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
EROFS_SOURCES = ["userland/lib/erofs.c", "userland/lib/erofs_directory.c"]

pytestmark = pytest.mark.skipif(CLANG is None, reason="clang-19 is not installed")


def compile_host(target: Path, sources: list[str]) -> Path:
    """Compile `sources` (relative to the repository) into `target`; return it."""
    assert CLANG is not None
    paths = [str(ROOT / source) for source in sources]
    subprocess.run([CLANG, *FLAGS, *SANITIZERS, *paths, "-o", str(target)], check=True, timeout=120)
    return target


def expected_lines(tree: Path) -> set[str]:
    """Return what erofs_dump prints for an image of `tree` with all owners root."""
    lines = set()
    for path in [tree, *tree.rglob("*")]:
        status = path.lstat()
        size, total = 0, 0
        if not stat.S_ISDIR(status.st_mode):
            data = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
            size = len(data)
            for byte in data:
                total = (total * 31 + byte) & 0xFFFFFFFF
        name = "" if path == tree else "/" + str(path.relative_to(tree))
        lines.add(f"{name} {status.st_mode:o} {status.st_nlink} 0 0 {size} {total}")
    return lines


@pytest.fixture(scope="module")
def erofs_dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the dump program once."""
    return compile_host(
        tmp_path_factory.mktemp("erofs") / "dump", ["tests/host/erofs_dump.c", *EROFS_SOURCES]
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Make a tree with every kind of file that images have, some larger than a block."""
    root = tmp_path / "tree"
    (root / "bin").mkdir(parents=True)
    for size in (0, 1, 100, 4095, 4096, 4097, 8192, 20000):
        (root / f"size{size}").write_bytes(bytes(i * 7 % 251 for i in range(size)))
    (root / "bin" / "link").symlink_to("../size100")
    os.link(root / "size4097", root / "bin" / "hard")
    many = root / "many"
    many.mkdir()
    for number in range(400):
        (many / f"a_rather_long_file_name_{number}").write_text(str(number))
    (root / "size1").chmod(0o600)
    return root


@pytest.mark.skipif(shutil.which("mkfs.erofs") is None, reason="erofs-utils is not installed")
@pytest.mark.parametrize("options", [[], ["-Eforce-inode-extended"]])
def test_erofs_image_reads_as_its_tree(
    tmp_path: Path, erofs_dump: Path, tree: Path, options: list[str]
) -> None:
    """Every path, mode, link count, size and byte of an image is the tree's."""
    image = tmp_path / "image.erofs"
    subprocess.run(
        ["mkfs.erofs", "-T0", "--all-root", *options, str(image), str(tree)],
        check=True,
        timeout=60,
        capture_output=True,
    )
    printed = subprocess.run(
        [str(erofs_dump), str(image)], check=True, timeout=60, capture_output=True, text=True
    )
    assert set(printed.stdout.splitlines()) == expected_lines(tree)


def test_erofs_damage_is_reported(tmp_path: Path, erofs_dump: Path) -> None:
    """An image of zeros, or none, gives a text that says what is wrong."""
    image = tmp_path / "image"
    for content, text in ((b"", "too small"), (bytes(8192), "no EROFS magic")):
        image.write_bytes(content)
        printed = subprocess.run(
            [str(erofs_dump), str(image)], check=True, timeout=60, capture_output=True, text=True
        )
        assert text in printed.stdout


@pytest.mark.skipif(shutil.which("mkfs.erofs") is None, reason="erofs-utils is not installed")
def test_erofs_inodes_without_links_or_type(tmp_path: Path, erofs_dump: Path) -> None:
    """A directory that counts as removed is damage, and no directory; so is an unknown type."""
    (tmp_path / "tree" / "a").mkdir(parents=True)
    (tmp_path / "tree" / "b").mkdir()
    image = tmp_path / "image"
    subprocess.run(
        ["mkfs.erofs", "-T0", "--all-root", str(image), str(tmp_path / "tree")],
        check=True,
        timeout=60,
        capture_output=True,
    )
    damages = ("/a: inode has no links", "/b: inode has no type", "open: inode has no links")
    for number, text in enumerate(damages):
        damaged = Image(image)
        if number == 1:
            damaged.set_mode("b", 0o755)
        else:
            damaged.set_links("" if number else "a", 0)
        printed = subprocess.run(
            [str(erofs_dump), str(damaged.write(tmp_path / "damaged"))],
            check=True,
            timeout=60,
            capture_output=True,
            text=True,
        )
        assert text in printed.stdout.splitlines()


def test_lib_units(tmp_path: Path) -> None:
    """Formatting agrees with the host's printf; a real static program parses."""
    test = compile_host(
        tmp_path / "lib_test",
        ["tests/host/lib_test.c", "userland/lib/format.c", "userland/lib/elf.c"],
    )
    busybox = Path("/bin/busybox")
    programs = [str(busybox)] if busybox.exists() else []
    done = subprocess.run([str(test), *programs], timeout=60, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
