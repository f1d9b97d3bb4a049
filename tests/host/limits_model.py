"""What can be limited: what holds if nothing is said, what is refused, where ns_info tells it."""

from __future__ import annotations

from dataclasses import dataclass

SAME = 2**64 - 1  # leaves a limit as it is
NO_LIMIT = 2**63 - 1  # what is more counts as this


@dataclass(frozen=True)
class Limit:
    """One of a namespace's."""

    default: int
    told: str  # in ns_info
    least: int = 0
    most: int = SAME


LIMITS = {
    "memory_pages": Limit(16384, "memory_limit_pages"),
    "memory_reserved_pages": Limit(0, "memory_reserved_pages"),
    "threads": Limit(512, "threads_limit"),
    "handles": Limit(16384, "handles_limit"),
    "names": Limit(1024, "names_limit"),
    "timers": Limit(1024, "timers_limit"),
    "message_bytes": Limit(4 << 20, "message_bytes_limit"),
    "cpu_weight": Limit(100, "cpu_weight", least=1, most=10_000),
    "cpu_cap": Limit(0, "cpu_cap", most=64_000),
    "log_bytes": Limit(64 << 10, "log_bytes_limit"),
    "disk_read_bytes": Limit(0, "disk_read_bytes_limit"),
    "disk_read_requests": Limit(0, "disk_read_requests_limit"),
    "disk_write_bytes": Limit(0, "disk_write_bytes_limit"),
    "disk_write_requests": Limit(0, "disk_write_requests_limit"),
}
DEFAULTS = {name: limit.default for name, limit in LIMITS.items()}


def are_in_range(asked: dict[str, int]) -> bool:
    """Whether no value is one that no namespace could have."""
    return all(
        value == SAME or LIMITS[name].least <= value <= LIMITS[name].most
        for name, value in asked.items()
    )


def changed(limits: dict[str, int], asked: dict[str, int]) -> dict[str, int]:
    """What holds afterwards."""
    new = {name: min(value, NO_LIMIT) for name, value in asked.items() if value != SAME}
    return limits | new
