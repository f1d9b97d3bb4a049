"""Namespaces, handles, rights and ledgers: the kernel's own code beside a model of it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from kernel_calls import LIMITS_SAME, Kernel, abi, acl, program
from model import ALL_RIGHTS, FULL, NO_LIMIT, RIGHTS, SAME, Access, Handle, Model, Refused, Space

from pybuild.abi.parse import load_schema
from pybuild.parts import ABI_SCHEMA

INFO_SIZE = abi.STRUCT_SIZES["ns_info"]
INFO_FIELDS = INFO_SIZE // 8
SCHEMA = load_schema(ABI_SCHEMA)
PLACE = {field.name: number for number, field in enumerate(SCHEMA.struct("ns_info").fields)}
LIMITS = [field.name for field in SCHEMA.struct("ns_limits").fields]
PAGE = 4096
PLACES = abi.CONSTANTS["PROCESS_BASE"] + (64 << 20)
MAP = abi.FLAGS["map"]
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
KERNELS: list[Kernel] = []  # whose world is empty
COUNTED = {"examples": 0, "calls": 0}


class Comparison(RuleBasedStateMachine):
    """Every rule is one call, to the kernel and to the model."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = KERNELS.pop() if KERNELS else Kernel(PROGRAM[0])
        self.model = Model(self.kernel.root)
        # What the kernel reads and writes when it touches a mapping.
        _, outs, _ = self.kernel.call("memobj_create", 0, PAGE)
        self.scratch = outs[0]
        assert self.kernel.call("memobj_write", self.scratch, 0, "'x", 1)[0] == "OK"
        self.base = self.infos([self.kernel.root])[0]
        self.is_equal = True
        COUNTED["examples"] += 1

    def teardown(self) -> None:
        if not self.is_equal:
            self.kernel.close()
            return
        self.ledgers_agree()
        self.watches_agree()
        self.undo()
        assert self.left() == self.left(self.base)
        self.kernel.call("handle_close", self.scratch)
        KERNELS.append(self.kernel)

    def left(self, info: tuple[int, ...] | None = None) -> list[int]:
        """What the root pays for."""
        found = info or self.infos([self.kernel.root])[0]
        names = ("objects", "handles", "names", "timers", "message_bytes", "children")
        pages = found[PLACE["memory_used_pages"]] - found[PLACE["kernel_pages"]]
        return [pages, *(found[PLACE[name]] for name in names)]

    def undo(self) -> None:
        """Makes the kernel's world empty again."""
        root = self.kernel.root
        for what in ("names", "timers"):
            self.kernel.call("ns_set_limits", root, limits(what, NO_LIMIT))
        self.kernel.call("aspace_unmap", 0, PLACES, 16 * PAGE)
        for name, bound in self.model.root.names.items():
            if bound.child is None:
                self.kernel.call("ns_unbind", root, f"'{name}", len(name))
                continue
            _, outs, _ = self.kernel.call("ns_open", root, f"'{name}", len(name), SAME)
            assert self.kernel.call("ns_kill", outs[0])[0] == "OK"
            self.kernel.call("object_wait", outs[0], TERMINATED, 0, FOREVER)
            self.kernel.call("handle_close", outs[0])
        for number in self.model.handles:
            if number != root:
                self.kernel.call("handle_close", number)

    def infos(self, numbers: list[int]) -> list[tuple[int, ...]]:
        """ns_info of each."""
        answers = self.kernel.calls("ns_info", [(number, f"!{INFO_SIZE}") for number in numbers])
        assert all(error == "OK" for error, _, _ in answers)
        return [struct.unpack(f"<{INFO_FIELDS}Q", data) for _, _, data in answers]

    def pick(self, which: int, kind: str = "") -> int:
        """Mostly a handle that there is, and mostly of this kind."""
        handles = self.model.handles
        of_kind = [n for n, handle in handles.items() if handle.thing.kind == kind]
        numbers = of_kind if of_kind and which % 7 else list(handles)
        return numbers[which // 7 % len(numbers)] if which % 17 else 40_000

    def same(self, expected: Callable[[], Any], name: str, *arguments: int | str) -> None:
        """One call: the same answer, and the same new handles."""
        COUNTED["calls"] += 1
        self.is_equal = False
        self.same_answer(expected, name, *arguments)
        self.is_equal = True

    def same_answer(self, expected: Callable[[], Any], name: str, *arguments: int | str) -> None:
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

    @rule(which=PICK, name=NAME, access=ACCESS)
    def set_access(self, which: int, name: str, access: Access) -> None:
        ns = self.pick(which, "namespace")
        self.same(
            lambda: self.model.set_access(ns, name, access),
            *("ns_set_access", ns, f"'{name}", len(name), acl(access)),
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

    @rule(which=PICK, what=PICK)
    def open_koid(self, which: int, what: int) -> None:
        ns, number = self.pick(which, "namespace"), self.pick(what)
        handle = self.model.handles.get(number)
        if handle is None or handle.tombstone:
            return
        koid = self.kernel.look(number).koid
        self.same(lambda: self.model.open_koid(ns, handle.thing), "ns_open_koid", ns, koid)

    @rule(which=PICK, own=st.booleans(), kind=st.sampled_from(["port", "timer"]))
    def make(self, which: int, own: bool, kind: str) -> None:
        number = 0 if own else self.pick(which, "namespace")
        self.same(lambda: self.model.make(number, kind), f"{kind}_create", number)

    @rule(which=PICK, own=st.booleans())
    def memobj(self, which: int, own: bool) -> None:
        number = 0 if own else self.pick(which, "namespace")
        before = len(self.model.handles)
        self.same(lambda: self.model.make(number, "memobj"), "memobj_create", number, PAGE)
        if len(self.model.handles) > before:
            made = list(self.model.handles)[-1]
            assert self.kernel.call("memobj_write", made, 0, "'x", 1)[0] == "OK"

    @rule(which=PICK, place=st.integers(0, 7), shared=st.booleans(), write=st.booleans())
    def map(self, which: int, place: int, shared: bool, write: bool) -> None:
        number = self.pick(which, "memobj")
        flags = MAP["READ"] | MAP["EXACT"] | shared * MAP["SHARED"] | write * MAP["WRITE"]
        self.same(
            lambda: self.model.map(number, place, shared, write),
            *("aspace_map", 0, number, 0, PLACES + place * PAGE, PAGE, flags),
        )

    @rule(which=PICK, what=PICK, place=st.integers(0, 7), key=st.integers(0, 3))
    def lend(self, which: int, what: int, place: int, key: int) -> None:
        """A revocable copy that is mapped and watched at once."""
        number, port = self.pick(which, "memobj"), self.pick(what, "port")
        before = len(self.model.handles)
        self.same(
            lambda: self.model.duplicate_revocable(number, SAME),
            *("handle_duplicate_revocable", number, SAME),
        )
        if len(self.model.handles) == before:
            return
        copy = list(self.model.handles)[-2]
        flags = MAP["READ"] | MAP["EXACT"]
        self.same(
            lambda: self.model.map(copy, place, False, False),
            *("aspace_map", 0, copy, 0, PLACES + place * PAGE, PAGE, flags),
        )
        self.same(
            lambda: self.model.register(port, copy, key),
            *("port_register", port, copy, USER0, key, 0),
        )

    @rule(place=st.integers(0, 7))
    def unmap(self, place: int) -> None:
        address = PLACES + place * PAGE
        self.same(lambda: self.model.unmap(place), "aspace_unmap", 0, address, PAGE)

    @rule(place=st.integers(0, 7), write=st.booleans())
    def touch(self, place: int, write: bool) -> None:
        work = self.model.write if write else self.model.touch
        name = "memobj_read" if write else "memobj_write"
        self.same(lambda: work(place), name, self.scratch, 0, PLACES + place * PAGE, 1)

    @rule(which=PICK, what=PICK, key=st.integers(0, 3))
    def register(self, which: int, what: int, key: int) -> None:
        port, number = self.pick(which, "port"), self.pick(what)
        self.same(
            lambda: self.model.register(port, number, key),
            *("port_register", port, number, USER0, key, 0),
        )

    @rule(which=PICK, key=st.integers(0, 3))
    def unregister(self, which: int, key: int) -> None:
        port = self.pick(which, "port")
        self.same(lambda: self.model.unregister(port, key), "port_unregister", port, key)

    @rule(which=PICK, what=st.sampled_from(["names", "timers"]), limit=st.integers(0, 4))
    def set_limit(self, which: int, what: str, limit: int) -> None:
        ns = self.pick(which, "namespace")
        self.same(
            lambda: self.model.set_limit(ns, what, limit),
            *("ns_set_limits", ns, limits(what, limit)),
        )

    @invariant()
    def ledgers_agree_now_and_then(self) -> None:
        """Not always: looking at a ledger recalls idle credit."""
        self.steps = getattr(self, "steps", 0) + 1
        if self.steps % 4 == 0:
            self.ledgers_agree()

    def mappings_agree(self) -> None:
        """What is mapped can be read, and nothing else."""
        calls = [(self.scratch, 0, PLACES + place * PAGE, 1) for place in range(8)]
        found = [error for error, _, _ in self.kernel.calls("memobj_write", list(calls))]
        expected = ["OK" if place in self.model.mapped else "BAD_POINTER" for place in range(8)]
        assert found == expected

    def watches_agree(self) -> None:
        """Every key of every port that a handle can change."""
        self.is_equal = False
        for number, handle in list(self.model.handles.items()):
            if handle.tombstone or handle.thing.kind != "port":
                continue
            for key in range(4):
                self.same(
                    partial(self.model.unregister, number, key), "port_unregister", number, key
                )
        self.is_equal = True

    def ledgers_agree(self) -> None:
        """Every namespace that a handle can look at, parents first."""
        self.is_equal = False
        self.mappings_agree()
        seen: dict[Space, int] = {}
        for number, handle in self.model.handles.items():
            space = handle.thing
            inspects = handle.rights & RIGHTS["INSPECT"] and not handle.tombstone
            if inspects and isinstance(space, Space) and not space.gone:
                seen.setdefault(space, number)
        spaces = sorted(seen, key=lambda space: space.level)
        infos = dict(zip(spaces, self.infos([seen[s] for s in spaces]), strict=True))
        for space, info in infos.items():
            self.ledger_agrees(space, info)
        for space, info in infos.items():
            below = [t for t in self.model.things if isinstance(t, Space) and t.above is space]
            drawn = [infos[t][PLACE["memory_drawn_pages"]] for t in below if t in infos]
            if len(drawn) == sum(not t.gone for t in below):
                assert info[PLACE["memory_children_pages"]] == sum(drawn)
        self.is_equal = True

    def ledger_agrees(self, space: Space, info: tuple[int, ...]) -> None:
        """What a namespace pays for; and its credit is used, idle, or its children's."""
        base = self.base if space is self.model.root else (0,) * INFO_FIELDS
        now = {name: info[place] - base[place] for name, place in PLACE.items()}
        objects, handles, names = self.model.charged(space)
        if space is self.model.root:
            handles -= 1  # the root's own handle was there at the beginning
        assert (now["objects"], now["handles"], now["names"]) == (objects, handles, names)
        assert now["timers"] == self.model.whole(space, "timers")
        assert now["memory_used_pages"] - now["kernel_pages"] == self.model.user_pages(space)
        credit = ("memory_used_pages", "memory_idle_pages", "memory_children_pages")
        assert info[PLACE["memory_drawn_pages"]] == sum(info[PLACE[name]] for name in credit)


def limits(what: str, limit: int) -> str:
    """struct ns_limits that changes one."""
    fields = [limit if name == what else 2**64 - 1 for name in LIMITS]
    return "#" + struct.pack(f"<{len(fields)}Q", *fields).hex()


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
    while KERNELS:
        KERNELS.pop().close()
    print("{calls} calls in {examples} examples".format(**COUNTED))


def test_kernel_is_the_model() -> None:
    """Some ten thousand calls."""
    COUNTED.update(examples=0, calls=0)
    run(150, 80)
    assert COUNTED["calls"] > 5_000


@pytest.mark.long
def test_kernel_is_the_model_for_long() -> None:
    """A million calls; in runs, since Hypothesis keeps what it has tried (a MiB an example)."""
    COUNTED.update(examples=0, calls=0)
    while COUNTED["calls"] < 1_000_000:
        run(500, 200)
