"""Both sides at the same time."""

from concurrent.futures import ThreadPoolExecutor

from compare_container import containers_run
from compare_entries import Entry
from compare_image import image_disk
from compare_linux import linux_run
from compare_outcomes import outcomes_diff


def diffs_of(entries: list[Entry]) -> dict[str, str]:
    """What differs, by entry; "" for what is equal."""
    image_disk()
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(side, entries) for side in (linux_run, containers_run)]
        linux, ours = (run.result() for run in runs)
    return {e.name: outcomes_diff(linux[e.name], ours[e.name]) for e in entries}
