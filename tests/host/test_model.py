"""Namespaces, handles, rights and ledgers: the kernel's own code beside a model of it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from kernel_calls import LIMITS_SAME, Kernel, abi, acl, program
from model import ALL_RIGHTS, FULL, RIGHTS, SAME, Access, Handle, Model, Refused, Space

INFO_SIZE = abi.STRUCT_SIZES["ns_info"]
INFO_FIELDS = INFO_SIZE // 8
OBJECTS, HANDLES, NAMES = 10, 11, 15  # places in ns_info
TERMINATED = abi.SIGNALS["TERMINATED"]
FOREVER = 2**64 - 1
USER0 = abi.SIGNALS["USER0"]


NAME = st.sampled_from(["a", "b", "c", "a/b", "b/c", "a/b/c"])
RIGHTS_WANTED = st.one_of(
    st.just(SAME),
    st.sampled_from([0, ALL_RIGHTS, 1 << 25, *FULL.values()]),
    st.sets(st.sampled_from(sorted(RIGHTS.values()))).map(sum),
)
GRANTED = RIGHTS_WANTED.map(lambda rights: rights & ALL_RIGHTS)
USER = st.integers(0, 3)
ACCESS = st.builds(
    Access,
    GRANTED,
    st.lists(st.tuples(USER, GRANTED), max_size=3, unique_by=lambda e: e[0]).map(tuple),
)
PICK = st.integers(min_value=0, max_value=1 << 16)
PROGRAM: list[str] = []


class Comparison(RuleBasedStateMachine):
    """Every rule is one call, to the kernel and to the model."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = Kernel(PROGRAM[0])
        self.model = Model(self.kernel.root)
        self.base = self.info(self.kernel.root)

    def teardown(self) -> None:
        self.kernel.close()

    def info(self, number: int) -> tuple[int, ...]:
        """ns_info."""
        error, _, data = self.kernel.call("ns_info", number, f"!{INFO_SIZE}")
        assert error == "OK"
        return struct.unpack(f"<{INFO_FIELDS}Q", data)

    def pick(self, which: int, kind: str = "") -> int:
        """Mostly a handle that there is, and mostly of this kind."""
        handles = self.model.handles
        of_kind = [n for n, handle in handles.items() if handle.thing.kind == kind]
        numbers = sorted(of_kind if of_kind and which % 7 else handles)
        return numbers[which // 7 % len(numbers)] if which % 17 else 40_000

    def same(self, expected: Callable[[], Any], name: str, *arguments: int | str) -> None:
        """One call: the same answer, and the same new handles."""
        error, outs, _ = self.kernel.call(name, *arguments)
        try:
            made = expected()
        except Refused as refused:
            assert (name, error) == (name, refused.error)
            return
        assert (name, error) == (name, "OK")
        new = made if isinstance(made, tuple) else (made,) if isinstance(made, Handle) else ()
        for number, handle in zip(outs, new, strict=False):
            self.model.keep(number, handle)

    @rule(which=PICK, rights=RIGHTS_WANTED)
    def duplicate(self, which: int, rights: int) -> None:
        number = self.pick(which)
        self.same(lambda: self.model.duplicate(number, rights), "handle_duplicate", number, rights)

    @rule(which=PICK, rights=RIGHTS_WANTED)
    def duplicate_revocable(self, which: int, rights: int) -> None:
        number = self.pick(which)
        self.same(
            lambda: self.model.duplicate_revocable(number, rights),
            "handle_duplicate_revocable",
            number,
            rights,
        )

    @rule(which=PICK)
    @precondition(lambda self: len(self.model.handles) > 1)
    def close(self, which: int) -> None:
        number = self.pick(which)
        if number != self.kernel.root:
            self.same(lambda: self.model.close(number), "handle_close", number)

    @rule(which=PICK)
    def revoke(self, which: int) -> None:
        number = self.pick(which, "revoker")
        self.same(lambda: self.model.revoke(number), "revoker_revoke", number)

    @rule(which=PICK, own=st.booleans())
    def event(self, which: int, own: bool) -> None:
        number = 0 if own else self.pick(which, "namespace")
        self.same(lambda: self.model.make(number, "event"), "event_create", number)

    @rule(which=PICK)
    def signal(self, which: int) -> None:
        number = self.pick(which, "event")
        self.same(lambda: self.model.signal(number), "event_signal", number, 0, USER0)

    @rule(which=PICK, name=NAME)
    def create(self, which: int, name: str) -> None:
        number = self.pick(which, "namespace")
        self.same(
            lambda: self.model.create(number, name),
            "ns_create",
            number,
            f"'{name}",
            len(name),
            LIMITS_SAME,
        )

    @rule(which=PICK, what=PICK, name=NAME, access=ACCESS)
    def bind(self, which: int, what: int, name: str, access: Access) -> None:
        ns, number = self.pick(which, "namespace"), self.pick(what)
        self.same(
            lambda: self.model.bind(ns, name, number, access),
            "ns_bind",
            ns,
            f"'{name}",
            len(name),
            number,
            acl(access),
        )

    @rule(which=PICK, name=NAME)
    def unbind(self, which: int, name: str) -> None:
        ns = self.pick(which, "namespace")
        self.same(lambda: self.model.unbind(ns, name), "ns_unbind", ns, f"'{name}", len(name))

    @rule(which=PICK, name=NAME, rights=RIGHTS_WANTED)
    def open(self, which: int, name: str, rights: int) -> None:
        ns = self.pick(which, "namespace")
        self.same(
            lambda: self.model.open(ns, name, rights), "ns_open", ns, f"'{name}", len(name), rights
        )

    @rule(which=PICK, user=USER, rights=RIGHTS_WANTED)
    def for_user(self, which: int, user: int, rights: int) -> None:
        ns = self.pick(which, "namespace")
        self.same(
            lambda: self.model.for_user(ns, user, rights), "ns_handle_for_user", ns, user, rights
        )

    @rule(which=PICK)
    def kill(self, which: int) -> None:
        number = self.pick(which, "namespace")
        try:
            self.model.check(number, "namespace", RIGHTS["WAIT"])
            can_wait = True
        except Refused:
            can_wait = False
        if not can_wait:
            return
        before = self.model.handles[number].rights & RIGHTS["KILL"]
        self.same(lambda: self.model.kill(number), "ns_kill", number)
        handle = self.model.handles[number]
        if before and handle.thing is not self.model.root and not handle.tombstone:
            error, _, _ = self.kernel.call("object_wait", number, TERMINATED, 0, FOREVER)
            assert error == "OK"

    @invariant()
    def ledgers_agree(self) -> None:
        for number, handle in self.model.handles.items():
            space = handle.thing
            inspects = handle.rights & RIGHTS["INSPECT"] and not handle.tombstone
            if not inspects or not isinstance(space, Space) or space.gone:
                continue
            info = self.info(number)
            base = self.base if space is self.model.root else (0,) * INFO_FIELDS
            objects, handles, names = self.model.charged(space)
            if space is self.model.root:
                handles -= 1  # the root's own handle was there at the beginning
            found = tuple(info[i] - base[i] for i in (OBJECTS, HANDLES, NAMES))
            assert found == (objects, handles, names)


def run(examples: int, steps: int) -> None:
    """So many runs of so many calls."""
    PROGRAM[:] = [program()]
    Comparison.TestCase.settings = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    Comparison.TestCase("runTest").runTest()


def test_kernel_is_the_model() -> None:
    """Some ten thousand calls."""
    run(120, 80)


@pytest.mark.long
def test_kernel_is_the_model_for_long() -> None:
    """A million calls."""
    run(5000, 200)
