"""Kernels with one thing left out (kernel/check/hooks.h), on the host: each proof that ought to
find it does. The proofs in the guest are in tests/qemu/test_broken.py."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import kernel_calls
import object_calls
import pytest
import test_kernel_memory
import test_model
from hypothesis import HealthCheck, Phase, settings

from pybuild import broken, fuzzer, host
from pybuild.paths import ROOT

PAGE = 4096
INPUTS_MORE = 2000
# Where the model's test fails: the kernel's figures or its answer are not the model's; or the
# kernel is gone, since a check or a sanitizer saw it use what was freed.
DIFFERS, GONE = "/test_model.py", "/kernel_calls.py"
MODEL = {
    "CHARGE": (DIFFERS,),
    "RIGHTS": (DIFFERS,),
    "REFERENCE": (DIFFERS, GONE),
    "SHOOTDOWN": (DIFFERS, GONE),
}
# What the fuzzer says, one of these: it depends on who comes first to what was freed.
USED = ("AddressSanitizer: use-after-poison", "differences between what is recorded", "PANIC: ")
FUZZER = {
    "CHARGE": ("differences between what is recorded and what there is",),
    "RIGHTS": ("was done without what it asks of its handles",),
    "REFERENCE": USED,
    "SHOOTDOWN": USED,
}


class UsedOnce(list[kernel_calls.Kernel]):
    """In place of kernels for further examples: so that each finding can be had again."""

    def append(self, kernel: kernel_calls.Kernel) -> None:
        """Ends it."""
        kernel.process.kill()
        kernel.process.wait()


@pytest.mark.parametrize("name", broken.NAMES)
def test_the_model_finds_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within some hundred sequences of calls."""
    built = broken.program(name, kernel_calls.host_program())
    monkeypatch.setattr(test_model, "PROGRAM", [str(built)])
    # Neither a sound kernel from another test, nor a broken one for it.
    monkeypatch.setattr(test_model, "KERNELS", UsedOnce())
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
    assert str(caught.traceback[-1].path).endswith(MODEL[name])


@pytest.mark.parametrize("name", broken.NAMES)
def test_the_fuzzer_finds_it(name: str, tmp_path: Path) -> None:
    """With its saved corpus; or, should the ABI have changed since it was saved, a little later."""
    built = broken.program(name, object_calls.fuzz_program())
    corpus = tmp_path / "corpus"
    seeds = fuzzer.corpus_read(object_calls.CORPUS, corpus)
    words = [f"-runs={seeds + INPUTS_MORE}", "-seed=1"]
    done = subprocess.run(
        object_calls.command(built, f"-artifact_prefix={tmp_path}/", *words, str(corpus)),
        cwd=ROOT,
        env={**os.environ, **object_calls.ENVIRONMENT},
        text=True,
        errors="replace",
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode != 0
    assert any(finding in done.stdout + done.stderr for finding in FUZZER[name])


def event_make(kernel: kernel_calls.Kernel) -> int:
    """A handle of a new event."""
    return kernel.call("event_create", 0)[1][0]


def event_watch(kernel: kernel_calls.Kernel) -> None:
    """A registration."""
    port = kernel.call("port_create", 0)[1][0]
    assert kernel.call("port_register", port, event_make(kernel), 1, 0, 0)[0] == "OK"


def page_unmap(kernel: kernel_calls.Kernel) -> None:
    """A page that was mapped and used."""
    memobj = kernel.call("memobj_create", 0, PAGE)[1][0]
    place = test_model.PLACES
    flags = test_model.MAP["READ"] | test_model.MAP["EXACT"]
    assert kernel.call("memobj_write", memobj, 0, "'x", 1)[0] == "OK"
    assert kernel.call("aspace_map", 0, memobj, 0, place, PAGE, flags)[0] == "OK"
    assert kernel.call("memobj_write", memobj, 0, place, 1)[0] == "OK"
    assert kernel.call("aspace_unmap", 0, place, PAGE)[0] == "OK"


@pytest.mark.parametrize(
    ("name", "work", "finding"),
    [
        ("CHARGE", event_make, "handles that it pays for: recorded"),
        ("REFERENCE", event_watch, "references: recorded 1, found 2"),
        ("SHOOTDOWN", page_unmap, "a TLB remembers what is mapped no more"),
    ],
)
def test_what_is_recorded_differs(
    name: str,
    work: Callable[[kernel_calls.Kernel], object],
    finding: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """After a few calls object_check_all() finds it; in a sound kernel it finds nothing."""
    sound = kernel_calls.Kernel(kernel_calls.program())
    work(sound)
    sound.close()
    assert finding not in capfd.readouterr().err
    kernel = kernel_calls.Kernel(str(broken.program(name, kernel_calls.host_program())))
    work(kernel)
    with pytest.raises(AssertionError):
        kernel.close()
    assert finding in capfd.readouterr().err


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
