"""The images that both sides run: `compare` is `busybox` with the driver and two more users,
`suite` has busybox's own test-suite, too.
"""

import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import compare_suite
from compare_entries import FOLDER

from pybuild import gpt, images
from pybuild.paths import BUILD

OUT = BUILD / "compare"
DRIVER = FOLDER / "driver.sh"
USERS = {
    "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\n"
    "user:x:1000:1000:user:/home/user:/bin/sh\n"
    "other:x:1001:1001:other:/home/other:/bin/sh\n",
    "/etc/group": "root:x:0:\nuser:x:1000:\nother:x:1001:\nboth:x:2000:user,other\n",
}
# What an image has beyond the driver.
CONTENTS: dict[str, Callable[[Path], None]] = {
    "compare": lambda tree: None,
    compare_suite.IMAGE: compare_suite.suite_lay_out,
}


def recipe(image: str) -> images.Recipe:
    """The recipe: that of `busybox` and more files."""
    base = next(recipe for recipe in images.recipes() if recipe.name == "busybox")
    files = {**base.table["files"], **USERS, "/driver": DRIVER.read_text()}
    return images.Recipe(image, base.path, {**base.table, "files": files})


@cache
def image_folder(image: str) -> Path:
    """The image's files in a folder."""
    OUT.mkdir(parents=True, exist_ok=True)
    tree = OUT / f"image-{image}"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir()
    with tempfile.TemporaryDirectory(dir=OUT) as unpacked:
        images.image_tree(recipe(image), tree, Path(unpacked))
    CONTENTS[image](tree)
    return tree


@cache
def image_disk(image: str) -> Path:
    """A disk with the image."""
    data = images.erofs_bytes(image_folder(image), image) + images.trailer(recipe(image).table)
    disk = OUT / f"disk-{image}.img"
    disk.write_bytes(gpt.disk_bytes([gpt.Partition(f"image:{image}", data)]))
    return disk
