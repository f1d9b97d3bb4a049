"""What one revocation costs (tests/native/revocation.c, which test_native runs on two CPUs too)."""

from pybuild.bench import cloister
from pybuild.bench.guest import probe_count

COPIES = 1000
# Of each copy: a handle, a mapping with its page, a registration. Twice of what was measured.
INSTRUCTIONS_MAX = 1_700


def test_cost_of_a_revocation() -> None:
    hits = cloister.revocation_hits(probe_count("test_revocation"))
    instructions = cloister.revocation_instructions(hits)
    assert instructions is not None
    print(f"revocation: {instructions / COPIES:,.0f} instructions for each copy")
    assert instructions <= INSTRUCTIONS_MAX * COPIES
