"""The image that both sides run: `busybox` with the driver and two more users."""

import shutil
import tempfile
from functools import cache
from pathlib import Path

from compare_entries import FOLDER

from pybuild import gpt, images
from pybuild.paths import BUILD

OUT = BUILD / "compare"
IMAGE = "compare"
DRIVER = FOLDER / "driver.sh"
USERS = {
    "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\n"
    "user:x:1000:1000:user:/home/user:/bin/sh\n"
    "other:x:1001:1001:other:/home/other:/bin/sh\n",
    "/etc/group": "root:x:0:\nuser:x:1000:\nother:x:1001:\nboth:x:2000:user,other\n",
}


def recipe() -> images.Recipe:
    """The recipe: that of `busybox` and more files."""
    base = next(recipe for recipe in images.recipes() if recipe.name == "busybox")
    files = {**base.table["files"], **USERS, "/driver": DRIVER.read_text()}
    return images.Recipe(IMAGE, base.path, {**base.table, "files": files})


@cache
def image_folder() -> Path:
    """The image's files in a folder."""
    OUT.mkdir(parents=True, exist_ok=True)
    tree = OUT / "image"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir()
    with tempfile.TemporaryDirectory(dir=OUT) as unpacked:
        images.image_tree(recipe(), tree, Path(unpacked))
    return tree


@cache
def image_disk() -> Path:
    """A disk with the image."""
    data = images.erofs_bytes(image_folder(), IMAGE) + images.trailer(recipe().table)
    disk = OUT / "disk.img"
    disk.write_bytes(gpt.disk_bytes([gpt.Partition(f"image:{IMAGE}", data)]))
    return disk
