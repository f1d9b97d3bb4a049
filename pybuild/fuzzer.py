"""Running libFuzzer programs: one that did nothing is not one that found nothing."""

from __future__ import annotations

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
