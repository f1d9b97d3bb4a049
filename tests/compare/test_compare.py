"""The same as Linux: the table's scripts in containers and on Debian's kernel, from one image."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from compare_container import containers_run
from compare_entries import Entry, differences_known, entries_of, subjects
from compare_image import image_disk
from compare_linux import linux_run
from compare_outcomes import outcomes_diff


def diffs_of(entries: list[Entry]) -> dict[str, str]:
    """The differences of both sides, run at the same time; "" for what is equal."""
    image_disk()
    with ThreadPoolExecutor() as pool:
        linux, ours = pool.submit(linux_run, entries), pool.submit(containers_run, entries)
        return {
            e.name: outcomes_diff(linux.result()[e.name], ours.result()[e.name]) for e in entries
        }


@pytest.mark.parametrize("subject", subjects())
def test_the_same_as_on_linux(subject: str) -> None:
    """Equal but for the listed differences, and every listed one is still there."""
    diffs = diffs_of(entries_of(subject))
    known = {name for name in differences_known() if name.split("/")[0] == subject}
    unknown = {name: diff for name, diff in diffs.items() if diff and name not in known}
    assert not unknown, "\n\n".join(f"{name}:\n{diff}" for name, diff in unknown.items())
    gone = [name for name in known if not diffs.get(name)]
    assert not gone, f"differences.toml lists what does not differ (any more): {gone}"
