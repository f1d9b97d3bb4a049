"""Two that want the same thing made: one makes it."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pybuild.alone import alone


def test_one_makes_it_and_the_others_find_it(tmp_path: Path) -> None:
    made = tmp_path / "folder" / "made"
    makers: list[int] = []

    def make(number: int) -> None:
        with alone(made):
            if not made.exists():
                time.sleep(0.05)
                made.write_text("made")
                makers.append(number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(make, range(4)))
    assert len(makers) == 1


def test_the_lock_is_given_back_by_a_maker_that_fails(tmp_path: Path) -> None:
    made = tmp_path / "made"
    for _ in range(2):
        try:
            with alone(made):
                raise OSError("no room")
        except OSError as error:
            assert str(error) == "no room"
