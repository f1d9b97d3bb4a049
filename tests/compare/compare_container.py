"""Runs scripts in containers of Cloister, each in a fresh one, many in one boot."""

from compare_entries import Entry
from compare_image import OUT, image_disk
from compare_outcomes import Outcome, outcomes_parse

from pybuild.command import command_run, config_with_channel
from pybuild.machine import Machine, MachineConfig, MachineError

# The shell takes a line of 64 KiB.
LINE_BYTES_MAX = 60000


def quoted(text: str) -> str:
    """A word for the shell."""
    return "'" + text.replace("'", "'\\''") + "'"


def run_command(entry: Entry) -> str:
    """What the shell runs for an entry."""
    option = "-t " if entry.has_terminal else ""
    words = f"{entry.name} {entry.limit_seconds} {quoted(entry.script)}"
    return f"run --rm {option}{entry.image} /bin/sh /driver {words}"


def entries_fitting(entries: list[Entry]) -> list[Entry]:
    """As many of the first ones as fit on one line."""
    size = 0
    for count, entry in enumerate(entries):
        size += len(run_command(entry).encode()) + 2
        if size > LINE_BYTES_MAX:
            return entries[:count]
    return entries


def boot(entries: list[Entry]) -> tuple[bytes, str, bool]:
    """What one boot said, what went wrong, and whether it came to its end."""
    said, errors = bytearray(), bytearray()

    def sink(kind: str, data: bytes) -> None:
        (said if kind == "O" else errors).extend(data)

    disk = image_disk(entries[0].image)
    config = MachineConfig(smp=entries[0].processors, disk=disk, log=OUT / "compare.log")
    command = "; ".join(map(run_command, entries))
    try:
        with Machine(config_with_channel(config)) as machine:
            limit_s = 60 + 2 * len(entries) + entries[0].limit_seconds
            command_run(machine, command.encode(), limit_s, sink)
            machine.wait(10)
    except (MachineError, TimeoutError) as error:
        return bytes(said), f"{error}\n{errors.decode(errors='replace')}", False
    return bytes(said), errors.decode(errors="replace"), True


def boot_outcomes(entries: list[Entry]) -> dict[str, Outcome]:
    """One boot's records. Where it was lost, the first entry without one is to blame."""
    said, errors, is_complete = boot(entries)
    if entries[0].has_terminal:
        said = said.replace(b"\r\n", b"\n")
    found = outcomes_parse(said)
    missing = [entry.name for entry in entries if entry.name not in found]
    return found | {name: Outcome(lost=errors) for name in missing[: None if is_complete else 1]}


def containers_run(entries: list[Entry]) -> dict[str, Outcome]:
    """Every entry's outcome, in as many boots as it takes."""
    found: dict[str, Outcome] = {}
    left = entries
    while left:
        found |= boot_outcomes(entries_fitting(left))
        left = [entry for entry in left if entry.name not in found]
    return found
