"""The command line: `./cloister VERB`. Its exit status is the verb's own.

doit is called for what has dependencies; it turns every failure into status 1, so what has a
status of its own (run, test) runs outside of it.
"""

import fcntl
import shutil
import sys
from pathlib import Path

import click

from pybuild.paths import BUILD, ROOT


def build_tasks(*names: str) -> None:
    """Brings these doit tasks up to date, one build at a time; leaves with status 1 on failure."""
    from doit.cmd_base import ModuleTaskLoader
    from doit.doit_cmd import DoitMain

    sys.path.insert(0, str(ROOT))
    import dodo

    BUILD.mkdir(exist_ok=True)
    with (BUILD / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = ["run", "-n", "2", "-P", "thread", "--reporter", "error-only", *names]
        status = DoitMain(ModuleTaskLoader(dodo)).run(command)
    if status:
        click.echo("cloister: the build failed", err=True)
        sys.exit(1)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Build, run and test Cloister, an operating system for containers."""


@main.command()
@click.argument("tasks", nargs=-1)
def build(tasks: tuple[str, ...]) -> None:
    """Build what boots (or the named doit tasks)."""
    build_tasks(*(tasks or ("build",)))


@main.command()
def clean() -> None:
    """Remove everything that was built (downloads in build/cache stay)."""
    for path in sorted(BUILD.glob("*")):
        if path.name == "cache":
            continue
        remove(path)


def remove(path: Path) -> None:
    """Removes a file or a folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
