"""The ABI generator: what it refuses, what it writes, and that the committed copy is up to date."""

import importlib.util
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from pybuild.abi.__main__ import main
from pybuild.abi.generate import generate
from pybuild.abi.golden import HOW, golden_difference, golden_text
from pybuild.abi.parse import load_schema
from pybuild.abi.schema import SchemaError
from pybuild.abi.trace import ENTRY, decode, line_text, ring_lines

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "kernel" / "abi"
TOY = Path(__file__).resolve().parent / "abi" / "toy"


def toy_with(folder: Path, old: str, new: str) -> Path:
    """A copy of the toy schema with one thing changed, in whichever file it is."""
    copy = folder / "schema"
    shutil.copytree(TOY, copy)
    changed = 0
    for path in copy.glob("*.toml"):
        text = path.read_text()
        changed += old in text
        path.write_text(text.replace(old, new, 1))
    assert changed == 1, f"{old!r} is in {changed} files"
    return copy


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('min = 2, max = 10', 'mim = 2, max = 10',
         "syscall values: argument 'a': unknown key 'mim'"),
        ('min = 2, max = 10', 'min = 2, max = 1', "min = 2 is above max = 1"),
        ('min = 2, max = 10', 'min = 2, max = 0x100000000', "does not fit u32"),
        ('max = "PAGE_SIZE"', 'max = "PAGE_SIZ"', "names no constant 'PAGE_SIZ'"),
        ('max = 10, align = 2', 'max = 10, align = 3', "align = 3 is no power of two"),
        ('one_of = "level"', 'one_of = "levels"', "there is no group 'levels'"),
        ('name = "bits"\nnumber = 2', 'name = "bits"\nnumber = 1', "number 1 is values's"),
        ('name = "bits"', 'name = "values"', "is also in"),
        ('name = "bits"', 'name = "While-1"', "cannot be a name"),
        ('name = "bits"', 'name = "while"', "cannot be a name"),
        ('allowed = ["READ"]', 'allowed = ["REED"]', "there is no bit of 'map' 'REED'"),
        ('set = "map", allowed', 'set = "mop", allowed', "there is no flag set 'mop'"),
        ('object = "thread", optional', 'object = "tread", optional', "object type 'tread'"),
        ('object = ["event", "memobj"], ', '', "'object' is missing"),
        ('arg = "flags", all', 'arg = "flag", all', "'arg' must name an argument of kind flags"),
        ('struct = "request"}', 'struct = "requests"}', "there is no structure 'requests'"),
        ('length = "name_size"', 'length = "size_name"', "length 'size_name' is no value"),
        ('kind = "string"', 'kind = "strings"', "there is no kind 'strings' here"),
        ('noreturn = true', 'noreturn = 1', "'noreturn' is 1; write a value of type bool"),
        ('noreturn = true', 'outs = [{name = "x", type = "u32"}]\nnoreturn = true', "has outs"),
        ('raw = true', 'rawer = true', "unknown key 'rawer'"),
        ('summary = "Raw."', '', "'summary' is missing"),
        ('{name = "when", kind = "deadline"}', '{name = "when", kind = "deadline"},'
         '{name = "seventh", kind = "deadline"}', "has 7 arguments and 6 fit"),
        ('{name = "when", kind', '{name = "a", kind', "argument a is there twice"),
        ('{name = "z", type = "i32"}', '{name = "z", type = "i32"}, {name = "w", type = "u32"}',
         "has 4 outs and 3 fit"),
        ('name = "nothing"', 'name = "nothing"\nerrors = [{name = "EVIL", cause = "x"}]',
         "there is no error 'EVIL'"),
        ('= {value = -5', '= {value = -4', "value -4 is there twice"),
        ('= {value = -5', '= {value = 5', "the others negative"),
        ('FIXED = {bit = 4', 'FIXED = {bit = 1', "bit 1 is there twice"),
        ('FIXED = {bit = 4', 'FIXED = {bit = 32', "bit 32 is not in 0 to 31"),
        ('memobj = {value = 2', 'memobj = {value = 1', "value 1 is there twice"),
        ('{name = "flags", kind = "flags", set = "map"},\n    {name = "data"', '{name = "data"',
         "would need padding; put a reserved field before it"),
        ('{name = "value", kind = "value", type = "u64"}', '{name = "value", kind = "value", '
         'type = "u64"}, {name = "tail", kind = "value", type = "u32"}', "add a reserved field"),
        ('length = "size", max = 32', 'length = "sise", max = 32', "there is no field 'sise'"),
        ('[signals]', '[signal]', "unknown key 'signal'"),
        ('[[syscall]]\nname = "nothing"', '[[call]]\nname = "nothing"', "unknown key 'call'"),
        ('name = "nothing"', 'name = nothing', "correct the TOML"),
    ],
)  # fmt: skip
def test_a_wrong_schema_is_refused_with_its_place(
    tmp_path: Path, old: str, new: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = toy_with(tmp_path, old, new)
    with pytest.raises(SchemaError, match=re.escape(complaint)) as caught:
        load_schema(folder)
    assert re.match(r"\S+\.toml: ", str(caught.value))
    assert main([str(folder), str(tmp_path / "out")]) == 1
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_without_a_schema_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="give the folder of the schema"):
        load_schema(tmp_path)


def test_the_golden_copy_is_up_to_date() -> None:
    difference = golden_difference(load_schema(SCHEMA), SCHEMA)
    assert not difference, f"the ABI changed; if that is meant: {HOW}\n{difference}"


def test_the_golden_copy_shows_a_change(tmp_path: Path) -> None:
    before = golden_text(load_schema(TOY))
    after = golden_text(load_schema(toy_with(tmp_path, "min = -5", "min = -6")))
    changed = [line for line in after.splitlines() if line not in before.splitlines()]
    assert changed == ["  b: i32 min -6"]


def test_generating_again_changes_nothing(tmp_path: Path) -> None:
    schema = load_schema(SCHEMA)
    first = generate(schema, tmp_path)
    assert len(first) > len(schema.syscalls)
    times = {path: path.stat().st_mtime_ns for path in first}
    assert generate(load_schema(SCHEMA), tmp_path) == []
    assert times == {path: path.stat().st_mtime_ns for path in first}


def test_the_page_of_a_call_that_is_no_more_goes(tmp_path: Path) -> None:
    generate(load_schema(TOY), tmp_path / "gen")
    fewer = toy_with(tmp_path, 'name = "nothing"', 'name = "nought"')
    generate(load_schema(fewer), tmp_path / "gen")
    assert not (tmp_path / "gen/man/nothing.2").exists()
    assert (tmp_path / "gen/man/nought.2").exists()


def test_it_is_quick(tmp_path: Path) -> None:
    start = time.process_time()
    generate(load_schema(SCHEMA), tmp_path)
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize("schema", [TOY, SCHEMA], ids=["toy", "kernel"])
def test_the_shared_headers_and_stubs_compile(tmp_path: Path, schema: Path) -> None:
    """On their own, with nothing but stdint.h, and with the layouts that they assert."""
    compiler = shutil.which("clang-19")
    if compiler is None:
        pytest.skip("clang-19 is not installed")
    generate(load_schema(schema), tmp_path)
    for header in (
        "abi/errors.h",
        "abi/types.h",
        "abi/numbers.h",
        "abi/names.h",
        "user/cloister.h",
    ):
        source = tmp_path / "one.c"
        source.write_text(f'#include "{header}"\n#include "{header}"\n')
        subprocess.run(
            [compiler, "-std=gnu23", "-ffreestanding", "-Wall", "-Wextra", "-Werror", "-O2",
             "-mgeneral-regs-only", f"-I{tmp_path}", "-c", str(source), "-o", "/dev/null"],
            check=True,
            timeout=60,
        )  # fmt: skip


def test_a_stub_is_one_instruction_with_its_registers(tmp_path: Path) -> None:
    compiler = shutil.which("clang-19")
    if compiler is None:
        pytest.skip("clang-19 is not installed")
    generate(load_schema(TOY), tmp_path)
    source = tmp_path / "one.c"
    source.write_text('#include "user/cloister.h"\nstatus_t f(void) { return nothing(); }\n')
    done = subprocess.run(
        [compiler, "-std=gnu23", "-O2", "-fomit-frame-pointer", f"-I{tmp_path}", "-S", "-o", "-",
         str(source)],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    body = done.stdout.split("f:")[1].split(".Lfunc_end")[0]
    code = [line.split("#")[0].split() for line in body.splitlines() if line.startswith("\t")]
    names = [words[0] for words in code if words and not words[0].startswith(".")]
    assert names == ["xorl", "syscall", "retq"]


def test_the_python_constants(tmp_path: Path) -> None:
    generate(load_schema(TOY), tmp_path)
    spec = importlib.util.spec_from_file_location("toy_abi", tmp_path / "python" / "abi.py")
    assert spec is not None and spec.loader is not None
    abi = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(abi)
    assert abi.ERRORS["BAD_POINTER"] == -9
    assert abi.RIGHTS["WRITE"] == 4
    assert abi.STRUCT_SIZES == {"request": 24, "answer": 8}
    assert [call.name for call in abi.SYSCALLS][:2] == ["nothing", "values"]
    assert [arg.kind for arg in abi.SYSCALLS[4].args][:3] == ["handle", "in_struct", "out_struct"]


@pytest.mark.parametrize(
    ("number", "args", "status", "text"),
    [
        (0, (), 0, "nothing() = OK"),
        (1, (4, (1 << 64) - 3, 1, 1, 2, 0), -8,
         "values(a=4, b=-3, c=1, clock=REALTIME, level=LOW, when=POLL) = OUT_OF_RANGE"),
        (2, (0x13, 0, 0x84, 2), None,
         "bits(flags=READ|WRITE|FIXED, some=0x0, rights=WRITE|0x80, same=READ) = …"),
        (5, (1,), (1 << 64) - 1, "5?(0x1) = BAD_SYSCALL"),
    ],
)  # fmt: skip
def test_the_trace_in_words(
    number: int, args: tuple[int, ...], status: int | None, text: str
) -> None:
    assert decode(load_schema(TOY), number, args, status) == text


def test_the_trace_ring_in_words() -> None:
    schema = load_schema(SCHEMA)
    entry = ENTRY.pack(1500, 12, 1, 0, 77, 10) + ENTRY.pack(1600, 0, 4, 1, 42, 14)
    assert ring_lines(schema, entry + b"half") == [
        "           1500 ns cpu 0 thread 12: object kill koid=77 type=event",
        "           1600 ns cpu 1 thread 0: crash process koid=42 exception=14",
    ]
    line = "trace 1500 ns: cpu 0 thread 12 kind 1 4d a"
    assert line_text(schema, line) == (
        "trace 1500 ns: cpu 0 thread 12 object kill koid=77 type=event"
    )
    assert line_text(schema, "kind of you") == "kind of you"


def test_every_call_has_a_page_and_a_place_in_the_index(tmp_path: Path) -> None:
    schema = load_schema(SCHEMA)
    generate(schema, tmp_path)
    index = (tmp_path / "docs" / "abi.md").read_text()
    for call in schema.syscalls:
        page = (tmp_path / "man" / f"{call.name}.2").read_text()
        assert page.startswith(f".TH {call.name.upper()} 2")
        assert f"## {call.name}\n" in index
