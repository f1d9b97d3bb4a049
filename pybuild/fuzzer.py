"""Running libFuzzer programs: one that did nothing is not one that found nothing."""

from __future__ import annotations

import base64
import os
import re
import subprocess
from pathlib import Path

EXECUTED = re.compile(r"^stat::number_of_executed_units:\s+(\d+)$", re.MULTILINE)
SLACK_SECONDS = 120  # reading the seeds, and a machine that others use as well
REPORT_BYTES = 6000


def executed(output: str) -> int:
    """How many inputs a run says that it executed; 0 when it says nothing."""
    found = EXECUTED.findall(output)
    return int(found[-1]) if found else 0


def corpus_read(path: Path, folder: Path) -> int:
    """Write a saved corpus (an input a line, in base64) into a folder; return their number."""
    folder.mkdir(exist_ok=True)
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines):
        (folder / f"saved{number}").write_bytes(base64.b64decode(line))
    return len(lines)


def corpus_write(folder: Path, path: Path) -> None:
    """Save the inputs of a folder."""
    inputs = sorted((file.read_bytes() for file in folder.iterdir()), key=lambda x: (len(x), x))
    path.write_text("".join(base64.b64encode(text).decode() + "\n" for text in inputs))


def run(
    command: list[str],
    seconds: int,
    *,
    seeds: int,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
) -> str:
    """Fuzz for so long; return what it said.

    AssertionError with the report when something was found, or when not all of the seeds and some
    inputs more were executed.
    """
    done = subprocess.run(
        [*command, f"-max_total_time={seconds}", "-print_final_stats=1"],
        env={**os.environ, **(env or {})},
        cwd=cwd,
        timeout=seconds + SLACK_SECONDS,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output[-REPORT_BYTES:]
    count = executed(output)
    assert count > seeds, f"{count} inputs, of which {seeds} are seeds: {output[-REPORT_BYTES:]}"
    return output
