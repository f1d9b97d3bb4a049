"""The same as Linux: scripts in containers and on Debian's kernel, from one image."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import compare_linux
import pytest
from compare_complaints import complaint_of
from compare_entries import Entry, complaints_known, differences_known, entries_of, subjects
from compare_linux import key_of, linux_run
from compare_outcomes import TIME_OUT, Outcome
from compare_run import SUITES, diffs_settled, entries_named

# Entries of busybox's own suite in one boot: a test is to take less than a minute.
SUITE_EACH = 4
# How many parts that makes; the package is fetched only when the first of them runs.
SUITE_PARTS = {"suite-applets": 3, "suite-shell": 4}
# Takes minutes: twenty thousand forks.
SUITE_LONG = "suite-shell/ash-z_slow"


def check(entries: list[Entry]) -> None:
    """Equal but for the listed differences, and every listed one is still there."""
    known = {entry.name for entry in entries} & differences_known().keys()
    diffs = diffs_settled(entries, known)
    unknown = {name: diff for name, diff in diffs.items() if diff and name not in known}
    assert not unknown, "\n\n".join(f"{name}:\n{diff}" for name, diff in unknown.items())
    gone = [name for name in known if not diffs[name]]
    assert not gone, f"differences.toml lists what does not differ (any more): {gone}"


@pytest.mark.parametrize("subject", subjects())
def test_the_same_as_on_linux(subject: str) -> None:
    """The scripts of the table."""
    check(entries_named(subject))


@pytest.mark.parametrize("subject", subjects())
def test_scripts_do_what_they_are_there_for(subject: str) -> None:
    """On Linux none says that it did nothing, but for those that are to; these still do."""
    outcomes = linux_run(entries_of(subject))
    complaints = {name: complaint_of(outcome) for name, outcome in outcomes.items()}
    known = complaints_known()
    unknown = {name: text for name, text in complaints.items() if text and name not in known}
    assert not unknown, "\n\n".join(f"{name}:\n{text}" for name, text in unknown.items())
    gone = [name for name, text in complaints.items() if not text and name in known]
    assert not gone, f"complaints.toml lists what does not complain (any more): {gone}"


@pytest.mark.parametrize(
    ("outcome", "complaint"),
    [
        (Outcome(0, b"a\n", b"sh: split: not found\n"), "sh: split: not found\n"),
        (Outcome(0, b"\n", b""), "says nothing"),
        (Outcome(137, b"half\n", b"Killed\n" + TIME_OUT), "ran out of time"),
        (Outcome(137, b"half\n", b"Killed\n"), ""),
    ],
)
def test_a_complaint_is_seen(outcome: Outcome, complaint: str) -> None:
    """What guards the table can fail."""
    assert complaint_of(outcome) == complaint


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small folder in the place of the image's."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/busybox").write_bytes(b"busybox")
    (tmp_path / "bin/sh").symlink_to("busybox")
    monkeypatch.setattr(compare_linux, "image_folder", lambda image: tmp_path)
    monkeypatch.setattr(compare_linux, "image_digest", compare_linux.image_digest.__wrapped__)
    return tmp_path


ENTRY = Entry("files/a", "ls")
CHANGES = [{"script": "ls -l"}, {"has_terminal": True}, {"limit_seconds": 5}, {"processors": 2}]


@pytest.mark.parametrize("change", CHANGES)
def test_what_an_entry_says_is_in_its_key(tree: Path, change: dict[str, Any]) -> None:
    """An outcome of another script, limit or machine is not taken for this one's."""
    assert key_of(replace(ENTRY, **change)) != key_of(ENTRY)


def test_the_image_is_in_the_key(tree: Path) -> None:
    """Contents, names, modes and the targets of links."""
    keys = [key_of(ENTRY)]
    (tree / "bin/busybox").write_bytes(b"busybex")
    keys.append(key_of(ENTRY))
    (tree / "bin/sh").unlink()
    keys.append(key_of(ENTRY))
    (tree / "bin/sh").symlink_to("ash")
    keys.append(key_of(ENTRY))
    (tree / "bin").chmod(0o700)
    keys.append(key_of(ENTRY))
    assert len({*keys}) == len(keys)
    assert key_of(ENTRY) == keys[-1]


def test_the_lists_name_entries() -> None:
    """A difference or a complaint that is listed is one of an entry."""
    names = {entry.name for subject in [*subjects(), *SUITES] for entry in entries_named(subject)}
    assert differences_known().keys() <= names
    assert complaints_known().keys() <= names


def suite_parts(subject: str) -> list[list[Entry]]:
    """The entries of a suite, some in each part."""
    entries = [entry for entry in entries_named(subject) if entry.name != SUITE_LONG]
    return [entries[i : i + SUITE_EACH] for i in range(0, len(entries), SUITE_EACH)]


# Minutes of both systems: not in CI.
@pytest.mark.long
@pytest.mark.parametrize(
    ("subject", "part"), [(s, part) for s, count in SUITE_PARTS.items() for part in range(count)]
)
def test_busybox_suite(subject: str, part: int) -> None:
    """busybox's own test-suite: what its tests print."""
    parts = suite_parts(subject)
    assert len(parts) == SUITE_PARTS[subject]
    check(parts[part])


@pytest.mark.long
def test_busybox_suite_slow() -> None:
    """The part of it that forks for minutes."""
    check(entries_named(SUITE_LONG))
