"""The executable specification of namespaces, names, handles, rights, revocation and death.

It says what every call answers and what there is afterwards; how the kernel does it is not here.
test_model.py drives it beside the kernel's own code and compares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from limits_model import DEFAULTS, NO_LIMIT, are_in_range, changed

RIGHT_NAMES = (
    *("DUPLICATE", "TRANSFER", "INSPECT", "WAIT", "READ", "WRITE", "EXECUTE", "CALL", "SIGNAL"),
    *("MANAGE", "KILL", "CREATE", "OPEN", "LIST", "BIND", "OWNER", "CLONE", "KICK", "REVOKE"),
)
RIGHTS = {name: 1 << bit for bit, name in enumerate(RIGHT_NAMES)}
COMMON = RIGHTS["DUPLICATE"] | RIGHTS["TRANSFER"] | RIGHTS["INSPECT"] | RIGHTS["WAIT"]
# What its maker may do with an object, by type.
OWN_RIGHTS = {
    "namespace": ("MANAGE", "KILL", "CREATE", "OPEN", "LIST", "BIND", "OWNER"),
    "process": ("MANAGE", "KILL", "CLONE"),
    "thread": ("KICK",),
    "aspace": ("READ", "WRITE"),
    "memobj": ("READ", "WRITE", "EXECUTE", "MANAGE"),
    "channel": ("READ", "WRITE", "CALL"),
    "queue": ("READ", "WRITE"),
    "port": ("READ", "WRITE"),
    "timer": ("WRITE",),
    "event": ("SIGNAL",),
    "revoker": ("REVOKE",),
    "block": ("READ", "WRITE"),
    "nic": ("READ", "WRITE"),
    "serial": ("READ", "WRITE"),
    "system": ("MANAGE",),
}
FULL = {kind: COMMON | sum(RIGHTS[r] for r in own) for kind, own in OWN_RIGHTS.items()}
ALL_RIGHTS = (1 << 19) - 1
SAME = 0x8000_0000
REVOKERS_MAX = 4
REGISTRATIONS_MAX, TIMER_REGISTRATIONS_MAX = 256, 4


class Refused(Exception):
    """A call answered an error."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


@dataclass(eq=False)
class Thing:
    """An object."""

    kind: str
    payer: Space | None
    dead: bool = False
    handles: int = 0
    # Of a revoker:
    parent: Thing | None = None
    revoked: bool = False
    # Of a port: what it watches, by key.
    watched: dict[int, Watch] = field(default_factory=dict)
    # Of a memory object: the first word of its page.
    word: int = 0

    @property
    def is_revoked(self) -> bool:
        """It, or one above it, was revoked, is dead, or has lost its last handle."""
        return self.revoked or self.dead or (self.parent is not None and self.parent.is_revoked)

    @property
    def depth(self) -> int:
        """Revokers in the chain that ends here."""
        return 1 + (self.parent.depth if self.parent else 0)

    def is_below(self, other: Thing) -> bool:
        """A revoker is the other, or in a chain after it."""
        return self is other or (self.parent is not None and self.parent.is_below(other))


@dataclass(eq=False)
class Watch:
    """A registration of a port, or a mapping of a memory object."""

    thing: Thing
    revoker: Thing | None
    is_writable: bool = False
    is_private: bool = False
    copy: int | None = None  # a private mapping that was written to: a page of who wrote


@dataclass(frozen=True)
class Access:
    """Who may open a name without OWNER, and with which rights at most."""

    everyone: int = 0
    users: tuple[tuple[int, int], ...] = ()

    def rights(self, user: int) -> int:
        """Of a user: what the list says of him, or of everyone."""
        return next((rights for listed, rights in self.users if listed == user), self.everyone)


@dataclass(eq=False)
class Bound:
    """What a name is bound to."""

    handle: Handle
    access: Access = field(default_factory=lambda: Access())
    child: Space | None = None


@dataclass(eq=False)
class Space(Thing):
    """A namespace."""

    above: Space | None = None
    gone: bool = False
    limits: dict[str, int] = field(default_factory=DEFAULTS.copy)

    @property
    def level(self) -> int:
        """0 for the root."""
        return 1 + self.above.level if self.above else 0

    @property
    def chain(self) -> list[Space]:
        """Itself and all above."""
        return [self, *(self.above.chain if self.above else [])]

    names: dict[str, Bound] = field(default_factory=dict)


@dataclass(eq=False)
class Handle:
    """A handle, in the one process that there is, or in a name."""

    thing: Thing
    rights: int
    user: int = 0
    revoker: Thing | None = None
    tombstone: str = ""


def path_is_valid(path: str) -> bool:
    """Whether a text is a name, relative and downwards."""
    return all(part not in ("", ".", "..") for part in path.split("/"))


def _collides(old: str, new: str) -> bool:
    return old == new or new.startswith(old + "/") or old.startswith(new + "/")


class Model:
    """All that there is. Handles are known by the kernel's numbers for them."""

    def __init__(self, root_handle: int, root_names: int = 0) -> None:
        self.root_names = root_names  # that the root has, of which nothing is known here
        unlimited = {name: NO_LIMIT for name in ("handles", "names", "timers")}
        self.root = Space("namespace", None, limits=DEFAULTS | unlimited)
        self.things: list[Thing] = []
        self.handles: dict[int, Handle] = {}
        self.mapped: dict[int, Watch] = {}  # by place, in the one process
        self.keep(root_handle, self._handle(self.root, FULL["namespace"]))

    # ---- handles ----

    def _handle(
        self, thing: Thing, rights: int, user: int = 0, revoker: Thing | None = None
    ) -> Handle:
        thing.handles += 1
        return Handle(thing, rights, user, revoker)

    def _drop(self, handle: Handle) -> None:
        if handle.tombstone:
            return
        handle.thing.handles -= 1
        if handle.thing.handles == 0:
            self._watches_drop(lambda watch: watch.thing is handle.thing)
            handle.thing.watched.clear()
            if handle.thing.kind == "revoker":
                self._revoke(handle.thing)

    def _watches_drop(self, is_gone: Callable[[Watch], bool]) -> None:
        """Registrations end with their objects, their ports and their revokers."""
        for port in self.things:
            for key in [key for key, watch in port.watched.items() if is_gone(watch)]:
                del port.watched[key]

    def _mappings_drop(self, is_gone: Callable[[Watch], bool]) -> None:
        for place in [place for place, watch in self.mapped.items() if is_gone(watch)]:
            del self.mapped[place]

    def keep(self, number: int, handle: Handle) -> None:
        """The kernel's number for a new handle."""
        assert number not in self.handles, f"handle {number} was given twice"
        self.handles[number] = handle

    def check(self, number: int, kind: str, rights: int) -> Handle:
        """What the decoding says of a handle argument."""
        handle = self.handles.get(number)
        if handle is None:
            raise Refused("BAD_HANDLE")
        if handle.tombstone:
            raise Refused(handle.tombstone)
        if kind not in ("any", handle.thing.kind):
            raise Refused("WRONG_TYPE")
        if handle.rights & rights != rights:
            raise Refused("ACCESS_DENIED")
        return handle

    def space(self, number: int, *rights: str) -> tuple[Handle, Space]:
        """A namespace argument."""
        handle = self.check(number, "namespace", sum(RIGHTS[r] for r in rights))
        assert isinstance(handle.thing, Space)
        return handle, handle.thing

    @staticmethod
    def narrow(handle: Handle, rights: int) -> int:
        """The rights of a copy."""
        if rights == SAME:
            return handle.rights
        if rights & ~ALL_RIGHTS:
            raise Refused("INVALID_ARGUMENT")
        if rights & ~handle.rights:
            raise Refused("ACCESS_DENIED")
        return rights

    def duplicate(self, number: int, rights: int) -> Handle:
        """handle_duplicate."""
        old = self.check(number, "any", RIGHTS["DUPLICATE"])
        return self._handle(old.thing, self.narrow(old, rights), old.user, old.revoker)

    def duplicate_revocable(self, number: int, rights: int) -> tuple[Handle, Handle]:
        """handle_duplicate_revocable: the copy and the revoker."""
        old = self.check(number, "any", RIGHTS["DUPLICATE"])
        if old.thing.kind == "revoker":
            raise Refused("WRONG_TYPE")
        rights = self.narrow(old, rights)
        if old.revoker and old.revoker.depth == REVOKERS_MAX:
            raise Refused("LIMIT")
        revoker = Thing("revoker", self.root, parent=old.revoker)
        self.things.append(revoker)
        revoker_handle = self._handle(revoker, FULL["revoker"])
        return self._handle(old.thing, rights, old.user, revoker), revoker_handle

    def close(self, number: int) -> None:
        """handle_close."""
        if number not in self.handles:
            raise Refused("BAD_HANDLE")
        self._drop(self.handles.pop(number))

    def _everywhere(self) -> list[Handle]:
        found = list(self.handles.values())
        spaces = [self.root, *(t for t in self.things if isinstance(t, Space))]
        return found + [bound.handle for space in spaces for bound in space.names.values()]

    def _revoke(self, revoker: Thing) -> None:
        revoker.revoked = True
        for handle in self._everywhere():
            if not handle.tombstone and handle.revoker and handle.revoker.is_revoked:
                self._entomb(handle, "REVOKED")
        for drop in (self._watches_drop, self._mappings_drop):
            drop(lambda watch: watch.revoker is not None and watch.revoker.is_revoked)

    def _entomb(self, handle: Handle, why: str) -> None:
        self._drop(handle)
        handle.tombstone = why

    def revoke(self, number: int) -> None:
        """revoker_revoke."""
        self._revoke(self.check(number, "revoker", RIGHTS["REVOKE"]).thing)

    # ---- things ----

    def make(self, ns: int, kind: str) -> Handle:
        """event_create and the like; ns 0 is the root."""
        return self.made(self.root if ns == 0 else self.space(ns, "CREATE")[1], kind)

    def made(self, payer: Space, kind: str) -> Handle:
        """What is made on a namespace's account, and the handle of who made it."""
        if payer.gone:
            raise Refused("NO_RESOURCES")
        if kind == "timer" and not self._has_room(payer, "timers"):
            raise Refused("NO_RESOURCES")
        thing = Thing(kind, payer)
        self.things.append(thing)
        return self._handle(thing, FULL[kind])

    def made_space(self, above: Space, name: str = "") -> Handle:
        """A child namespace, of whatever name if none is given."""
        space = Space("namespace", above, above=above)
        self.things.append(space)
        name = name or f"made {len(self.things)}"
        above.names[name] = Bound(self._handle(space, FULL["namespace"]), child=space)
        return self._handle(space, FULL["namespace"])

    def forget(self, handle: Handle) -> None:
        """A handle that was given and closed at once."""
        self._drop(handle)

    def signal(self, number: int) -> None:
        """event_signal."""
        self.check(number, "event", RIGHTS["SIGNAL"])

    # ---- namespaces ----

    def create(self, parent: int, name: str, asked: dict[str, int]) -> Handle:
        """ns_create."""
        _, above = self.space(parent, "CREATE", "OWNER")
        if not are_in_range(asked):
            raise Refused("OUT_OF_RANGE")
        if "/" in name:
            raise Refused("INVALID_ARGUMENT")
        if above.gone or not self._has_room(above, "names"):
            raise Refused("NO_RESOURCES")
        if any(_collides(old, name) for old in above.names):
            raise Refused("ALREADY_EXISTS")
        made = self.made_space(above, name)
        assert isinstance(made.thing, Space)
        made.thing.limits = changed(DEFAULTS, asked)
        return made

    def bind(self, ns: int, name: str, number: int, access: Access) -> None:
        """ns_bind."""
        _, space = self.space(ns, "BIND")
        what = self.check(number, "any", RIGHTS["DUPLICATE"])
        if space.gone or not self._has_room(space, "names"):
            raise Refused("NO_RESOURCES")
        if any(_collides(old, name) for old in space.names):
            raise Refused("ALREADY_EXISTS")
        copy = self._handle(what.thing, what.rights, what.user, what.revoker)
        space.names[name] = Bound(copy, access)

    @staticmethod
    def _bound(space: Space, name: str) -> Bound:
        """What somebody has bound, to be changed or taken away."""
        bound = space.names.get(name)
        if bound is None:
            raise Refused("NOT_FOUND")
        if bound.child:
            raise Refused("ACCESS_DENIED")
        return bound

    def set_access(self, ns: int, name: str, access: Access) -> None:
        """ns_set_access."""
        _, space = self.space(ns, "BIND", "OWNER")
        self._bound(space, name).access = access

    def unbind(self, ns: int, name: str) -> None:
        """ns_unbind."""
        _, space = self.space(ns, "BIND")
        self._drop(self._bound(space, name).handle)
        del space.names[name]

    @staticmethod
    def _way(space: Space, path: str, is_owner: bool) -> Bound:
        """What a path leads to, through children that only OWNER enters."""
        parts = path.split("/")
        while len(parts) > 1:
            bound = space.names.get(parts[0])
            if bound is None or bound.child is None:
                break
            if not is_owner:
                raise Refused("ACCESS_DENIED")
            space = bound.child
            parts = parts[1:]
        found = space.names.get("/".join(parts))
        if found is None:
            raise Refused("NOT_FOUND")
        return found

    def open(self, ns: int, path: str, rights: int) -> Handle:
        """ns_open."""
        through, space = self.space(ns, "OPEN")
        if not path_is_valid(path):
            raise Refused("INVALID_ARGUMENT")
        is_owner = bool(through.rights & RIGHTS["OWNER"])
        bound = self._way(space, path, is_owner)
        if bound.handle.tombstone:
            raise Refused(bound.handle.tombstone)
        ceiling = bound.handle.rights
        if not is_owner:
            ceiling = 0 if bound.child else ceiling & bound.access.rights(through.user)
        found = Handle(bound.handle.thing, ceiling)
        if found.thing.kind == "revoker" and through.revoker:
            raise Refused("WRONG_TYPE")
        revoker = self._deeper(bound.handle.revoker, through.revoker)
        return self._handle(
            bound.handle.thing, self.narrow(found, rights), bound.handle.user, revoker
        )

    @staticmethod
    def _deeper(one: Thing | None, other: Thing | None) -> Thing | None:
        """What carries both chains: a handle has one, so the one must be part of the other."""
        if one is None or other is None:
            return one or other
        if one.is_below(other):
            return one
        if other.is_below(one):
            return other
        raise Refused("LIMIT")

    def open_koid(self, ns: int, thing: Thing | None) -> Handle:
        """ns_open_koid; None: there is nothing of this koid."""
        through, space = self.space(ns, "OWNER")
        if thing is None or thing.dead or not self._is_within(thing.payer, space):
            raise Refused("NOT_FOUND")
        if thing.kind == "revoker" and through.revoker:
            raise Refused("WRONG_TYPE")
        return self._handle(thing, FULL[thing.kind], 0, through.revoker)

    def for_user(self, ns: int, user: int, rights: int) -> Handle:
        """ns_handle_for_user."""
        old, space = self.space(ns, "OWNER", "DUPLICATE")
        if rights != SAME and rights & RIGHTS["OWNER"]:
            raise Refused("INVALID_ARGUMENT")
        rights = self.narrow(old, rights) & ~RIGHTS["OWNER"]
        return self._handle(space, rights, user, old.revoker)

    def kill(self, ns: int) -> None:
        """ns_kill, and the end of all below."""
        _, space = self.space(ns, "KILL")
        if space.above is None:
            raise Refused("ACCESS_DENIED")
        if space.gone:
            return
        below = [t for t in self.things if isinstance(t, Space) and self._is_within(t, space)]
        for victim in below:
            victim.gone = True
        for thing in self.things:
            if isinstance(thing.payer, Space) and thing.payer in below:
                thing.dead = True
        for handle in self._everywhere():
            if handle.tombstone:
                continue
            if handle.thing.dead:
                self._entomb(handle, "DEAD")
        for drop in (self._watches_drop, self._mappings_drop):
            drop(lambda watch: watch.thing.dead)
        for thing in self.things:
            if thing.dead:
                thing.watched.clear()
                # A revoker that is dead counts as revoked.
                if thing.kind == "revoker" and not thing.revoked:
                    self._revoke(thing)
        for victim in below:
            for bound in victim.names.values():
                self._drop(bound.handle)
            victim.names.clear()
        names = space.above.names
        for name in [n for n, bound in names.items() if bound.child is space]:
            self._drop(names.pop(name).handle)

    @staticmethod
    def _is_within(space: Space | None, above: Space) -> bool:
        while space is not None and space is not above:
            space = space.above
        return space is not None

    # ---- mappings and registrations ----

    def map(self, number: int, place: int, shared: bool, write: bool) -> None:
        """aspace_map of one page, EXACT, in the one process."""
        rights = ("READ", "WRITE") if shared and write else ("READ",)
        handle = self.check(number, "memobj", sum(RIGHTS[r] for r in rights))
        if place in self.mapped:
            raise Refused("ALREADY_EXISTS")
        self.mapped[place] = Watch(handle.thing, handle.revoker, write, not shared)

    def unmap(self, place: int) -> None:
        """aspace_unmap."""
        self.mapped.pop(place, None)

    def map_image(self, image: Thing, place: int, shared: bool, write: bool) -> None:
        """aspace_map of a page of a block range: nobody has the right to write to it."""
        if shared and write:
            raise Refused("ACCESS_DENIED")
        if place in self.mapped:
            raise Refused("ALREADY_EXISTS")
        self.mapped[place] = Watch(image, None, write, not shared)

    def touch(self, place: int) -> int:
        """The word that is read there by the kernel."""
        if place not in self.mapped:
            raise Refused("BAD_POINTER")
        watch = self.mapped[place]
        return watch.thing.word if watch.copy is None else watch.copy

    def write(self, place: int, word: int) -> None:
        """A word is written there, where that is allowed."""
        self.touch(place)
        watch = self.mapped[place]
        if not watch.is_writable:
            raise Refused("BAD_POINTER")
        if watch.is_private:
            watch.copy = word
        else:
            watch.thing.word = word

    def register(self, port: int, number: int, key: int) -> None:
        """port_register."""
        watching = self.check(port, "port", RIGHTS["WRITE"]).thing
        handle = self.check(number, "any", RIGHTS["WAIT"])
        most = TIMER_REGISTRATIONS_MAX if handle.thing.kind == "timer" else REGISTRATIONS_MAX
        watches = [watch for thing in self.things for watch in thing.watched.values()]
        if sum(watch.thing is handle.thing for watch in watches) >= most:
            raise Refused("LIMIT")
        if key in watching.watched:
            raise Refused("ALREADY_EXISTS")
        watching.watched[key] = Watch(handle.thing, handle.revoker)

    def unregister(self, port: int, key: int) -> None:
        """port_unregister."""
        watching = self.check(port, "port", RIGHTS["WRITE"]).thing
        if watching.watched.pop(key, None) is None:
            raise Refused("NOT_FOUND")

    # ---- the ledger ----

    def set_limits(self, ns: int, asked: dict[str, int]) -> None:
        """ns_set_limits of some of them."""
        _, space = self.space(ns, "MANAGE")
        if not are_in_range(asked):
            raise Refused("OUT_OF_RANGE")
        if space.gone:
            raise Refused("DEAD")
        space.limits = changed(space.limits, asked)

    def counted(self, space: Space, kind: str) -> int:
        """Things of a kind that a namespace pays for."""
        return sum(
            1 for t in self.things if t.payer is space and t.kind == kind and self._exists(t)
        )

    def whole(self, space: Space, what: str) -> int:
        """Names or timers of a namespace and of all below."""
        spaces = [t for t in self.things if isinstance(t, Space) and space in t.chain] + [space]
        if what == "names":
            return sum(len(s.names) for s in set(spaces))
        return sum(self.counted(s, "timer") for s in set(spaces))

    def _has_room(self, space: Space, what: str) -> bool:
        """For one more here, and in all above. A name is a handle, too, here alone."""
        spare = {self.root: self.root_names} if what == "names" else {}
        has_handle = what != "names" or self.charged(space)[1] < space.limits["handles"]
        return has_handle and all(
            self.whole(s, what) + spare.get(s, 0) < s.limits[what] for s in space.chain
        )

    def user_pages(self, space: Space) -> int:
        """Pages but the kernel's: of memory objects, which have one each, and private copies."""
        pages = self.counted(space, "memobj")
        if space is self.root:
            pages += sum(watch.copy is not None for watch in self.mapped.values())
        return pages

    def charged(self, space: Space) -> tuple[int, int, int]:
        """Objects, handles and names that a namespace pays for."""
        objects = sum(1 for t in self.things if t.payer is space and self._exists(t))
        handles = len(space.names) + (len(self.handles) if space is self.root else 0)
        return objects, handles, self.whole(space, "names")

    def _exists(self, thing: Thing) -> bool:
        """Objects go with their last handle; a namespace's struct when it is gone too."""
        if thing.dead:
            return False
        if isinstance(thing, Space):
            is_a_parent = any(
                isinstance(t, Space) and t.above is thing and self._exists(t) for t in self.things
            )
            return not thing.gone or thing.handles > 0 or is_a_parent
        if thing.kind == "revoker":
            watches = [*self.mapped.values(), *(w for t in self.things for w in t.watched.values())]
            in_use = any(h.revoker is thing and not h.tombstone for h in self._everywhere())
            in_use = in_use or any(watch.revoker is thing for watch in watches)
            has_children = any(t.parent is thing and self._exists(t) for t in self.things)
            return thing.handles > 0 or in_use or has_children
        return thing.handles > 0 or any(watch.thing is thing for watch in self.mapped.values())
