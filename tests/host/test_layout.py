"""What the kernel's assembly knows of C is what the compiler says."""

import re
import subprocess
from pathlib import Path

from pybuild import layout
from pybuild.paths import ROOT


def test_assembly_has_the_compilers_offsets_and_constants(tmp_path: Path) -> None:
    lines = [f'#include "{header}"' for header in layout.HEADERS]
    for name, value in re.findall(r"^\.set (\S+), (-?\d+)$", layout.OUT.read_text(), re.MULTILINE):
        struct, dot, member = name.partition(".")
        known = struct
        if dot:
            is_size = member == "size"
            known = (
                f"sizeof(struct {struct})" if is_size else f"offsetof(struct {struct}, {member})"
            )
        lines.append(f'static_assert((long){known} == {value}, "{name}");')
    assert len(lines) > 30
    source = tmp_path / "check.c"
    source.write_text("\n".join(lines) + "\n")
    command = [
        *layout.probe_command()[: layout.probe_command().index("-MMD")],
        "-fsyntax-only",
        str(source),
    ]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
