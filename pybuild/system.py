"""System packages that only some verbs need, installed with apt when they are missing."""

import os
import subprocess
import sys
import tomllib

from pybuild.paths import ROOT
from pybuild.toolchain import BuildError


def is_installed(package: str) -> bool:
    """Whether Debian's package is installed."""
    command = ["dpkg-query", "-W", "-f", "${db:Status-Status}", package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout == "installed"


def ensure(group: str) -> None:
    """Installs what is missing of a package list in pyproject.toml; BuildError when apt can't."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["cloister"]
    missing = [p for p in (line.split(":")[0] for line in table[group]) if not is_installed(p)]
    if not missing:
        return
    print(f"cloister: installing system packages: {' '.join(missing)}", file=sys.stderr)
    as_root = [] if os.geteuid() == 0 else ["sudo"]
    install = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-q", "-y"]
    for command in (
        [*as_root, "apt-get", "update", "-q"],
        [*as_root, *install, "--no-install-recommends", *missing],
    ):
        if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
            raise BuildError(f"{' '.join(command)}: failed")
