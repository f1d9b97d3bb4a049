"""Storms on two CPUs: what the victim gets done beside one is hardly less than beside spinners; and
how much of many starts at once is waiting for locks.
"""

import pytest

from pybuild.bench import lock_wait, storms


@pytest.mark.long
def test_the_victim_gets_on_beside_a_storm() -> None:
    try:
        found = storms.works_measure(list(storms.STORMS))
    except storms.BusyError as error:
        pytest.skip(f"needs two processors of the host for itself: {error}")
    for name, work in found.items():
        print(f"{name}: {work:.3f} of the work beside spinners")
    assert {name: work for name, work in found.items() if work < storms.WORK_MIN} == {}


@pytest.mark.long
def test_few_instructions_wait_for_locks() -> None:
    assert lock_wait.percent() < lock_wait.PERCENT_MAX
