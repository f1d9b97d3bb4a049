"""`names`, `acl`, `bind`, `unbind`, and the user that a container opens names as."""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterator
from pathlib import Path

import prompts
import pytest
from prompts import PROMPT

from pybuild import bundle, gpt, images, parts, toolchain
from pybuild.machine import Machine, MachineConfig
from pybuild.paths import BUILD, ROOT

LOG = BUILD / "test" / "names.log"
RIGHTS = runpy.run_path(str(BUILD / "gen" / "python" / "abi.py"))["RIGHTS"]


@pytest.fixture(scope="module")
def disk() -> Path:
    """A disk with the image `opener` beside the others."""
    source = ROOT / "tests" / "services" / "opener.c"
    part = parts.user_part("services-opener", [source])
    toolchain.compile_source(part.flavour, source)
    part.link()
    data = bundle.elf_without_sections(part.out.read_bytes())
    table = {"native": "init", "files": {"/etc/passwd": "root:x:0:0::/:\nme:x:7:7::/:\n"}}
    opener = bundle.bundle_bytes({"init": data}) + images.trailer(table)
    found = [gpt.Partition("image:opener", opener)]
    found += [
        gpt.Partition(f"image:{name}", (BUILD / "images" / f"{name}.img").read_bytes())
        for name in ("busybox", "cloister")
    ]
    out = BUILD / "test" / "opener.img"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(gpt.disk_bytes(found))
    return out


@pytest.fixture
def console(disk: Path) -> Iterator[Machine]:
    """A machine at its prompt."""
    with Machine(MachineConfig(log=LOG, disk=disk)) as machine:
        machine.console.expect(PROMPT, 30)
        yield machine


def typed(machine: Machine, line: str, until: bytes = PROMPT) -> str:
    """As text."""
    return prompts.typed(machine, line, until).decode(errors="replace")


def opened(machine: Machine, line: str, name: str, rights: str) -> None:
    """Types a line, after which a program opens a name with these rights and no others."""
    mask = sum(RIGHTS[right.upper()] for right in rights.split(",") if right)
    typed(machine, line, rb"opener: %s %d\r" % (name.encode(), mask))


def row(shown: str, name: str) -> list[str]:
    """The words of a name's row in a table."""
    return next(line.split() for line in shown.splitlines() if line.startswith(f"{name} "))


def test_a_name_is_bound_and_opened_by_its_users(console: Machine) -> None:
    """As the ceiling and the access list say for the user that `run -u` gave."""
    typed(console, "run -d --name a opener serve thing", rb"opener: bound thing 0\r")
    assert row(typed(console, "names a"), "thing")[1] == "event"
    opened(console, "run -d -u 7 --name b opener open thing", "thing", "")
    opened(console, "bind -r wait,signal a:thing b:thing 7=wait", "thing", "wait")
    shown = row(typed(console, "names b"), "thing")
    assert shown[3:] == ["duplicate,wait,signal", "everyone=none", "7=wait"]
    opened(console, "acl b:thing 7=wait,signal,inspect", "thing", "wait,signal")
    opened(console, "acl b:thing 7=none everyone=all", "thing", "")
    opened(console, "acl b:thing 7=", "thing", "duplicate,wait,signal")
    opened(console, "acl b:thing 8=all everyone=none", "thing", "")
    assert "8=" in typed(console, "acl b:thing")
    opened(console, "acl b:thing 7=signal", "thing", "signal")
    opened(console, "unbind b:thing", "thing", "")
    assert "thing" not in typed(console, "names b").split("\n", 1)[1]


def test_a_namespace_is_bound_for_a_user(console: Machine) -> None:
    """Names are opened through it as that user, whoever opens it."""
    typed(console, "run -d --name a opener serve thing", rb"opener: bound thing 0\r")
    typed(console, "acl a:thing 7=wait 9=signal")
    opened(console, "run -d -u 7 --name b opener open peer thing", "thing", "")
    opened(console, "bind -u 9 a b:peer 7=open", "thing", "signal")
    typed(console, "unbind b:peer")
    opened(console, "bind -u 8 -r open a b:peer everyone=open; acl a:thing 8=wait", "thing", "wait")


def test_users_by_name_and_by_number(console: Machine) -> None:
    """The image says what a name means; a name that is not there is nobody's."""
    users = {"": 0, "-u me": 7, "-u me:root": 7, "-u 12:3": 12, "-u nosuch": 65534, "-u root": 0}
    for options, user in users.items():
        typed(console, f"run -d {options} --name u opener serve x", rb"opener: bound x 0\r")
        text = typed(console, "inspect u").replace("\r", "").split("\n[\n")[1].split("\n]")[0]
        assert json.loads(f"[{text}]")[0]["NamespaceUser"] == user
        typed(console, "rm -f u")
    assert "uid=7" in typed(console, "run --rm -u 7 busybox id")


def test_at_any_depth(console: Machine) -> None:
    """Paths lead to containers in containers, and an object goes from one level to another."""
    inner = "run -d --name i opener serve thing; run --rm busybox sleep 1000"
    typed(console, f"run -d --name n --nest cloister -c '{inner}'", rb"opener: bound thing 0\r")
    assert row(typed(console, "names n/i"), "thing")[1] == "event"
    assert row(typed(console, "names n"), "containers")[1] == "namespace"
    assert row(typed(console, "names"), "n")[1] == "namespace"
    opened(console, "run -d --name b opener open deep", "deep", "")
    opened(console, "bind n/i:thing b:deep everyone=wait", "deep", "wait")
    typed(console, "run -d --name a opener serve top", rb"opener: bound top 0\r")
    number = row(typed(console, "names a"), "top")[2]
    typed(console, f"bind a:#{number} n/i:up 5=wait")
    assert row(typed(console, "names n/i"), "up")[-1] == "5=wait"
    opened(console, "kill n/i", "deep", "")


REFUSED = {
    "names nosuch": "there is no container nosuch",
    "names a/nosuch": "there is no container a/nosuch",
    "acl a:nosuch": "NOT_FOUND",
    "acl a": "is no NAME:OBJECT",
    "acl a:thing 7=fly": "is no USER=RIGHTS",
    "acl a:thing seven=open": "is no USER=RIGHTS",
    "acl a:thing 4294967295=open": "can't be in an access list",
    "acl a:thing 1=all 2=all 3=all 4=all 5=all 6=all 7=all 8=all 9=all": "of 8 users at most",
    "acl n:containers 7=open": "which only OWNER opens",
    "bind a:thing": "which object, and where?",
    "bind a:nosuch a:x": "NOT_FOUND",
    "bind a:#1 a:x": "NOT_FOUND",
    "bind -r read a:thing a:x": "ACCESS_DENIED",
    "bind a:thing a:thing": "ALREADY_EXISTS",
    "bind a:thing a:a//b": "INVALID_ARGUMENT",
    "unbind a:nosuch": "NOT_FOUND",
    "unbind n:containers": "ACCESS_DENIED",
}


def test_what_is_refused(console: Machine) -> None:
    """With an error that says why, and nothing has changed."""
    typed(console, "run -d --name a opener serve thing", rb"opener: bound thing 0\r")
    typed(console, "run -d --name n --nest cloister -c 'run busybox sleep 1000'")
    before = typed(console, "names a").split("\n", 1)[1]
    for line, error in REFUSED.items():
        assert error in typed(console, line), line
    assert typed(console, "names a").split("\n", 1)[1] == before
