"""The root rule in a machine: the table that tests/native/root_rule.c prints, beside the model."""

import re
import sys
from functools import partial

from pybuild.machine import Machine, MachineConfig
from pybuild.paths import BUILD, KERNEL_DEBUG_ELF, ROOT, TEST_BUNDLE

sys.path.insert(0, str(ROOT / "tests" / "host"))
from model import ALL_RIGHTS, RIGHTS, SAME, Access, Handle, Model, Refused

ROW = re.compile(r"^ROW (\w+) (\w+) (\w+) (\w+) (\S+)$", re.MULTILINE)
PARENTS = {"parent": "", "self": "parent", "sibling": "parent", "child": "self"} | {
    "grandchild": "child"
}
USERS = {"root": 0, "listed": 7, "forbidden": 8, "unlisted": 9}
OWN = {"event": "SIGNAL", "memobj": "WRITE", "port": "WRITE", "timer": "WRITE"}
DUPLICATE, WAIT, OPEN = RIGHTS["DUPLICATE"], RIGHTS["WAIT"], RIGHTS["OPEN"]
LISTS = (
    Access(),
    Access(ALL_RIGHTS),
    Access(DUPLICATE | WAIT, ((7, ALL_RIGHTS & ~WAIT), (8, 0))),
)


class Tree:
    """The model with what the program makes."""

    def __init__(self) -> None:
        self.model = Model(1)
        self.next = 1
        self.openers: dict[tuple[str, str], int] = {}
        spaces = {"": 1}
        for name, parent in PARENTS.items():
            spaces[name] = self.keep(self.model.create(spaces[parent], name, {}))
            self.names_bind(spaces[name])
            owner = self.model.duplicate(spaces[name], RIGHTS["OWNER"] | OPEN)
            self.openers[name, "owner"] = self.keep(owner)
            for who, user in USERS.items():
                handle = self.model.for_user(spaces[name], user, OPEN)
                self.openers[name, who] = self.keep(handle)

    def keep(self, handle: Handle) -> int:
        """A number for a new handle."""
        self.next += 1
        self.model.keep(self.next, handle)
        return self.next

    def names_bind(self, ns: int) -> None:
        """An object of each type, with its names."""
        for kind, own in OWN.items():
            thing = self.keep(self.model.make(ns, kind))
            for i, ceiling in enumerate((DUPLICATE, DUPLICATE | WAIT | RIGHTS[own])):
                copy = self.keep(self.model.duplicate(thing, ceiling))
                for j, access in enumerate(LISTS):
                    self.model.bind(ns, f"{kind}{i}{j}", copy, access)

    def result(self, opener: int, path: str, rights: int) -> str:
        """As the program prints it."""
        try:
            self.model.open(opener, path, rights)
        except Refused as refused:
            return refused.error[0]
        return "K"

    def row(self, start: str, who: str, end: str, kind: str) -> str:
        """All results of a row."""
        open_result = partial(self.result, self.openers[start, who])
        wanted = (SAME, 0, WAIT, DUPLICATE | RIGHTS[OWN[kind]], 1 << 25)
        names = [f"{way(start, end)}{kind}{i}{j}" for i in range(2) for j in range(3)]
        return "".join(open_result(name, rights) for name in names for rights in wanted)


def way(start: str, end: str) -> str:
    """The way down, or the end's name as if it were below."""
    parts, at = "", end
    while at and at != start:
        parts, at = f"{at}/{parts}", PARENTS[at]
    return parts if at else f"{end}/"


def test_table() -> None:
    """Every row that the model gives, and no other, is what the machine gives."""
    config = MachineConfig(
        kernel=KERNEL_DEBUG_ELF,
        bundle=TEST_BUNDLE,
        append="test=root_rule",
        log=BUILD / "test" / "root_rule.log",
    )
    with Machine(config) as machine:
        machine.wait(120)
        text = machine.console.text.decode(errors="replace").replace("\r", "")
    found = {row.groups()[:4]: row[5] for row in ROW.finditer(text)}
    tree = Tree()
    expected = {
        (start, who, end, kind): tree.row(start, who, end, kind)
        for start in PARENTS
        for who in ("owner", *USERS)
        for end in PARENTS
        for kind in OWN
    }
    assert found == expected
    assert sum(row.count("K") for row in found.values()) > 1000
