"""The table: scripts by subject in table/SUBJECT.toml, and the differences that are known."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
TABLE = FOLDER / "table"
DIFFERENCES = FOLDER / "differences.toml"


@dataclass(frozen=True)
class Entry:
    """A script for busybox's shell, named SUBJECT/NAME."""

    name: str
    script: str


def entries_of(subject: str) -> list[Entry]:
    """The scripts of a subject, in the order of the file."""
    table = tomllib.loads((TABLE / f"{subject}.toml").read_text())
    return [Entry(f"{subject}/{name}", script.strip("\n")) for name, script in table.items()]


def subjects() -> list[str]:
    """All subjects."""
    return sorted(path.stem for path in TABLE.glob("*.toml"))


def differences_known() -> dict[str, str]:
    """Entry → the reason why its outcome is not Linux's."""
    return {
        f"{subject}/{name}": reason
        for subject, reasons in tomllib.loads(DIFFERENCES.read_text()).items()
        for name, reason in reasons.items()
    }
