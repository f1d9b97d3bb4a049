"""The personality on the host: system calls against a fake kernel, with sanitizers."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from erofs_patch import Image

from pybuild.paths import BUILD

ROOT = Path(__file__).resolve().parents[2]
CLANG = shutil.which("clang-19")
OUT = BUILD / "test" / "personality"
# What only makes sense above the real kernel.
NATIVE_ONLY = {
    "kernel_if",
    "main",
    "boot",
    "thread",
    "processor",
    "container",
    "control",
    "requests",
    "vdso",
}
LIBRARY = ("format", "log_writer", "records", "elf", "erofs", "erofs_directory", "mutex")

# What nobody set is neither a pointer that somebody left there nor a small number.
UNSET = ["-ftrivial-auto-var-init=pattern"]

# Each is run with the image that containers have; race_test under another sanitizer.
FILE_TESTS = (
    "layer_test",
    "permission_test",
    "fifo_test",
    "locks_test",
    "mount_test",
    "extents_test",
    "archive_test",
)

pytestmark = [
    pytest.mark.skipif(CLANG is None, reason="clang-19 is not installed"),
    pytest.mark.skipif(shutil.which("mkfs.erofs") is None, reason="erofs-utils is missing"),
]


def generate(folder: Path) -> Path:
    """Generate the headers of both ABIs into `folder`; return it."""
    for module, schema, output in (
        ("pybuild.abi", "kernel/abi", folder),
        ("pybuild.linuxabi", "userland/linux/abi/x86_64.toml", folder / "linux"),
    ):
        subprocess.run(
            [sys.executable, "-m", module, schema, str(output)], cwd=ROOT, check=True, timeout=60
        )
    return folder


def compiler(generated: Path, sanitizer: str) -> list[str]:
    """The compiler, with what all sources are compiled with."""
    assert CLANG is not None
    command = [CLANG, "-std=gnu23", "-Wall", "-Wextra", "-Werror", "-Wthread-safety", "-g", "-O1"]
    includes = [ROOT / "userland", generated, ROOT / "tests" / "host"]
    command += [f"-I{folder}" for folder in includes]
    command += [f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all"]
    return [*command, "-pthread", *UNSET]


@cache
def personality(sanitizer: str) -> tuple[Path, list[str]]:
    """The personality with the fake kernel, compiled once for all tests: its generated headers, and
    its objects.
    """
    folder = OUT / sanitizer
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    generated = generate(folder / "gen")
    sources = [
        *(p for p in sorted((ROOT / "userland/linux").rglob("*.c")) if p.stem not in NATIVE_ONLY),
        *(ROOT / "userland" / "lib" / f"{name}.c" for name in LIBRARY),
        generated / "linux" / "dispatch.c",
        ROOT / "tests" / "host" / "fake_kernel.c",
    ]
    objects = []
    for number, parent in enumerate(sorted({source.parent for source in sources})):
        place = folder / str(number)
        place.mkdir()
        group = [source for source in sources if source.parent == parent]
        command = [*compiler(generated, sanitizer), "-c", *map(str, group)]
        subprocess.run(command, cwd=place, check=True, timeout=300)
        objects += [str(place / f"{source.stem}.o") for source in group]
    return generated, objects


def compile_test(folder: Path, sanitizer: str, test: str) -> Path:
    """Links a test with the personality; returns the program."""
    generated, objects = personality(sanitizer)
    program = folder / test
    source = ROOT / "tests" / "host" / f"{test}.c"
    command = [*compiler(generated, sanitizer), str(source), *objects, "-o", str(program)]
    subprocess.run(command, check=True, timeout=300)
    return program


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an image with the directories that the tests look at."""
    folder = tmp_path_factory.mktemp("image")
    for name in ("etc", "tmp", "proc", "dev", "many"):
        (folder / "tree" / name).mkdir(parents=True)
    (folder / "tree" / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    for number in range(300):
        (folder / "tree" / "many" / f"file_with_a_long_name_{number}").write_text(str(number))
    image = folder / "image.erofs"
    subprocess.run(
        ["mkfs.erofs", "-T0", "--all-root", str(image), str(folder / "tree")],
        check=True,
        timeout=60,
        capture_output=True,
    )
    return image


@pytest.mark.parametrize(
    "test", ["personality_test", "terminal_test", "signals_test", "console_test"]
)
@pytest.mark.parametrize("sanitizer", ["address,undefined", "thread"])
def test_personality(tmp_path: Path, image: Path, sanitizer: str, test: str) -> None:
    """Files, descriptors, pipes, processes, signals and terminals give Linux's results."""
    program = compile_test(tmp_path, sanitizer, test)
    done = subprocess.run([str(program), str(image)], timeout=120, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def busybox_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image that containers run, without the page behind its file system."""
    image = tmp_path_factory.mktemp("busybox") / "busybox.erofs"
    image.write_bytes((BUILD / "images" / "busybox.img").read_bytes()[:-4096])
    return image


@pytest.mark.parametrize("test", FILE_TESTS)
def test_files(tmp_path: Path, busybox_image: Path, test: str) -> None:
    """The root over the image: what is changed is seen, the rest stays; who may change it."""
    program = compile_test(tmp_path, "address,undefined", test)
    done = subprocess.run(
        [str(program), str(busybox_image)], timeout=120, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_damaged_image(tmp_path: Path) -> None:
    """Directories that lie below themselves, inodes without links or type: errors, nothing else."""
    tree = tmp_path / "tree"
    for name in ("a/b/up", "a/b/root", "c", "dev", "gone", "proc", "tmp", "untyped"):
        (tree / name).mkdir(parents=True)
    (tree / "c" / "f").write_text("kept")
    image = tmp_path / "image.erofs"
    command = ["mkfs.erofs", "-T0", "--all-root", str(image), str(tree)]
    subprocess.run(command, check=True, timeout=60, capture_output=True)
    damaged = Image(image)
    damaged.set_target("a/b/up", damaged.nid("a"))
    damaged.set_target("a/b/root", damaged.root)
    damaged.set_links("gone", 0)
    damaged.set_mode("untyped", 0o755)
    damaged.write(image)
    program = compile_test(tmp_path, "address,undefined", "damage_test")
    done = subprocess.run([str(program), str(image)], timeout=120, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_races(tmp_path: Path, busybox_image: Path) -> None:
    """Processes that change the same few names at once, under ThreadSanitizer."""
    program = compile_test(tmp_path, "thread", "race_test")
    done = subprocess.run(
        [str(program), str(busybox_image)], timeout=120, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
