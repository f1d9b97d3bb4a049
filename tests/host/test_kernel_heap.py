"""The heap behind timers and run queues: right, and never slow for what others have put into it."""

import pytest

from pybuild import host
from pybuild.paths import ROOT


@pytest.mark.parametrize("seed", [1, 2])
def test_heap(seed: int) -> None:
    source = ROOT / "tests" / "host" / "kernel" / "test_heap.c"
    built = host.kernel_program("heap", source, sanitizers=("address", "undefined"))
    assert "PASS" in host.run(built, str(seed), "20000", timeout_s=60)
