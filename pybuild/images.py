"""Container images by the recipes in disk/images/NAME.toml, and the disk that carries them.

An image is a partition `image:NAME` of the disk: an EROFS file system (4 KiB blocks, not
compressed, files never packed with their inode, so that every page of a file is a page of the
disk) and behind it one page of text, `key value` lines: what the image says about its start.
"""

import os
import shutil
import stat
import subprocess
import tempfile
import tomllib
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pybuild import gpt
from pybuild.bench import tools as bench
from pybuild.bundle import PAGE_BYTES
from pybuild.paths import BUILD, BUNDLE, CACHE, DISK, ROOT
from pybuild.toolchain import BuildError, run_tool

RECIPES = ROOT / "disk" / "images"
TRAILER_HEAD = "cloister-image 1"


@dataclass(frozen=True)
class Recipe:
    """A recipe as read: `table` is the TOML."""

    name: str
    path: Path
    table: dict[str, Any]

    @property
    def out(self) -> Path:
        """The image."""
        return BUILD / "images" / f"{self.name}.img"

    @property
    def is_bundle(self) -> bool:
        """Whether it is the boot bundle instead of a file system."""
        return "native" in self.table

    def packages(self) -> list[str]:
        """Debian packages that the recipe takes files from."""
        return list(self.table.get("packages", []))

    def inputs(self) -> list[Path]:
        """Files that the image is made of."""
        names = [entry["program"] for entry in self.table.get("copy", []) if "program" in entry]
        programs = [bench.PROGRAMS / f"{name}.c" for name in names]
        headers = bench.HEADERS if names else []
        bundles = [BUNDLE] if self.is_bundle else []
        packages = map(package_file, self.packages())
        return [self.path, *packages, *programs, *headers, *bundles]


def recipes() -> list[Recipe]:
    """All recipes, by name."""
    paths = sorted(RECIPES.glob("*.toml"))
    return [Recipe(path.stem, path, tomllib.loads(path.read_text())) for path in paths]


def package_file(package: str) -> Path:
    """Where the downloaded package is kept."""
    return CACHE / f"{package}.deb"


def package_download(package: str) -> None:
    """Fetches a Debian package of this machine's release; BuildError when apt can't."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        command = ["apt-get", "download", "-q", package]
        try:
            run_tool(command, Path(folder))
        except BuildError:
            sudo = [] if os.geteuid() == 0 else ["sudo"]
            run_tool([*sudo, "apt-get", "update", "-q"])
            run_tool(command, Path(folder))
        found = list(Path(folder).glob("*.deb"))
        if len(found) != 1:
            raise BuildError(f"apt-get download {package}: no package came")
        found[0].rename(package_file(package))


def _inside(tree: Path, name: str) -> Path:
    """A path of the image as a path below `tree`; its folder is made."""
    if not name.startswith("/") or ".." in name.split("/"):
        raise ValueError(f"image: {name!r} is no absolute path")
    path = tree / name.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _copy(entry: dict[str, str], tree: Path, unpacked: Path) -> None:
    target = _inside(tree, entry["to"])
    if "program" in entry:
        # The file that the bench gives to the peer, too.
        shutil.copyfile(bench.program_build(entry["program"]), target)
    else:
        shutil.copyfile(unpacked / entry["package"] / entry["from"], target)
    target.chmod(0o755)


def _applets(entry: dict[str, Any], tree: Path) -> None:
    program = _inside(tree, entry["program"])
    for word in run_tool([str(program), *entry["arguments"]]).split():
        link = _inside(tree, f"{entry['into']}/{word}")
        if not link.exists():
            link.symlink_to(program.name)


def image_tree(recipe: Recipe, tree: Path, unpacked: Path) -> None:
    """Lays out the image's files below `tree`."""
    table = recipe.table
    for package in recipe.packages():
        run_tool(["dpkg-deb", "-x", str(package_file(package)), str(unpacked / package)])
    for entry in table.get("copy", []):
        _copy(entry, tree, unpacked)
    for entry in table.get("applets", []):
        _applets(entry, tree)
    for name, text in table.get("files", {}).items():
        path = _inside(tree, name)
        path.write_text(text)
        path.chmod(0o644)
    for path in [tree, *tree.rglob("*")]:
        if stat.S_ISDIR(path.lstat().st_mode):
            path.chmod(0o755)
    for name, mode in table.get("directories", {}).items():
        path = _inside(tree, name)
        path.mkdir(exist_ok=True)
        path.chmod(int(mode, 8))


def trailer(table: dict[str, Any]) -> bytes:
    """The page behind the file system: command's words, environment and users, a line each.

    Or, behind a boot bundle, the program of it that is started, and what it can't do without.
    """
    lines = [TRAILER_HEAD]
    lines += [f"{key} {table[key]}" for key in ("native", "needs") if key in table]
    lines += [f"command {word}" for word in table.get("command", [])]
    lines += [f"env {pair}" for pair in table.get("env", [])]
    passwd = table.get("files", {}).get("/etc/passwd", "")
    users = [line.split(":") for line in passwd.splitlines()]
    lines += [f"user {fields[0]}:{fields[2]}" for fields in users]
    text = "\n".join(lines) + "\n"
    if len(text.encode()) > PAGE_BYTES or len(text.splitlines()) != len(lines):
        raise ValueError("image: command and env must be lines and fit in one page")
    return text.encode().ljust(PAGE_BYTES, b"\0")


def erofs_bytes(tree: Path, name: str) -> bytes:
    """An EROFS file system of a folder, whole pages; the same files give the same bytes."""
    with tempfile.TemporaryDirectory(dir=tree.parent) as folder:
        out = Path(folder) / "erofs"
        command = ["mkfs.erofs", "--quiet", "-T0", "--all-root", "-x-1", "-Enoinline_data"]
        run_tool([*command, f"-U{uuid.uuid5(gpt.NAMESPACE, name)}", str(out), str(tree)])
        data = out.read_bytes()
    return data.ljust(-(-len(data) // PAGE_BYTES) * PAGE_BYTES, b"\0")


def image_bytes(recipe: Recipe, files: dict[str, bytes]) -> bytes:
    """The image by its recipe, with these files beside its own."""
    if recipe.is_bundle:
        return BUNDLE.read_bytes() + trailer(recipe.table)
    with tempfile.TemporaryDirectory(dir=recipe.out.parent) as folder:
        tree, unpacked = Path(folder) / "tree", Path(folder) / "unpacked"
        tree.mkdir()
        unpacked.mkdir()
        image_tree(recipe, tree, unpacked)
        for name, data in files.items():
            _inside(tree, name).write_bytes(data)
        return erofs_bytes(tree, recipe.name) + trailer(recipe.table)


def image_build(recipe: Recipe) -> None:
    """Makes the image by its recipe."""
    recipe.out.parent.mkdir(parents=True, exist_ok=True)
    recipe.out.write_bytes(image_bytes(recipe, {}))


def disk_build(found: list[Recipe]) -> None:
    """Writes the disk with one partition for each image."""
    parts = [gpt.Partition(f"image:{recipe.name}", recipe.out.read_bytes()) for recipe in found]
    DISK.write_bytes(gpt.disk_bytes(parts))


def erofs_problems(image: Path) -> str:
    """What fsck.erofs says about an image; "" when it is sound."""
    done = subprocess.run(["fsck.erofs", str(image)], text=True, capture_output=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""
