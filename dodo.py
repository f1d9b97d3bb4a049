"""The tasks of the build, for doit; the work is in pybuild/.

`./cloister build` runs the task `build`. doit keeps the names run, clean and help for itself.
"""

import sys
from collections.abc import Callable, Iterator
from typing import Any

from pybuild import bundle, images, layout, lint, linuxvdso, parts, toolchain
from pybuild.paths import BUILD, BUNDLE, DISK, ROOT, TEST_BUNDLE, relative

DOIT_CONFIG = {
    "default_tasks": ["build"],
    "backend": "json",
    "dep_file": str(BUILD / ".doit.json"),
    "verbosity": 2,
}
Task = dict[str, Any]


def _headers_unchanged(obj: Any, command: list[str]) -> Callable[[Any, Any], bool]:
    """An uptodate check: same command, same contents of all that the depfile lists."""

    def check(task: Any, values: dict[str, Any]) -> bool:
        line = " ".join(command)
        task.value_savers.append(
            lambda: {"command": line, "headers": toolchain.headers_digest(obj)}
        )
        known = toolchain.headers_digest(obj)
        return bool(known) and values.get("headers") == known and values.get("command") == line

    return check


def task_abi() -> Iterator[Task]:
    """Headers, dispatch and stubs out of the ABI schema."""
    yield {"basename": "abi", "name": None, "doc": "generate from the ABI schema"}
    if parts.has_abi():
        schema = sorted(parts.ABI_SCHEMA.glob("*.toml"))
        generator = sorted((ROOT / "pybuild" / "abi").rglob("*.py"))
        yield {
            "basename": "abi",
            "name": "generate",
            "file_dep": [*schema, *generator],
            "targets": parts.ABI_OUTPUTS,
            "actions": parts.action(parts.generate_abi),
        }
    yield {
        "basename": "abi",
        "name": "asm",
        "doc": "what assembly needs to know of C",
        "file_dep": [*parts.ABI_OUTPUTS, *layout.assembly(), ROOT / "pybuild" / "layout.py"],
        "targets": [layout.OUT],
        "uptodate": [_headers_unchanged(layout.probe_object(), layout.probe_command())],
        "actions": parts.action(layout.generate),
    }
    yield {
        "basename": "abi",
        "name": "linux",
        "file_dep": [
            parts.LINUX_SCHEMA,
            parts.LINUX_SCHEMA.with_name("values.toml"),
            ROOT / "pybuild" / "linuxabi.py",
            ROOT / "pybuild" / "linuxvalues.py",
        ],
        "targets": parts.LINUX_OUTPUTS,
        "actions": parts.action(parts.generate_linux),
    }
    yield {
        "basename": "abi",
        "name": "vdso",
        "doc": "what Linux programs are mapped to read the time",
        "file_dep": [*sorted(linuxvdso.FOLDER.iterdir()), ROOT / "pybuild" / "linuxvdso.py"],
        "targets": [parts.VDSO_OUTPUT],
        "actions": parts.action(parts.generate_vdso),
    }


def task_compile() -> Iterator[Task]:
    """Objects, one task each."""
    yield {"basename": "compile", "name": None, "doc": "compile each source"}
    for flavour, source in parts.compilations():
        obj = flavour.object_of(source)
        yield {
            "basename": "compile",
            "name": relative(obj),
            "file_dep": [source],
            "task_dep": ["abi"],
            "targets": [obj],
            "uptodate": [_headers_unchanged(obj, toolchain.compile_command(flavour, source))],
            "actions": parts.action(toolchain.compile_source, flavour, source),
        }


def task_link() -> Iterator[Task]:
    """The kernel and the programs."""
    yield {"basename": "link", "name": None, "doc": "link the kernel and the programs"}
    for part in parts.all_parts():
        yield {
            "basename": "link",
            "name": part.name,
            "file_dep": [*part.objects(), part.script, ROOT / "pybuild" / "symbols.py"],
            "targets": [part.out],
            "uptodate": [parts.same_command(part)],
            "actions": parts.action(part.link),
        }


def task_bundle() -> Iterator[Task]:
    """The boot bundle, and the one with the test programs."""
    for name, out, members in (
        ("boot", BUNDLE, parts.programs()),
        ("test", TEST_BUNDLE, parts.programs() + parts.test_programs()),
    ):
        files = {part.name: part.out for part in members} | {"manifest": parts.MANIFEST}
        yield {
            "name": name,
            "file_dep": list(files.values()),
            "targets": [out],
            "uptodate": [parts.same_text(" ".join(files))],
            "actions": parts.action(bundle.bundle_write, out, files),
        }


def task_fetch() -> Iterator[Task]:
    """Debian packages that images are made of, kept in build/cache."""
    yield {"basename": "fetch", "name": None, "doc": "download Debian packages for images"}
    for package in sorted({name for r in images.recipes() for name in r.packages()}):
        yield {
            "basename": "fetch",
            "name": package,
            "targets": [images.package_file(package)],
            "uptodate": [True],
            "actions": parts.action(images.package_download, package),
        }


def task_image() -> Iterator[Task]:
    """Container images by the recipes in disk/images/."""
    for recipe in images.recipes():
        yield {
            "name": recipe.name,
            "file_dep": [*recipe.inputs(), ROOT / "pybuild" / "images.py"],
            "targets": [recipe.out],
            "actions": parts.action(images.image_build, recipe),
        }


def task_disk() -> Task:
    """The disk with all images."""
    found = images.recipes()
    return {
        "file_dep": [*[r.out for r in found], ROOT / "pybuild" / "gpt.py"],
        "targets": [DISK],
        "actions": parts.action(images.disk_build, found),
    }


def task_docs() -> Iterator[Task]:
    """The manual: pages of the system calls and their index, to build/docs."""
    yield {"basename": "docs", "name": None, "doc": "write the manual to build/docs"}
    if parts.has_abi():
        yield {
            "basename": "docs",
            "name": "manual",
            "file_dep": parts.ABI_OUTPUTS,
            "targets": [BUILD / "docs" / "abi.md"],
            "actions": parts.action(parts.copy_docs),
        }


def task_build() -> Task:
    """Everything that boots."""
    kernels = [kernel.out for kernel in parts.kernels()]
    return {
        "actions": None,
        "file_dep": [*kernels, BUNDLE, TEST_BUNDLE, DISK],
        "task_dep": ["abi", "compile", "link"],
    }


def task_lint() -> Task:
    """The checks, as `./cloister lint`."""
    return {"task_dep": ["build"], "actions": [lambda: lint.run_all() == 0], "verbosity": 2}


def task_test() -> Task:
    """The tests on the host and in QEMU, as `./cloister test` without the checks."""
    command = [sys.executable, "-m", "pytest", "-m", "not long"]
    return {"task_dep": ["build"], "actions": [command], "verbosity": 2}
