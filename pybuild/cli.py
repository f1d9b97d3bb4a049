"""The command line: `./cloister VERB`. Its exit status is the verb's own.

doit is called for what has dependencies; it turns every failure into status 1, so what has a
status of its own (run, test) runs outside of it.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import click

from pybuild.paths import BUILD, ROOT


def build_tasks(*names: str, failure: int = 1) -> None:
    """Brings these doit tasks up to date, one build at a time; exits with `failure` on failure."""
    from doit.cmd_base import ModuleTaskLoader
    from doit.doit_cmd import DoitMain

    sys.path.insert(0, str(ROOT))
    import dodo

    BUILD.mkdir(exist_ok=True)
    with (BUILD / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = ["run", "--continue", "-n", "2", "-P", "thread", "--reporter", "error-only"]
        # Two of doit's threads may put back each other's stand-in for stderr: ours is kept here.
        stderr = sys.stderr
        with contextlib.redirect_stdout(stderr):
            status = DoitMain(ModuleTaskLoader(dodo)).run([*command, *names])
        sys.stderr = stderr
    if status:
        click.echo("cloister: the build failed", err=True)
        sys.exit(failure)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Build, run and test Cloister, an operating system for containers."""


@main.command()
@click.argument("tasks", nargs=-1)
def build(tasks: tuple[str, ...]) -> None:
    """Build what boots (or the named doit tasks)."""
    build_tasks(*(tasks or ("build",)))


@main.command()
@click.option("-c", "text", metavar="COMMAND", help="Give COMMAND to the shell, then power off.")
@click.option("--smp", metavar="N", default=2, show_default=True, help="Number of CPUs.")
@click.option("--mem", metavar="MIB", default=512, show_default=True, help="Memory in MiB.")
@click.option("--icount", is_flag=True, help="Deterministic; forces 1 CPU.")
@click.option("--timeout", metavar="SECONDS", type=float, help="With -c: then exit with 124.")
def run(text: str | None, smp: int, mem: int, icount: bool, timeout: float | None) -> None:
    """Boot with the console on this terminal (Ctrl-A x leaves), or run one command."""
    from pybuild import command, terminal
    from pybuild.machine import MachineConfig

    build_tasks("build", failure=125)
    config = MachineConfig(smp=smp, mem_mib=mem, icount=icount)
    if text is None:
        sys.exit(terminal.run_on_terminal(config))
    sys.exit(command.run_one_command(config, text, timeout or float("inf")))


# A whole run has as many files under way as there are processors, up to four; a file's tests, which
# share a log and what they build, stay in one process and in order.
SIDE_BY_SIDE = [
    *("-n", str(min(os.cpu_count() or 1, 4))),
    *("--dist", "loadfile", "--no-loadscope-reorder"),
]


def pytest_run(expression: str | None, *arguments: str) -> int:
    """Runs pytest in the root and gives its status."""
    chosen = ["-k", expression] if expression else []
    command = [sys.executable, "-m", "pytest", *arguments, *chosen]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


@main.command()
@click.option("-k", "expression", metavar="EXPRESSION", help="Only tests that match, as pytest.")
def test(expression: str | None) -> None:
    """Run lint and the tests, on the host and in QEMU."""
    from pybuild import lint as checks
    from pybuild import system

    system.ensure("test-packages")
    build_tasks("build")
    lint_status = 0 if expression else checks.run_all()
    tests_status = pytest_run(expression, "-m", "not long", *([] if expression else SIDE_BY_SIDE))
    if lint_status:  # said before all that the tests have printed since
        click.echo("cloister: lint FAILED; see above, or run ./cloister lint", err=True)
    sys.exit(lint_status or tests_status)


@main.command("test-long")
@click.option("-k", "expression", metavar="EXPRESSION", help="Only tests that match, as pytest.")
def test_long(expression: str | None) -> None:
    """Run the tests that take minutes."""
    build_tasks("build")
    sys.exit(pytest_run(expression, "-m", "long"))


@main.command()
def lint() -> None:
    """Run the checks: ruff, mypy, clang-format, includes, sizes, W^X."""
    from pybuild import lint as checks

    build_tasks("build")
    sys.exit(checks.run_all())


@main.command("format")
def format_all() -> None:
    """Write C and Python as clang-format and ruff would."""
    from pybuild import lint as checks

    sys.exit(checks.format_all())


@main.command()
@click.option("-k", "expression", metavar="EXPRESSION", help="Only these metrics.")
def bench(expression: str | None) -> None:
    """Measure beside Linux on the same QEMU; writes build/bench.json."""
    build_tasks("build")
    chosen = ["-k", expression] if expression else []
    command = [sys.executable, "-m", "pybuild.bench", *chosen]
    sys.exit(subprocess.run(command, cwd=ROOT, check=False).returncode)


@main.command()
def docs() -> None:
    """Write the manual pages of the ABI to build/docs."""
    build_tasks("docs")


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
