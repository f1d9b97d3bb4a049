"""The table: scripts by subject in table/SUBJECT.toml, and the differences that are known."""

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
TABLE = FOLDER / "table"
DIFFERENCES = FOLDER / "differences.toml"
COMPLAINTS = FOLDER / "complaints.toml"
HEAD = """\
# Entries whose outcome is not Linux's, each with the reason. The test fails for a difference that
# is not here, and for a line here that does not differ any more.
"""


@dataclass(frozen=True)
class Entry:
    """A script for busybox's shell, named SUBJECT/NAME; with a controlling terminal or without.

    All entries of one run have all but the name and the script in common.
    """

    name: str
    script: str
    has_terminal: bool = False
    image: str = "compare"
    limit_seconds: int = 20
    processors: int = 1
    is_timed: bool = False

    @property
    def may_be_chance(self) -> bool:
        """Whether it waits a moment until others are where they are to be: may be too short."""
        return self.is_timed or "sleep" in self.script or "timeout" in self.script


def entries_of(subject: str) -> list[Entry]:
    """The scripts of a subject, in the order of the file.

    `terminal = true` and `processors = 2` are for all of them.
    """
    table = tomllib.loads((TABLE / f"{subject}.toml").read_text())
    has_terminal = table.pop("terminal", False)
    processors = table.pop("processors", 1)
    return [
        Entry(f"{subject}/{name}", script.strip("\n"), has_terminal, processors=processors)
        for name, script in table.items()
    ]


def subjects() -> list[str]:
    """All subjects."""
    return sorted(path.stem for path in TABLE.glob("*.toml"))


def differences_known() -> dict[str, str]:
    """Entry → the reason why its outcome is not Linux's."""
    return _reasons(DIFFERENCES)


def complaints_known() -> dict[str, str]:
    """Entry → the reason why its script says that it did nothing, or says nothing."""
    return _reasons(COMPLAINTS)


def _reasons(path: Path) -> dict[str, str]:
    return {
        f"{subject}/{name}": reason
        for subject, reasons in tomllib.loads(path.read_text()).items()
        for name, reason in reasons.items()
    }


def differences_write(reasons: dict[str, str]) -> None:
    """Writes the list anew."""
    text, last = HEAD, ""
    for full_name, reason in sorted(reasons.items()):
        subject, _, name = full_name.partition("/")
        text += f"\n[{subject}]\n" if subject != last else ""
        text += f"{name} = {json.dumps(reason)}\n"
        last = subject
    DIFFERENCES.write_text(text)
