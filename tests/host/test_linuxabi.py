"""The generator of the Linux system-call table."""

from pathlib import Path

import pytest

from pybuild import linuxabi, linuxvalues
from pybuild.linuxvalues import Values
from pybuild.paths import ROOT

SCHEMA = ROOT / "userland" / "linux" / "abi" / "x86_64.toml"
CALL = '[[call]]\nnumber = {number}\nname = "{name}"\nargs = {args}\n'


def schema(tmp_path: Path, *entries: str, unsupported: str = "") -> Path:
    """Write a schema of these entries; return its path."""
    path = tmp_path / "schema.toml"
    path.write_text("\n".join(entries) + f"\n[unsupported]\n{unsupported}\n")
    return path


def call(number: int, name: str, *args: str) -> str:
    """The text of one entry."""
    return CALL.format(number=number, name=name, args=list(args))


def test_arguments_come_from_registers_in_order(tmp_path: Path) -> None:
    entry = call(9, "six", "u64 a", "i32 b", "ptr c", "u32 d", "usize e", "i64 f")
    calls, _ = linuxabi.parse(schema(tmp_path, entry))
    assert calls[0].prototype() == (
        "i64 linux_six(struct thread *thread, u64 a, i32 b, linux_ptr c, u32 d, usize e, i64 f)"
    )
    decoder = calls[0].decoder()
    places = [decoder.index(f"state.{register}") for register in linuxabi.REGISTERS]
    assert places == sorted(places)
    assert "(i32)thread->state.rsi" in decoder
    assert "(linux_ptr){thread->state.rdx}" in decoder


def test_unsupported_calls_have_a_name_and_no_handler(tmp_path: Path) -> None:
    calls, names = linuxabi.parse(schema(tmp_path, call(0, "read"), unsupported="acct = 163"))
    text = linuxabi.dispatch(calls, names, Values({}, {}))
    assert '[0] = {call_read, "read", NULL, 0}' in text
    assert '[163] = {NULL, "acct", NULL, 0}' in text


@pytest.mark.parametrize(
    "entries",
    [
        (call(1, "a"), call(1, "b")),
        (call(-1, "a"),),
        (call(512, "a"),),
        (call(1, "a", "pointer x"),),
        (call(1, "a", "u64 not a name"),),
        (call(1, "a", *[f"u64 a{i}" for i in range(7)]),),
    ],
)
def test_a_wrong_schema_is_refused(tmp_path: Path, entries: tuple[str, ...]) -> None:
    with pytest.raises(linuxvalues.SchemaError):
        linuxabi.parse(schema(tmp_path, *entries))


def test_the_schema_itself(tmp_path: Path) -> None:
    calls, names = linuxabi.parse(SCHEMA)
    known = {entry.name for entry in calls}
    assert {"read", "write", "execve", "exit_group", "rt_sigreturn"} <= known
    assert names[0] == "read"
    assert linuxabi.main([str(SCHEMA), str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "calls.h").exists()


def values(tmp_path: Path, text: str, **arguments: list[str]) -> Values:
    """Read a file of values; `arguments` are the calls' argument names."""
    path = tmp_path / "values.toml"
    path.write_text(text)
    return linuxvalues.parse(path, arguments)


OPEN = '[sets.open]\nkind = "flags"\nvalues = {A = 1, B = 2}\nunsupported = {B = "why"}\n'


def test_arguments_are_shown_by_use_type_and_name(tmp_path: Path) -> None:
    known = values(
        tmp_path, OPEN + '[uses]\n"open.flags" = "open"\n"open.x" = "@hex"\n', open=["flags", "x"]
    )
    assert known.kind("open", "u32", "flags") == ("flags", "open")
    assert known.kind("open", "u64", "x") == ("hex", "")
    assert known.kind("other", "ptr", "path") == ("string", "")
    assert known.kind("other", "i32", "dir") == ("fd", "")
    assert known.kind("other", "u32", "mode") == ("octal", "")
    line = linuxvalues.arguments_line(known, "open", (("u32", "flags"), ("i64", "y")))
    assert "{{ARGUMENT_FLAGS, 32, 0}, {ARGUMENT_SIGNED, 64, 0}}" in line
    assert "| A | open.flags | B (why) |" in linuxvalues.manual(known)


@pytest.mark.parametrize(
    "text",
    [
        '[uses]\n"open.flag" = "@hex"\n',
        '[uses]\n"open.flags" = "nothing"\n',
        '[sets.open]\nkind = "bits"\nvalues = {}\n',
        '[sets.open]\nkind = "flags"\nvalues = {A = 1}\nunsupported = {B = "why"}\n',
    ],
)
def test_wrong_values_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(linuxvalues.SchemaError):
        values(tmp_path, text, open=["flags"])


def test_every_supported_argument_has_a_kind() -> None:
    """The real files fit each other."""
    calls, _ = linuxabi.parse(SCHEMA)
    known = linuxvalues.parse(
        SCHEMA.with_name("values.toml"),
        {one.name: [name for _, name in one.args] for one in calls},
    )
    assert set(linuxvalues.NEEDED) <= set(known.sets)
