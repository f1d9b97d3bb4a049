"""Both sides at the same time, and again where the first answer may be chance."""

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from compare_container import containers_run
from compare_entries import Entry, entries_of, subjects
from compare_image import image_disk
from compare_linux import guest_run, kept_write, linux_run
from compare_outcomes import Outcome, outcomes_diff
from compare_suite import suite_applets, suite_shell

Side = Callable[[list[Entry]], dict[str, Outcome]]
# A moment's sleep until others are where they are to be may be too short, on a loaded machine and
# on either side: such a script must be equal in one of these runs, and any other in its first.
TRIES = 3
SUITES = {"suite-applets": suite_applets, "suite-shell": suite_shell}


def all_subjects() -> list[str]:
    """The subjects of the table and busybox's own test-suite."""
    return [*subjects(), *SUITES]


def entries_named(word: str) -> list[Entry]:
    """The entries of SUBJECT, or SUBJECT/NAME alone."""
    subject = word.partition("/")[0]
    entries = SUITES[subject]() if subject in SUITES else entries_of(subject)
    return [entry for entry in entries if word in (subject, entry.name)]


def diffs_of(entries: list[Entry], linux_side: Side = linux_run) -> dict[str, str]:
    """What differs, by entry; "" for what is equal."""
    image_disk(entries[0].image)
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(side, entries) for side in (linux_side, containers_run)]
        linux, ours = (run.result() for run in runs)
    diffs = {e.name: outcomes_diff(linux[e.name], ours[e.name]) for e in entries}
    for entry in entries:
        # What two systems agree on is no chance.
        if not entry.may_be_chance or not diffs[entry.name]:
            kept_write(entry, linux[entry.name])
    return diffs


def diffs_settled(entries: list[Entry], known: set[str]) -> dict[str, str]:
    """As diffs_of; timed scripts that do not agree with the list of known differences again."""
    diffs = diffs_of(entries)
    for _ in range(TRIES - 1):
        wrong = [e for e in entries if bool(diffs[e.name]) != (e.name in known)]
        again = [e for e in wrong if e.may_be_chance]
        if again:
            warnings.warn(f"run again: {' '.join(e.name for e in again)}", stacklevel=2)
            diffs |= diffs_of(again, guest_run)
    return diffs
