"""Whether a script did what it is there for: Linux says so as well when it did not."""

import re

from compare_outcomes import TIME_OUT, Outcome

# What busybox and its shell say of what they do not have or do not understand.
NOTHING_DONE = re.compile(
    rb": not found|applet not found|Usage: |syntax error|invalid option|unrecognized"
)


def complaint_of(outcome: Outcome) -> str:
    """Why an outcome on Linux compares nothing, or not all of the script; "" when it is good."""
    if outcome.err.endswith(TIME_OUT):
        return "ran out of time"
    if not (outcome.out + outcome.err).strip():
        return "says nothing"
    lines = (outcome.out + outcome.err).split(b"\n")
    return "".join(
        line.decode(errors="backslashreplace") + "\n" for line in lines if NOTHING_DONE.search(line)
    )
