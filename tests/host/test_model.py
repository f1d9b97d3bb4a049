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
from kernel_calls import Kernel, abi, acl, program
from limits_model import LIMITS, NO_LIMIT
from limits_model import SAME as LIMIT_SAME
from model import (
    ALL_RIGHTS,
    FULL,
    RIGHTS,
    SAME,
    Access,
    Handle,
    Model,
    Refused,
    Space,
    Thing,
)

from pybuild.abi.parse import load_schema
from pybuild.parts import ABI_SCHEMA

INFO_SIZE = abi.STRUCT_SIZES["ns_info"]
INFO_FIELDS = INFO_SIZE // 8
SCHEMA = load_schema(ABI_SCHEMA)
PLACE = {field.name: number for number, field in enumerate(SCHEMA.struct("ns_info").fields)}
LIMIT_NAMES = [field.name for field in SCHEMA.struct("ns_limits").fields]
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
WORD = st.integers(1, 255)
# Enough memory for whatever an example makes, and little enough to be set aside.
FEW = {
    "memory_pages": (8000, 1 << 40, 2**63, LIMIT_SAME),
    "memory_reserved_pages": (0, 3, 8, LIMIT_SAME),
}
VALUES = (0, 1, 2, 3, 4, 6, 100, 10_000, 10_001, 64_000, 64_001, 1 << 32, 2**63, LIMIT_SAME)
ASKED = st.lists(
    st.sampled_from(["names", "timers", *LIMIT_NAMES]).flatmap(
        lambda name: st.tuples(st.just(name), st.sampled_from(FEW.get(name, VALUES)))
    ),
    max_size=3,
).map(dict)
PROGRAM: list[str] = []
# Pages of the disk where images begin (not all of it can be read), and what their owner may use.
IMAGES, IMAGE_PAGES, STORE_PAGES = (0, 128, 192), 64, 150
KERNELS: list[Kernel] = []  # whose world is empty
COUNTED = {"examples": 0, "calls": 0}


def images_make(kernel: Kernel) -> None:
    """What a kernel has of its disk, for all its examples: in a namespace that no rule knows."""
    asked = {"memory_pages": STORE_PAGES}
    error, outs, _ = kernel.call("ns_create", kernel.root, "'store", 5, limits(asked))
    assert error == "OK"
    kernel.store = outs[0]
    block = kernel.make("block", kernel.root)
    for first in IMAGES:
        arguments = (kernel.store, block, first * PAGE, IMAGE_PAGES * PAGE)
        error, (image, *_), _ = kernel.call("memobj_create_block", *arguments)
        assert error == "OK"
        kernel.images.append((first, image))


class Comparison(RuleBasedStateMachine):
    """Every rule is one call, to the kernel and to the model."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = KERNELS.pop() if KERNELS else Kernel(PROGRAM[0])
        if not self.kernel.images:
            images_make(self.kernel)
        self.model = Model(self.kernel.root, root_names=1)
        # What the kernel reads and writes when it touches a mapping.
        _, outs, _ = self.kernel.call("memobj_create", 0, 8 * PAGE)
        self.scratch = outs[0]
        for place in range(8):
            assert self.kernel.call("memobj_write", self.scratch, place * PAGE, "'x", 1)[0] == "OK"
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
            self.kernel.call("ns_set_limits", root, limits({what: NO_LIMIT}))
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

    @rule(which=PICK, name=NAME, asked=ASKED)
    def create(self, which: int, name: str, asked: dict[str, int]) -> None:
        number = self.pick(which, "namespace")
        self.same(
            lambda: self.model.create(number, name, asked),
            *("ns_create", number, f"'{name}", len(name), limits(asked)),
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
            self.model.handles[made].thing.word = ord("x")

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

    @rule(place=st.integers(0, 7), word=WORD)
    def write(self, place: int, word: int) -> None:
        text = "#" + word.to_bytes(8, "little").hex()
        assert self.kernel.call("memobj_write", self.scratch, 0, text, 8)[0] == "OK"
        self.same(
            lambda: self.model.write(place, word),
            *("memobj_read", self.scratch, 0, PLACES + place * PAGE, 8),
        )

    @rule(image=st.integers(0, 2), index=st.integers(0, 63))
    def image_read(self, image: int, index: int) -> None:
        """What a disk has is always there, though its pages come and go."""
        COUNTED["calls"] += 1
        first, number = self.kernel.images[image]
        error, _, data = self.kernel.call("memobj_read", number, index * PAGE, "!8", 8)
        assert (error, int.from_bytes(data, "little")) == ("OK", first + index)

    @rule(
        image=st.integers(0, 2),
        index=st.integers(0, 63),
        place=st.integers(0, 7),
        shared=st.booleans(),
        write=st.booleans(),
    )
    def image_map(self, image: int, index: int, place: int, shared: bool, write: bool) -> None:
        first, number = self.kernel.images[image]
        flags = MAP["READ"] | MAP["EXACT"] | shared * MAP["SHARED"] | write * MAP["WRITE"]
        page = Thing("memobj", None, handles=1, word=first + index)
        self.same(
            lambda: self.model.map_image(page, place, shared, write),
            *("aspace_map", 0, number, index * PAGE, PLACES + place * PAGE, PAGE, flags),
        )

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

    @rule(which=PICK, asked=ASKED)
    def set_limits(self, which: int, asked: dict[str, int]) -> None:
        ns = self.pick(which, "namespace")
        handle = self.model.handles.get(ns)
        if handle and handle.thing is self.model.root:
            # It is what the test itself lives on.
            asked = {name: asked[name] for name in ("names", "timers") if name in asked}
        self.same(
            lambda: self.model.set_limits(ns, asked),
            *("ns_set_limits", ns, limits(asked)),
        )

    @invariant()
    def ledgers_agree_now_and_then(self) -> None:
        """Not always: looking at a ledger recalls idle credit."""
        self.steps = getattr(self, "steps", 0) + 1
        if self.steps % 4 == 0:
            self.ledgers_agree()

    def mappings_agree(self) -> None:
        """What is mapped can be read, and says what was written there; nothing else can be."""
        offsets = [place * PAGE for place in range(8)]
        found = self.kernel.calls(
            "memobj_write", [(self.scratch, offset, PLACES + offset, 8) for offset in offsets]
        )
        expected = ["OK" if place in self.model.mapped else "BAD_POINTER" for place in range(8)]
        assert [error for error, _, _ in found] == expected
        words = self.kernel.calls("memobj_read", [(self.scratch, at, "!8", 8) for at in offsets])
        for place in self.model.mapped:
            assert int.from_bytes(words[place][2], "little") == self.model.touch(place)

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
                if space is self.model.root:
                    drawn.append(self.store_drawn())
                assert info[PLACE["memory_children_pages"]] == sum(drawn)
        self.is_equal = True

    def store_drawn(self) -> int:
        """What the owner of the images has drawn: never more than it may."""
        info = self.infos([self.kernel.store])[0]
        assert info[PLACE["memory_used_pages"]] <= STORE_PAGES
        return info[PLACE["memory_drawn_pages"]]

    def limits_agree(self, space: Space, info: tuple[int, ...]) -> None:
        """What was asked for is told; of memory no more than there is."""
        told = {name: info[PLACE[limit.told]] for name, limit in LIMITS.items()}
        machine = self.base[PLACE["memory_drawn_pages"]]
        expected = space.limits | {"memory_pages": min(space.limits["memory_pages"], machine)}
        assert told == expected
        assert info[PLACE["memory_drawn_pages"]] >= told["memory_reserved_pages"]
        # Nobody in it has ever used a disk.
        assert not any(info[PLACE[f"disk_{way}_bytes"]] for way in ("read", "write"))

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
        if space is not self.model.root:
            self.limits_agree(space, info)
        credit = ("memory_used_pages", "memory_idle_pages", "memory_children_pages")
        assert info[PLACE["memory_drawn_pages"]] == sum(info[PLACE[name]] for name in credit)


def limits(asked: dict[str, int]) -> str:
    """struct ns_limits that changes some."""
    fields = [asked.get(name, LIMIT_SAME) for name in LIMIT_NAMES]
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
