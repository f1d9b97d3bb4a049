"""The generated decoding, compiled for the host with fake services: order of checks, references.

The toy schema has every kind of argument; services.c says what handles and memory there are. The
table of the sweep is tried here too, for the toy and for the real schema: the decoding and the
model that the table comes from are written apart.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from pybuild.abi.generate import generate
from pybuild.abi.kernel import prototype
from pybuild.abi.parse import load_schema
from pybuild.abi.schema import HANDLE_KINDS, POINTER_KINDS, U64_MAX, Kind, Schema, Syscall
from pybuild.abi.sweep import Spoiled, call_cases, good_values, struct_bytes

HERE = Path(__file__).resolve().parent / "abi"
KERNEL = HERE.parents[2] / "kernel"
MEMORY = 0x7F8000010000
READ_ONLY = MEMORY + 2 * 4096
UNMAPPED = MEMORY + 3 * 4096
KERNEL_ADDRESS = 0xFFFF_8000_0000_0000
DEAD_HANDLE = 0x4000_0000

BAD_HANDLE, WRONG_TYPE, ACCESS_DENIED, DEAD = -2, -3, -4, -5
INVALID, RANGE, POINTER, TOO_BIG = -7, -8, -9, -20

COMPILER = shutil.which("clang-19")


def h(object_type: int, rights: int) -> int:
    """A handle of services.c; of the toy's types 1 is event, 2 memobj, 3 thread."""
    return 0x8000_0000 | object_type << 20 | rights


def compile_program(schema: Schema, handlers: Path, folder: Path) -> Path:
    """services.c with the decoding of a schema and these handlers, under ASan and UBSan."""
    if COMPILER is None:
        pytest.skip("clang-19 is not installed")
    generate(schema, folder / "gen")
    out = folder / "dispatch"
    subprocess.run(
        [
            COMPILER, "-std=gnu23", "-g", "-O1", "-Wall", "-Wextra", "-Werror",
            "-Wno-unused-parameter", "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
            f"-I{HERE / 'fake'}", f"-I{KERNEL}", f"-I{folder / 'gen'}", str(HERE / "services.c"),
            str(handlers), str(folder / "gen/kernel/dispatch.c"), "-o", str(out),
        ],
        check=True,
        timeout=120,
    )  # fmt: skip
    return out


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy's decoding with handlers that print what they got."""
    folder = tmp_path_factory.mktemp("abi")
    return compile_program(load_schema(HERE / "toy"), HERE / "toy_handlers.c", folder)


def run(program: Path, *lines: str) -> list[str]:
    """What the program says to these lines, one line each."""
    done = subprocess.run(
        [program], input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stderr
    assert "LEAK" not in done.stdout, done.stdout
    return done.stdout.splitlines()


def call(number: int, *args: int) -> str:
    return " ".join([str(number), *(hex(arg & (1 << 64) - 1) for arg in args)])


def status(line: str) -> int:
    return int(line.split(" = ")[1].split()[0])


def test_no_arguments(program: Path) -> None:
    assert run(program, call(0)) == ["0: nothing() = 0 0 0 0"]


@pytest.mark.parametrize("number", [5, 10, 1 << 40])
def test_unknown_number(program: Path, number: int) -> None:
    assert status(run(program, call(number))[0]) == -1


def test_values_reach_the_handler_and_outs_come_back(program: Path) -> None:
    line = run(program, call(1, 4, -3, 4096, 1, 8, 9))[0]
    assert line == "1: values(4,-3,4096,1,8,9) = 0 11 22 -33"


def test_outs_of_a_failed_call_stay_zero(program: Path) -> None:
    line = run(program, "status -5", call(1, 4, 0, 0, 0, 2, 0))[0]
    assert line.endswith(" = -5 0 0 0")


GOOD_VALUES = (4, 0, 0, 0, 2, 0)


@pytest.mark.parametrize(
    ("index", "value", "error"),
    [
        (0, 1 << 32 | 4, INVALID), (0, 0, RANGE), (0, 12, RANGE), (0, 5, INVALID),
        (1, 1 << 31, INVALID), (1, -6, RANGE), (1, -5, 0),
        (2, 4097, RANGE), (2, -1, RANGE),
        (3, 2, INVALID), (4, 0, INVALID), (4, 3, INVALID), (4, 8, 0),
        (5, -1, 0),
    ],
)  # fmt: skip
def test_value_limits(program: Path, index: int, value: int, error: int) -> None:
    args = list(GOOD_VALUES)
    args[index] = value
    line = run(program, call(1, *args))[0]
    assert status(line) == error
    assert ("values(" in line) == (error == 0)


def test_values_are_checked_in_the_order_of_arguments(program: Path) -> None:
    assert status(run(program, call(1, 0, 1 << 31, 0, 0, 2))[0]) == RANGE
    assert status(run(program, call(1, 4, 1 << 31, 5000, 0, 2))[0]) == INVALID


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ((0x13, 1, 7, 7), 0), ((8, 0, 0, 0), INVALID), ((1 << 32, 0, 0, 0), INVALID),
        ((0, 2, 0, 0), INVALID), ((0, 0, 8, 0), INVALID), ((0, 0, 1 << 63, 0), INVALID),
        ((0, 0, 0x80000000, 0), INVALID), ((0, 0, 0, 0x80000000), 0),
        ((0, 0, 0, 0x80000001), INVALID),
    ],
)  # fmt: skip
def test_unknown_bits(program: Path, args: tuple[int, ...], error: int) -> None:
    assert status(run(program, call(2, *args))[0]) == error


def test_handles_are_taken_in_order_and_put_in_reverse(program: Path) -> None:
    line = run(program, call(3, h(1, 2), h(3, 0), h(2, 7), h(3, 0), h(2, 1), 0))[0]
    assert line == (
        "3: get(1) get(3) get(2) get(3) get(2) reserve(2) handles(1,3,2/7,3,80200001,0)"
        " new(100,4) fill(101,5/3) put(2) put(3) put(2) put(3) put(1) = 0 100 101 0"
    )


def test_optional_handles_are_null(program: Path) -> None:
    line = run(program, call(3, h(1, 2), 0, h(1, 0), 0, h(2, 1), 0))[0]
    assert line == (
        "3: get(1) get(1) get(2) reserve(2) handles(1,0,1/0,0,80200001,0)"
        " new(100,4) fill(101,5/3) put(2) put(1) put(1) = 0 100 101 0"
    )


def test_places_for_handles_are_set_aside_before_the_handler(program: Path) -> None:
    good = call(3, h(1, 2), 0, h(1, 0), 0, h(2, 1), 0)
    line = run(program, "table -11", good)[0]
    assert line == "3: get(1) get(1) get(2) reserve(2) put(2) put(1) put(1) = -11 0 0 0"
    line = run(program, "status -5", good)[0]
    assert line.endswith(" unreserve(2,100) put(2) put(1) put(1) = -5 0 0 0")


@pytest.mark.parametrize(
    ("index", "value", "flags", "error", "puts"),
    [
        (0, 0, 0, BAD_HANDLE, 0), (0, 1 << 32 | h(1, 2), 0, BAD_HANDLE, 0),
        (0, DEAD_HANDLE, 0, DEAD, 0),
        (0, h(2, 2), 0, WRONG_TYPE, 0), (0, h(1, 0), 0, ACCESS_DENIED, 0),
        (1, h(1, 1), 0, WRONG_TYPE, 1), (1, 1 << 32, 0, BAD_HANDLE, 1),
        (2, h(3, 0), 0, WRONG_TYPE, 2), (2, h(2, 3), 3, ACCESS_DENIED, 2), (2, h(2, 3), 1, 0, 5),
        (2, h(2, 7), 3, 0, 5),
        (3, DEAD_HANDLE, 0, DEAD, 3), (4, h(2, 6), 0, ACCESS_DENIED, 4), (4, 0, 0, BAD_HANDLE, 4),
    ],
)  # fmt: skip
def test_wrong_handles_drop_what_was_taken(
    program: Path, index: int, value: int, flags: int, error: int, puts: int
) -> None:
    args = [h(1, 2), h(3, 0), h(2, 7), h(3, 0), h(2, 1), flags]
    args[index] = value
    line = run(program, call(3, *args))[0]
    assert status(line) == error
    assert line.count("put(") == puts


def test_values_come_before_handles(program: Path) -> None:
    line = run(program, call(3, 0, 0, 0, 0, 0, 1 << 10))[0]
    assert line == f"3: = {INVALID} 0 0 0"


REQUEST = MEMORY + 64
ANSWER = MEMORY + 128


def request(
    size: int = 4, flags: int = 0, data: int = MEMORY, clocks: tuple[int, ...] = (0, 1)
) -> str:
    """A line that puts a request structure into user memory."""
    parts = [(size, 4), (flags, 4), (data, 8), *((clock, 4) for clock in clocks)]
    data_bytes = b"".join(value.to_bytes(width, "little") for value, width in parts)
    return f"poke {REQUEST - MEMORY} " + " ".join(str(byte) for byte in data_bytes)


def test_structures_are_copied_checked_and_answered(program: Path) -> None:
    line = run(program, request(), call(4, h(1, 0), REQUEST, ANSWER, MEMORY, 100))[0]
    assert line == (
        f"4: get(1) in({REQUEST:x},24) probe({ANSWER:x},8) probe({MEMORY:x},100)"
        f" memory(1,4,0,{MEMORY:x}/100) out({ANSWER:x},8) put(1) = 0 0 0 0"
    )


def test_nothing_is_copied_out_of_a_failed_call(program: Path) -> None:
    line = run(program, "status -3", request(), call(4, h(1, 0), REQUEST, ANSWER, MEMORY, 100))[0]
    assert "out(" not in line and status(line) == WRONG_TYPE


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"size": 65}, RANGE), ({"size": 40}, TOO_BIG), ({"flags": 4}, INVALID),
        ({"data": KERNEL_ADDRESS}, POINTER), ({"data": 0x7FFFFFFFEFFF}, POINTER),
        ({"clocks": (0, 2)}, INVALID), ({"size": 65, "flags": 4}, RANGE),
        ({"flags": 4, "data": KERNEL_ADDRESS}, INVALID),
    ],
)  # fmt: skip
def test_fields_are_checked_in_order(program: Path, fields: dict[str, int], error: int) -> None:
    line = run(program, request(**fields), call(4, h(1, 0), REQUEST, ANSWER, MEMORY, 1))[0]  # type: ignore[arg-type]
    assert status(line) == error
    assert "memory(" not in line and "probe(" not in line and "put(1)" in line


@pytest.mark.parametrize(
    ("args", "error", "steps"),
    [
        # Lengths before ranges, ranges before handles, handles before copies, copies before probes.
        ((0, KERNEL_ADDRESS, 0, 0, 5000), TOO_BIG, ""),
        ((0, KERNEL_ADDRESS, 0, 0, 1), POINTER, ""),
        ((0, REQUEST, ANSWER, 0x7FFFFFFFEFFF, 2), POINTER, ""),
        ((h(2, 0), UNMAPPED, UNMAPPED, UNMAPPED, 1), WRONG_TYPE, "get"),
        ((h(1, 0), UNMAPPED, UNMAPPED, UNMAPPED, 1), POINTER, "get in put"),
        ((h(1, 0), READ_ONLY - 8, ANSWER, READ_ONLY, 1), POINTER, "get in probe probe put"),
        ((h(1, 0), REQUEST, READ_ONLY - 4, MEMORY, 1), POINTER, "get in probe put"),
        ((h(1, 0), REQUEST, READ_ONLY, MEMORY, 1), POINTER, "get in probe put"),
        ((h(1, 0), REQUEST, ANSWER, READ_ONLY - 1, 2), POINTER, "get in probe probe put"),
    ],
)  # fmt: skip
def test_order_of_memory_checks(
    program: Path, args: tuple[int, ...], error: int, steps: str
) -> None:
    line = run(program, request(), call(4, *args))[0]
    assert status(line) == error
    taken = [step.split("(")[0] for step in line.split(" = ")[0].split()[1:]]
    assert taken == steps.split()


def test_names_and_optional_structures(program: Path) -> None:
    line = run(program, call(6, MEMORY, 5, 0, 0, MEMORY, 16))[0]
    assert line == f"6: name({MEMORY:x},5) text(5,none,none,{MEMORY:x}/16) = 0 0 0 0"
    line = run(program, request(), call(6, MEMORY, 5, REQUEST, ANSWER, MEMORY, 16))[0]
    assert "text(5,request,answer" in line and "out(" in line
    assert status(run(program, call(6, MEMORY, 256, 0, 0, MEMORY, 16))[0]) == TOO_BIG
    assert status(run(program, call(6, MEMORY, 5, 0, 0, MEMORY, 17))[0]) == TOO_BIG
    assert status(run(program, call(6, UNMAPPED, 5, 0, 0, MEMORY, 16))[0]) == POINTER


PROCESS = MEMORY


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ((PROCESS, 0, MEMORY, 1), 0), ((PROCESS, 0x1000, 0x1000, 1), 0),
        ((0, 0, 0, 0), POINTER), ((0x7FFFFFFFF000, 0, 0, 0), POINTER),
        ((PROCESS + 4, 0, 0, 0), INVALID), ((0x7F7FFFFFFFF8, 0, 0, 0), POINTER),
        ((PROCESS, 0xFFF, 0, 0), POINTER), ((PROCESS, PROCESS, 0, 0), POINTER),
        ((PROCESS, 0x7F7FFFFFFFFF, 0, 0), 0),
        ((PROCESS, 0, 0x7FFFFFFFEFFF, 2), POINTER), ((PROCESS, 0, -1, -1), POINTER),
        ((PROCESS, 0, 1, -1), POINTER), ((PROCESS, 0, 1 << 63, 1), POINTER),
    ],
)  # fmt: skip
def test_addresses(program: Path, args: tuple[int, ...], error: int) -> None:
    assert status(run(program, call(7, *args))[0]) == error


def test_a_call_that_never_returns(program: Path) -> None:
    assert run(program, call(8, h(3, 0))) == ["8: get(3) leave(3) gone"]
    assert status(run(program, call(8, h(1, 0)))[0]) == WRONG_TYPE


def test_raw_calls_get_everything_undecoded(program: Path) -> None:
    assert run(program, call(9, KERNEL_ADDRESS)) == [f"9: entry({KERNEL_ADDRESS:x}) = 0 0 0 0"]


def handlers_that_print(schema: Schema) -> str:
    """C source of handlers that only say that they ran."""
    lines = ["#include <stdio.h>", "#include <stdlib.h>", '#include "kernel/handlers.h"']
    for entry in schema.syscalls:
        text = " ".join(line.strip() for line in prototype(schema, entry))
        end = "exit(1);" if text.startswith("[[noreturn]]") else ""
        end = "return OK;" if text.startswith("status_t") else end
        lines.append(f'{text.rstrip(";")} {{ printf(" handler"); {end} }}')
    return "\n".join([*lines, ""])


def slot(index: int) -> int:
    """Where the memory of an argument is, in bytes from MEMORY."""
    return 1024 * index


def spoiled_call(schema: Schema, entry: Syscall, case: Spoiled) -> list[str]:
    """Lines that put good contents into memory, and call with all but one argument good."""
    lines = []
    args = good_values(schema, entry)
    for arg in entry.args:
        if arg.kind in HANDLE_KINDS:
            types = schema.object_mask(arg.objects)
            args[arg.index] = h((types & -types).bit_length() - 1, schema.rights.mask)
        elif arg.kind in POINTER_KINDS or (arg.kind is Kind.ADDRESS and arg.space != "linux"):
            args[arg.index] = MEMORY + slot(arg.index)
        if arg.kind is Kind.IN_STRUCT and arg.struct is not None:
            content = bytearray(struct_bytes(schema, schema.struct(arg.struct)))
            if case.how == "FIELD" and case.arg == arg.index:
                end = case.offset + case.width
                content[case.offset : end] = case.value.to_bytes(case.width, "little")
            lines.append(f"poke {slot(arg.index)} {' '.join(str(byte) for byte in content)}")
    if case.how == "SET":
        args[case.arg] = case.value
    elif case.how == "ADD":
        args[case.arg] += case.value
    elif case.how == "RIGHT":
        args[case.arg] &= ~case.value
        if case.flags:
            args[case.other] = case.flags
    return [*lines, call(entry.number, *(arg & U64_MAX for arg in args))]


@pytest.mark.parametrize("folder", [HERE / "toy", KERNEL / "abi"], ids=["toy", "kernel"])
def test_the_decoding_agrees_with_the_model_of_the_sweep(tmp_path: Path, folder: Path) -> None:
    schema = load_schema(folder)
    handlers = tmp_path / "handlers.c"
    handlers.write_text(handlers_that_print(schema))
    program = compile_program(schema, handlers, tmp_path)
    errors = {error.name: error.value for error in schema.errors}
    cases = [
        (entry, case)
        for entry in schema.syscalls
        if not entry.raw
        for case in call_cases(schema, entry)
    ]
    assert len(cases) > 100
    lines = run(program, *(line for case in cases for line in spoiled_call(schema, *case)))
    assert len(lines) == len(cases)
    for (entry, case), line in zip(cases, lines, strict=True):
        assert status(line) == errors[case.error], f"{entry.name} {case}: {line}"
        assert "handler" not in line, f"{entry.name} {case}: {line}"
