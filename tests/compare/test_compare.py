"""The same as Linux: the table's scripts in containers and on Debian's kernel, from one image."""

import pytest
from compare_entries import differences_known, subjects
from compare_run import diffs_settled, entries_named


@pytest.mark.parametrize("subject", subjects())
def test_the_same_as_on_linux(subject: str) -> None:
    """Equal but for the listed differences, and every listed one is still there."""
    known = {name for name in differences_known() if name.split("/")[0] == subject}
    diffs = diffs_settled(entries_named(subject), known)
    unknown = {name: diff for name, diff in diffs.items() if diff and name not in known}
    assert not unknown, "\n\n".join(f"{name}:\n{diff}" for name, diff in unknown.items())
    gone = [name for name in known if not diffs.get(name)]
    assert not gone, f"differences.toml lists what does not differ (any more): {gone}"
