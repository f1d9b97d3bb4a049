"""The prompt of a machine: a line is typed, and what is shown until it is there again."""

from __future__ import annotations

from pybuild.machine import Machine

PROMPT = rb"cloister# "  # a line of the log may come behind it
WAIT_SECONDS = 120


def typed(machine: Machine, line: str, until: bytes = PROMPT) -> bytes:
    """Types a line; what is shown until the pattern and the prompt."""
    place = len(machine.console.text)
    machine.console.send(line.encode() + b"\r")
    found = machine.console.expect(until, WAIT_SECONDS, place)
    prompt = machine.console.expect(PROMPT, WAIT_SECONDS, place)
    return machine.console.text[place : max(found.end(), prompt.end())]
