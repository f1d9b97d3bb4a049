"""All outputs of the generator and where they go below the output folder."""

from pathlib import Path

from . import constants, headers, kernel, man, sweep, user
from .emit import write_if_changed
from .schema import Schema


def outputs(schema: Schema) -> dict[str, str]:
    """The text of every generated file, by its path in the output folder."""
    texts = {
        "abi/errors.h": headers.errors_h(schema),
        "abi/types.h": headers.types_h(schema),
        "abi/numbers.h": headers.numbers_h(schema),
        "abi/names.h": headers.names_h(schema),
        "kernel/handlers.h": kernel.handlers_h(schema),
        "kernel/dispatch.c": kernel.dispatch_c(schema),
        "kernel/objects.c": kernel.objects_c(schema),
        "user/cloister.h": user.cloister_h(schema),
        "python/abi.py": constants.constants_py(schema),
        "tests/sweep_table.h": sweep.sweep_table_h(schema),
        "docs/abi.md": man.man_index(schema),
    }
    for call in schema.syscalls:
        texts[f"man/{call.name}.2"] = man.man_page(schema, call)
    return texts


def generate(schema: Schema, folder: Path) -> list[Path]:
    """Write all outputs below `folder`, remove the pages of calls that are no more.

    Returns the files that changed.
    """
    texts = outputs(schema)
    changed = [
        folder / name for name, text in texts.items() if write_if_changed(folder / name, text)
    ]
    for page in (folder / "man").glob("*.2"):
        if f"man/{page.name}" not in texts:
            page.unlink()
            changed.append(page)
    return changed
