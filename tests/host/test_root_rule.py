"""The root rule, as a table: who opens what where, with which rights.

Every combination is a call to the kernel's own code; what it must answer is said by the model.
The tree: `parent` with `self` and `sibling`, `child` in self, `grandchild` in that. In each of them
is an object of each type, under names with different ceilings and access lists. Each of the five is
opened from by handles of different users, with OWNER and without, plain and revocable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations, islice, product

import pytest
from kernel_calls import LIMITS_SAME, NUMBERS, Facts, Kernel, abi, acl, program
from model import ALL_RIGHTS, FULL, RIGHTS, SAME, Access, Handle, Model, Refused, Space, Thing

PARENTS = {
    "parent": None,
    "self": "parent",
    "sibling": "parent",
    "child": "self",
    "grandchild": "child",
}
UNKNOWN_RIGHT = 1 << 25
LISTED, FORBIDDEN, UNLISTED = 7, 8, 9
BATCH = 200  # lines whose answers fit in a pipe


@dataclass
class World:
    """Kernel and model with the same things in them."""

    kernel: Kernel
    model: Model
    spaces: dict[str, int] = field(default_factory=dict)  # full handles
    openers: dict[tuple[str, str], int] = field(default_factory=dict)  # (namespace, who)
    objects: dict[tuple[str, str], int] = field(default_factory=dict)  # (namespace, type)
    koids: dict[Thing, int] = field(default_factory=dict)

    def same(
        self, expected: Callable[[], Handle | tuple[Handle, ...] | None], *call: int | str
    ) -> int:
        """A call that must pass in both; the first new handle."""
        error, outs, _ = self.kernel.call(str(call[0]), *call[1:])
        made = expected()
        assert error == "OK", call
        new = (made,) if isinstance(made, Handle) else made or ()
        for number, handle in zip(outs, new, strict=False):
            self.keep(number, handle)
        return outs[0]

    def keep(self, number: int, handle: Handle) -> None:
        """Both know this handle now."""
        self.model.keep(number, handle)
        self.koids[handle.thing] = self.kernel.look(number).koid

    def space(self, name: str) -> Space:
        """The model's namespace."""
        thing = self.model.handles[self.spaces[name]].thing
        assert isinstance(thing, Space)
        return thing

    def expected(self, work: Callable[[], Handle]) -> tuple[str, Facts | None]:
        """What the model says of a call that gives a handle."""
        try:
            handle = work()
        except Refused as refused:
            return refused.error, None
        self.model.forget(handle)
        revoker = self.koids[handle.revoker] if handle.revoker else 0
        koid = self.koids[handle.thing]
        return "OK", Facts(koid, handle.thing.kind, handle.rights, handle.user, revoker)


def path(start: str, end: str) -> str | None:
    """The way from one namespace down to another; None: it does not lead down."""
    parts: list[str] = []
    at: str | None = end
    while at is not None and at != start:
        parts.insert(0, at)
        at = PARENTS[at]
    return "".join(part + "/" for part in parts) if at else None


def ceilings(kind: str) -> list[int]:
    """Of names of this type: nothing but what binding needs, all, and in between."""
    duplicate, full = RIGHTS["DUPLICATE"], FULL[kind]
    highest = 1 << (full.bit_length() - 1)
    return [duplicate, duplicate | highest, full & ~highest, full]


def lists(ceiling: int) -> list[Access]:
    """Nobody; everyone, to everything; a list of two, with something for the others."""
    some = ceiling & (RIGHTS["DUPLICATE"] | RIGHTS["WAIT"])
    return [
        Access(),
        Access(ALL_RIGHTS),
        Access(some, ((LISTED, ALL_RIGHTS & ~RIGHTS["WAIT"]), (FORBIDDEN, 0))),
    ]


def names(kind: str) -> Iterator[tuple[str, int, Access]]:
    """The names of an object in each namespace."""
    for i, ceiling in enumerate(ceilings(kind)):
        for j, access in enumerate(lists(ceiling)):
            yield f"{kind}-{i}{j}", ceiling, access


def wanted(kind: str, ceiling: int) -> list[int]:
    """Rights that are asked for."""
    full = FULL[kind]
    own, foreign = 1 << (full.bit_length() - 1), ALL_RIGHTS & ~full
    lowest_foreign = foreign & -foreign
    rights = [SAME, 0, RIGHTS["DUPLICATE"], RIGHTS["WAIT"], own, ceiling, full]
    return list(dict.fromkeys([*rights, RIGHTS["WAIT"] | lowest_foreign, UNKNOWN_RIGHT]))


def each_right(kind: str, ceiling: int) -> list[int]:
    """The same, and every single one."""
    return list(dict.fromkeys([*wanted(kind, ceiling), *RIGHTS.values(), ALL_RIGHTS]))


def opener_make(world: World, name: str) -> None:
    """The handles that a namespace is opened through."""
    full, model = world.spaces[name], world.model
    # As few more as can be, so that INSPECT and the like don't come from the opener's rights.
    ways = {"owner": RIGHTS["OWNER"] | RIGHTS["OPEN"], "owner, no OPEN": RIGHTS["OWNER"]}
    ways |= {"root user": RIGHTS["OPEN"], "nothing": RIGHTS["LIST"]}
    for who, rights in ways.items():
        made = world.same(partial(model.duplicate, full, rights), "handle_duplicate", full, rights)
        world.openers[name, who] = made
    for user in (LISTED, FORBIDDEN, UNLISTED):
        rights = RIGHTS["OPEN"]
        made = world.same(
            partial(model.for_user, full, user, RIGHTS["OPEN"]),
            *("ns_handle_for_user", full, user, rights),
        )
        world.openers[name, f"user {user}"] = made
    rights = RIGHTS["OWNER"] | RIGHTS["OPEN"]
    made = world.same(
        lambda: model.duplicate_revocable(full, rights),
        *("handle_duplicate_revocable", full, rights),
    )
    world.openers[name, "owner, revocable"] = made


def objects_make(world: World, name: str) -> None:
    """An object of each type, with its names."""
    model, ns = world.model, world.spaces[name]
    for kind in FULL:
        number = world.kernel.make(kind, ns)
        if kind == "namespace":
            handle = model.made_space(world.space(name))
        else:
            handle = model.made(world.space(name), kind)
        world.keep(number, handle)
        world.objects[name, kind] = number
        for text, ceiling, access in names(kind):
            copy = world.same(
                partial(model.duplicate, number, ceiling),
                *("handle_duplicate", number, ceiling),
            )
            world.same(
                partial(model.bind, ns, text, copy, access),
                *("ns_bind", ns, f"'{text}", len(text), copy, acl(access)),
            )
            world.same(partial(model.close, copy), "handle_close", copy)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """The tree with all that is in it."""
    kernel = Kernel(program())
    made = World(kernel, Model(kernel.root))
    made.koids[made.model.root] = kernel.look(kernel.root).koid
    for name, parent in PARENTS.items():
        above = made.spaces[parent] if parent else kernel.root
        made.spaces[name] = made.same(
            partial(made.model.create, above, name, {}),
            *("ns_create", above, f"'{name}", len(name), LIMITS_SAME),
        )
    for name in PARENTS:
        objects_make(made, name)
        opener_make(made, name)
    yield made
    kernel.close()


# What it is, the call's arguments, the model's answer.
Case = tuple[str, tuple[int | str, ...], Callable[[], Handle]]


def compare(world: World, name: str, cases: Iterator[Case]) -> int:
    """Puts the cases to both; how many of them passed."""
    passed = 0
    while batch := list(islice(cases, BATCH)):
        answers = world.kernel.probe(name, [call for _, call, _ in batch])
        for (said, call, work), answer in zip(batch, answers, strict=True):
            assert answer == world.expected(work), f"{name} {call}: {said}"
            passed += answer[0] == "OK"
    return passed


def open_cases(
    world: World, kinds: list[str], rights_of: Callable[[str, int], list[int]]
) -> Iterator[Case]:
    """By name: each opener, each namespace, each name, each right."""
    model = world.model
    for (start, who), opener in world.openers.items():
        for end in PARENTS:
            way = path(start, end)
            # What does not lie below is asked for by all that could be a way to it.
            ways = [way] if way is not None else ["../", "/", f"{end}/", f"../{end}/"]
            for kind in kinds:
                for text, ceiling, _ in names(kind):
                    for prefix in ways:
                        for rights in rights_of(kind, ceiling) if way is not None else [SAME]:
                            name = prefix + text
                            said = f"{who} of {start} opens {name} with {rights:#x}"
                            call = (opener, f"'{name}", len(name), rights)
                            yield said, call, partial(model.open, opener, name, rights)


def test_by_name(world: World) -> None:
    """Users, namespaces, ceilings, access lists, rights and types."""
    assert compare(world, "ns_open", open_cases(world, list(FULL), wanted)) > 1000


@pytest.mark.long
def test_by_name_each_right(world: World) -> None:
    """The same with every single right, asked for by everyone."""
    assert compare(world, "ns_open", open_cases(world, list(FULL), each_right)) > 10000


def test_child_by_name(world: World) -> None:
    """A child namespace is opened with OWNER only, by whatever rights."""

    def cases() -> Iterator[Case]:
        for (start, who), opener in world.openers.items():
            for end in PARENTS:
                name = (path(start, end) or f"{end}/")[:-1] or end
                for rights in each_right("namespace", FULL["namespace"]):
                    said = f"{who} of {start} opens {name} with {rights:#x}"
                    call = (opener, f"'{name}", len(name), rights)
                    yield said, call, partial(world.model.open, opener, name, rights)

    assert compare(world, "ns_open", cases()) > 100


def test_by_koid(world: World) -> None:
    """OWNER opens what is charged at or below, with all rights; and nothing else."""

    def cases() -> Iterator[Case]:
        for (start, who), opener in world.openers.items():
            for (end, kind), number in world.objects.items():
                thing = world.model.handles[number].thing
                said = f"{who} of {start} opens the {kind} of {end}"
                call = (opener, world.koids[thing])
                yield said, call, partial(world.model.open_koid, opener, thing)
            for koid in (0, 1 << 40):
                yield f"koid {koid}", (opener, koid), partial(world.model.open_koid, opener, None)

    owners = 2 + 1  # handles with OWNER, of each
    pairs = sum(path(a, b) is not None for a in PARENTS for b in PARENTS)
    assert compare(world, "ns_open_koid", cases()) == pairs * (owners * len(FULL) - 1)


def test_ends_are_apart(world: World) -> None:
    """Who owns the namespace of a client does not open the server's end."""
    kernel, model = world.kernel, world.model
    child, sibling = world.spaces["child"], world.spaces["sibling"]
    error, outs, _ = kernel.call("channel_create", child, sibling, "#" + "00" * 16)
    assert error == "OK"
    ends = [model.make(child, "channel"), model.make(sibling, "channel")]
    for number, end in zip(outs, ends, strict=False):
        world.keep(number, end)

    def cases() -> Iterator[Case]:
        for (start, who), opener in world.openers.items():
            for end in ends:
                said = f"{who} of {start} opens an end"
                call = (opener, world.koids[end.thing])
                yield said, call, partial(model.open_koid, opener, end.thing)

    # By three owners each: the first from parent, self and child, the second from parent, sibling.
    assert compare(world, "ns_open_koid", cases()) == 3 * (3 + 2)


def revocable(world: World, number: int) -> int:
    """A revocable copy with all rights."""
    return world.same(
        partial(world.model.duplicate_revocable, number, SAME),
        *("handle_duplicate_revocable", number, SAME),
    )


def test_two_revokers(world: World) -> None:
    """What was bound revocably and is opened through a revocable handle falls with either."""
    model, ns = world.model, world.spaces["sibling"]
    event = world.kernel.make("event", ns)
    world.keep(event, model.made(world.space("sibling"), "event"))
    # An event and a namespace that came through the same revoker: the one bound under the other.
    handles = {"plain": event, "once": revocable(world, event)}
    handles["twice"] = revocable(world, handles["once"])
    openers = {"plain": ns, "once": revocable(world, ns)}
    openers["twice"] = revocable(world, openers["once"])
    for name, what in handles.items():
        world.same(
            partial(model.bind, ns, name, what, Access()),
            *("ns_bind", ns, f"'{name}", len(name), what, acl(Access())),
        )
    # A namespace opened by name through a revocable handle carries that revoker ...
    for name in ("once", "twice"):
        space = f"space-{name}"
        world.same(
            partial(model.bind, ns, space, openers[name], Access()),
            *("ns_bind", ns, f"'{space}", len(space), openers[name], acl(Access())),
        )

    def cases() -> Iterator[Case]:
        for (said, opener), name in product(
            openers.items(), [*handles, "space-once", "space-twice"]
        ):
            call = (opener, f"'{name}", len(name), SAME)
            yield f"{said} opens {name}", call, partial(model.open, opener, name, SAME)

    # ... which is no second one where it is part of the same chain.
    assert compare(world, "ns_open", cases()) == 5 + 2 * 3


def rights_with(opened: str) -> list[int]:
    """All handles with and without each of the rights that a call may ask for, and one more."""
    some = [RIGHTS[name] for name in opened.split()]
    found = [sum(chosen) for size in range(len(some) + 1) for chosen in combinations(some, size)]
    return [*found, *(FULL["namespace"] & ~right for right in some), FULL["namespace"]]


def test_create_needs_owner(world: World) -> None:
    """A child is made by CREATE and OWNER together, for every user; what comes has all rights."""
    kernel, model = world.kernel, world.model
    full = world.spaces["self"]
    for number, rights in enumerate(rights_with("CREATE OWNER OPEN BIND MANAGE")):
        copy = world.same(partial(model.duplicate, full, rights), "handle_duplicate", full, rights)
        name = f"new{number}"
        error, outs, _ = kernel.call("ns_create", copy, f"'{name}", len(name), LIMITS_SAME)
        may = rights & (RIGHTS["CREATE"] | RIGHTS["OWNER"]) == RIGHTS["CREATE"] | RIGHTS["OWNER"]
        assert error == ("OK" if may else "ACCESS_DENIED"), f"{rights:#x}"
        try:
            made = model.create(copy, name, {})
        except Refused as refused:
            assert error == refused.error
            continue
        world.keep(outs[0], made)
        assert kernel.look(outs[0])[1:] == ("namespace", FULL["namespace"], 0, 0)


def test_for_user(world: World) -> None:
    """Only OWNER sets users, and never gives OWNER on."""
    model = world.model

    def cases() -> Iterator[Case]:
        full = world.spaces["self"]
        for rights in rights_with("OWNER DUPLICATE OPEN"):
            copy = world.same(
                partial(model.duplicate, full, rights), "handle_duplicate", full, rights
            )
            for user in (0, LISTED, 2**32 - 1):
                for asked in each_right("namespace", rights):
                    said = f"{rights:#x} asks for user {user} and {asked:#x}"
                    yield said, (copy, user, asked), partial(model.for_user, copy, user, asked)

    assert compare(world, "ns_handle_for_user", cases()) > 10


def test_every_type_is_there() -> None:
    """The model and the ABI have the same types and rights."""
    assert list(FULL) == list(abi.OBJECTS)
    assert RIGHTS == abi.RIGHTS
    assert NUMBERS["ns_open_koid"]
