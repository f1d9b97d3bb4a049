"""The checks of our own: what they count and what they refuse."""

from pathlib import Path

import pytest

from pybuild import lint, parts, symbols
from pybuild.paths import KERNEL_ELF


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", 0),
        ("\n\n  \n", 0),
        ("int a;\n\nint b;\n", 2),
        ("// no\nint a; // yes\n/* no\n no */ int b;\n", 2),
        ('const char *s = "// text";\nchar *t = "/*"; int u;\n/* "x" */\n', 2),
        ('x = "\\"//";\n', 1),
    ],
)
def test_lines_of_code_are_without_comments_and_blanks(
    tmp_path: Path, text: str, lines: int
) -> None:
    path = tmp_path / "x.c"
    path.write_text(text)
    assert lint.code_lines(path) == lines


@pytest.mark.parametrize(
    ("layer", "included", "allowed"),
    [
        ("lib", "lib/types.h", True),
        ("lib", "mm/page.h", False),
        ("mm", "arch/arch.h", True),
        ("mm", "arch/x86/cpu.h", False),
        ("object", "arch/x86/cpu.h", False),
        ("object", "drivers/blockdev.h", True),
        ("drivers", "object/namespace.h", False),
        ("drivers", "mm/page.h", True),
        ("check", "object/handle.h", True),
        ("object", "check/check.h", False),
        ("lib", "check/hooks.h", True),
        ("sched", "object/process.h", False),
        ("arch/x86", "arch/x86/cpu.h", True),
        ("arch/x86", "sched/thread.h", True),
        ("lib", "abi/errors.h", True),
        ("init.c", "object/boot.h", True),
    ],
)
def test_includes_point_one_way(layer: str, included: str, allowed: bool) -> None:
    assert (lint.include_problem(layer, included) == "") is allowed


def test_each_variable_is_said_to_be_shared_or_not() -> None:
    page = f"""head, with a `ghost`
{lint.SHARED_TITLE}
| what | variables | why |
|---|---|---|
| a | known koid.last | text |
Constant: boot_only one."""
    assert not list(lint.shared_problems(page, {"k": {"known", "koid.last", "boot_only", "one"}}))
    (problem,) = lint.shared_problems(page, {"k": {"known", "koid.last", "ghost"}})
    assert "`ghost`" in problem
    (problem,) = lint.shared_problems(page, {"k": {"known"}})
    assert "no variable `koid.last`" in problem


def test_variables_are_what_can_be_written_to() -> None:
    found = lint.variables(KERNEL_ELF)
    assert {"run_queues", "koid_new.last", "used_before", "gdt"} <= found
    assert not {"kmain", "object_rights", "used_before.0"} & found


def test_the_kernels_functions_are_named_by_address() -> None:
    found = symbols.functions(KERNEL_ELF)
    addresses = {name: address for address, name in found}
    assert symbols.describe(found, addresses["kmain"]) == "kmain+0x0"
    assert symbols.describe(found, addresses["kmain"] + 5) == "kmain+0x5"
    assert symbols.describe(found, 0) == ""


def test_invariants_are_no_part_of_the_released_kernel() -> None:
    """Neither in its figure nor in its sources, but in the kernel of the tests."""
    core, drivers = lint.ring0_lines()
    assert "check" not in parts.KERNEL_FOLDERS
    assert core < lint.CORE_LINES_MAX and "check" not in drivers
    assert lint.check_lines() > 0
    assert not list(lint.check_released())
    names = {path.name for part in parts.kernels() for path in part.sources}
    debug = next(part for part in parts.kernels() if part.name == "kernel-debug")
    checks = {p.name for p in debug.sources if p.is_relative_to(parts.KERNEL_CHECK)}
    assert {"check.c", "arch_x86.c"} <= checks and "arch_host.c" not in names
    assert b"object_check_all" not in KERNEL_ELF.read_bytes()


def test_a_file_is_of_the_layer_of_its_folder() -> None:
    assert lint.folder_of("arch/x86/include/arch_this.h") == "arch/x86"
    assert lint.folder_of("arch/arch.h") == "arch"
    assert lint.folder_of("object/handle.c") == "object"
