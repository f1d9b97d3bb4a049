"""Sessions at a terminal: what is on the screen in a container is what Linux shows, step by step.

Linux goes first, once: its screens are kept as long as nothing that they are made of changes. Then
a container is given as long as it needs to show the same.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from screens_sessions import SESSIONS, SILENCE, Session, Step
from screens_sides import FOLDER, OUT, ContainerSide, Side, container_side, initramfs, linux_side

from pybuild.bench import linux
from pybuild.machine import WaitError


def step_do(side: Side, step: Step) -> int:
    """Types, or makes the window another size; how much had been read before."""
    place = side.emulator.place()
    if step.size:
        side.resize(*step.size)
    side.emulator.send(step.send)
    return place if step.until != SILENCE else -1


def linux_session(side: Side, session: Session) -> list[str]:
    """The screen after each step."""
    screens = []
    side.begin()
    for step in session.steps:
        side.emulator.expect(step.until, step_do(side, step))
        side.emulator.settle()
        screens.append(side.emulator.text())
    side.end()
    return screens


def kept_path() -> Path:
    """Where Linux's screens are, by what they depend on."""
    inputs = [path.read_bytes() for path in sorted(FOLDER.glob("screens_*"))]
    inputs += [initramfs().read_bytes(), linux.kernel_fetch()[1].encode()]
    return OUT / f"linux-{hashlib.sha256(b''.join(inputs)).hexdigest()[:16]}.json"


@pytest.fixture(scope="module")
def expected() -> dict[str, list[str]]:
    """Linux's screens of each session."""
    path = kept_path()
    if not path.exists():
        with linux_side() as side:
            screens = {session.name: linux_session(side, session) for session in SESSIONS}
        path.write_text(json.dumps(screens))
    found: dict[str, list[str]] = json.loads(path.read_text())
    return found


@pytest.fixture(scope="module")
def container() -> Iterator[ContainerSide]:
    """One machine for all sessions, of which each has a container of its own."""
    with container_side() as side:
        yield side


@pytest.mark.parametrize("session", SESSIONS, ids=lambda session: session.name)
def test_the_screen_is_as_on_linux(
    container: ContainerSide, expected: dict[str, list[str]], session: Session
) -> None:
    """Every step of the session gives the same screen."""
    container.begin()
    for step, screen in zip(session.steps, expected[session.name], strict=True):
        step_do(container, step)
        if container.emulator.text() == screen:
            # A step that changes nothing: what would be wrong has to have the time to come.
            container.emulator.settle()
        try:
            container.emulator.expect_text(screen)
        except WaitError as error:
            container.give_up()
            raise AssertionError(f"{step}\n--- Cloister\n{error}\n--- Linux\n{screen}") from None
    container.end()
