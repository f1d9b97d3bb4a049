"""libFuzzer over what reads files from outside: EROFS images, ELF headers."""

import shutil
import subprocess
from pathlib import Path

import pytest

from pybuild import fuzzer
from pybuild.paths import ROOT

CLANG = shutil.which("clang-19")
FLAGS = ["-std=gnu23", "-Wall", "-Wextra", "-Werror", "-O1", "-g", f"-I{ROOT}/userland"]
SANITIZERS = ["-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"]
SECONDS = 120
TARGETS = {"erofs": ["erofs.c", "erofs_directory.c"], "elf": ["elf.c"]}

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(CLANG is None, reason="clang-19 is not installed"),
]


def seeds(folder: Path, target: str) -> Path:
    """A folder with proper files to start from."""
    corpus = folder / "corpus"
    corpus.mkdir()
    if target == "elf":
        (corpus / "program").write_bytes(Path("/bin/sh").read_bytes()[:4096])
        return corpus
    tree = folder / "tree"
    (tree / "a" / "b").mkdir(parents=True)
    (tree / "a" / "file").write_text("text")
    (tree / "a" / "b" / "long").write_bytes(bytes(5000))
    (tree / "a" / "link").symlink_to("file")
    for name, options in (("compact", []), ("extended", ["-Eforce-inode-extended"])):
        subprocess.run(
            ["mkfs.erofs", "-T0", "--all-root", *options, str(corpus / name), str(tree)],
            check=True,
            timeout=60,
            capture_output=True,
        )
    return corpus


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_fuzz(tmp_path: Path, target: str) -> None:
    """No input makes a reader look outside of it."""
    assert CLANG is not None
    program = tmp_path / "fuzz"
    sources = [ROOT / "tests" / "fuzz" / f"fuzz_{target}.c"]
    sources += [ROOT / "userland" / "lib" / name for name in TARGETS[target]]
    command = [CLANG, *FLAGS, *SANITIZERS, *map(str, sources), "-o", str(program)]
    subprocess.run(command, check=True, timeout=120)
    corpus = seeds(tmp_path, target)
    count = len(list(corpus.iterdir()))
    fuzzer.run([str(program), "-max_len=16384", str(corpus)], SECONDS, seeds=count, cwd=tmp_path)
