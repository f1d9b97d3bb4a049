"""The same as Linux: scripts in containers and on Debian's kernel, from one image."""

import pytest
from compare_entries import Entry, differences_known, subjects
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


def test_the_list_names_entries() -> None:
    """A difference that is listed is one of an entry."""
    names = {entry.name for subject in [*subjects(), *SUITES] for entry in entries_named(subject)}
    assert differences_known().keys() <= names


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
