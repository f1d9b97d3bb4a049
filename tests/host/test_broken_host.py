"""Kernels with one thing left out (kernel/check/hooks.h), on the host: each proof that ought to
find it does. The proofs in the guest are in tests/qemu/test_broken.py."""

import os
import subprocess

import kernel_calls
import pytest
import test_kernel_memory
import test_model
from hypothesis import HealthCheck, Phase, settings

from pybuild import broken, host
from pybuild.paths import ROOT


@pytest.mark.parametrize("name", ["CHARGE", "RIGHTS"])
def test_the_model_finds_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's figures, or its answer, are not the model's."""
    built = broken.program(name, kernel_calls.host_program())
    monkeypatch.setattr(test_model, "PROGRAM", [str(built)])
    # Neither a sound kernel from another test, nor a broken one for it.
    kernels: list[kernel_calls.Kernel] = []
    monkeypatch.setattr(test_model, "KERNELS", kernels)
    # What the kernel itself finds at the end does not count here.
    monkeypatch.setattr(kernel_calls.Kernel, "close", lambda kernel: kernel.process.kill())
    machine = test_model.Comparison.TestCase
    machine.settings = settings(
        max_examples=300,
        stateful_step_count=80,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    with pytest.raises(AssertionError) as caught:
        machine("runTest").runTest()
    for kernel in kernels:
        kernel.process.kill()
    assert str(caught.traceback[-1].path).endswith("/test_model.py")


def test_old_translations_are_found() -> None:
    """By the model of memory, behind the host's TLBs."""
    built = broken.program("SHOOTDOWN", test_kernel_memory.program("address", "undefined"))
    done = subprocess.run(
        [built, "1", "2000", "0", "1"],
        cwd=ROOT,
        env={**os.environ, **host.ENVIRONMENT},
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode != 0
    assert "PASS" not in done.stdout + done.stderr
