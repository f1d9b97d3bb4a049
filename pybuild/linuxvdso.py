"""The vDSO of Linux containers: compiles userland/vdso, gives its bytes as C for the personality.

What programs see is one page: an ELF shared object without relocations. Where the personality has
to write the parameters of the clock is a symbol of it.
"""

import sys
from io import BytesIO
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection

from pybuild import toolchain
from pybuild.paths import BUILD, ROOT, relative

FOLDER = ROOT / "userland" / "vdso"
SOURCE = FOLDER / "vdso.c"
SCRIPT = FOLDER / "vdso.ld"
OUT = BUILD / "obj" / "vdso"
PAGE_BYTES = 4096
NOTICE = "// Generated from userland/vdso by pybuild.linuxvdso.\n"
COMPILE = [
    "--target=x86_64-unknown-none-elf",
    "-std=gnu23",
    "-O2",
    "-fPIC",
    "-ffreestanding",
    "-fno-stack-protector",
    "-fno-asynchronous-unwind-tables",
    "-fno-jump-tables",
    "-mgeneral-regs-only",
    "-fomit-frame-pointer",
    "-Wall",
    "-Wextra",
    "-Werror",
]
LINK = [
    "-shared",
    "-soname=linux-vdso.so.1",
    "--hash-style=both",
    "--build-id=none",
    "-z",
    "noexecstack",
    "-z",
    "max-page-size=4096",
    "-z",
    "norelro",
    "-Bsymbolic",
    "--no-undefined",
]


def build() -> bytes:
    """Compile and link; return the shared object."""
    OUT.mkdir(parents=True, exist_ok=True)
    zig = str(toolchain.zig_root() / "zig")
    obj, shared = OUT / "vdso.o", OUT / "vdso.so"
    toolchain.run_tool([zig, "clang", *COMPILE, "-c", relative(SOURCE), "-o", relative(obj)])
    script = relative(SCRIPT)
    toolchain.run_tool([zig, "ld.lld", *LINK, "-T", script, "-o", relative(shared), relative(obj)])
    return shared.read_bytes()


def check(image: bytes) -> int:
    """Return where the clock's parameters are; BuildError for what could not be mapped as it is."""
    elf = ELFFile(BytesIO(image))
    loads = [s for s in elf.iter_segments() if s["p_type"] == "PT_LOAD"]
    if len(loads) != 1 or loads[0]["p_memsz"] > PAGE_BYTES or loads[0]["p_offset"] != 0:
        raise toolchain.BuildError("the vDSO is not one page")
    if any(isinstance(section, RelocationSection) for section in elf.iter_sections()):
        raise toolchain.BuildError("the vDSO has relocations")
    section = elf.get_section_by_name(".clock")
    if section is None:
        raise toolchain.BuildError("the vDSO has no clock")
    return int(section["sh_addr"])


def without_sections(image: bytes) -> bytes:
    """Return the image with a header that names no sections: only segments are mapped."""
    header = bytearray(image[:64])
    header[40:48] = bytes(8)  # e_shoff
    header[60:64] = bytes(4)  # e_shnum, e_shstrndx
    return bytes(header) + image[64:]


def source(image: bytes) -> str:
    """Return C with the page's bytes up to its last one, and the offset of the clock."""
    clock = check(image)
    size = ELFFile(BytesIO(image)).get_segment(0)["p_filesz"]
    image = without_sections(image)
    rows = [
        "    " + ", ".join(f"{byte:#04x}" for byte in image[at : min(at + 16, size)]) + ","
        for at in range(0, size, 16)
    ]
    lines = [NOTICE, '#include "linux/vdso.h"', "", f"const u32 vdso_clock_offset = {clock};"]
    lines += [f"const u32 vdso_bytes = {size};", "const u8 vdso_image[] = {", *rows, "};"]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Entry of the command line: OUTPUT.c; returns its exit status."""
    if len(arguments) != 1:
        print("usage: python -m pybuild.linuxvdso OUTPUT.c", file=sys.stderr)
        return 2
    out = Path(arguments[0])
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        out.write_text(source(build()))
    except toolchain.BuildError as error:
        print(f"linuxvdso: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
