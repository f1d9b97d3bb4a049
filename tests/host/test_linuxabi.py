"""The generator of the Linux system-call table."""

from pathlib import Path

import pytest

from pybuild import linuxabi
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
    text = linuxabi.dispatch(calls, names)
    assert '[0] = {call_read, "read"}' in text
    assert '[163] = {NULL, "acct"}' in text


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
    with pytest.raises(linuxabi.SchemaError):
        linuxabi.parse(schema(tmp_path, *entries))


def test_the_schema_itself(tmp_path: Path) -> None:
    calls, names = linuxabi.parse(SCHEMA)
    known = {entry.name for entry in calls}
    assert {"read", "write", "execve", "exit_group", "rt_sigreturn"} <= known
    assert names[0] == "read"
    assert linuxabi.main([str(SCHEMA), str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "calls.h").exists()
