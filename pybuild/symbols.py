"""The kernel's table of function names, for back-traces that can be read without tools.

Section .symbols: u32 count, then by address {u32 offset of the function from KERNEL_BASE, u32
offset of its name from the first name}, then the names, zero-ended.
"""

from bisect import bisect_right
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

KERNEL_BASE = 0xFFFFFFFF80000000


def functions(elf: Path) -> list[tuple[int, str]]:
    """(address, name) of all that is named in .text, by address, one name each."""
    with elf.open("rb") as file:
        image = ELFFile(file)
        index, text = image.get_section_index(".text"), image.get_section_by_name(".text")
        table = image.get_section_by_name(".symtab")
        found: dict[int, str] = {}
        if not isinstance(table, SymbolTableSection) or text is None:
            return []
        end = text["sh_addr"] + text["sh_size"]
        for symbol in table.iter_symbols():
            kind, address = symbol["st_info"]["type"], symbol["st_value"]
            if symbol["st_shndx"] != index or not symbol.name or address >= end:
                continue
            if kind == "STT_FUNC" or (kind == "STT_NOTYPE" and address not in found):
                found[address] = symbol.name
    return sorted(found.items())


def table_source(found: list[tuple[int, str]]) -> str:
    """Assembly of the table."""
    lines = [
        "// Generated from the first link; see pybuild/symbols.py.",
        '.section .symbols, "a"',
        ".balign 4",
        f".long {len(found)}",
    ]
    place = 0
    for address, name in found:
        lines.append(f".long {address - KERNEL_BASE:#x}, {place}")
        place += len(name.encode()) + 1
    lines += [f'.asciz "{name}"' for _, name in found]
    return "\n".join(lines) + "\n"


def describe(found: list[tuple[int, str]], address: int) -> str:
    """`name+0x12` of an address; "" when it is before the first function."""
    index = bisect_right(found, (address, "\uffff")) - 1
    return f"{found[index][1]}+{address - found[index][0]:#x}" if index >= 0 else ""
