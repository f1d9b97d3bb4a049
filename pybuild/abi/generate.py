"""All outputs of the generator and where they go below the output folder."""

from pathlib import Path

from . import headers, kernel, user
from .emit import write_if_changed
from .schema import Schema


def outputs(schema: Schema) -> dict[str, str]:
    """The text of every generated file, by its path in the output folder."""
    return {
        "abi/errors.h": headers.errors_h(schema),
        "abi/types.h": headers.types_h(schema),
        "abi/numbers.h": headers.numbers_h(schema),
        "abi/names.h": headers.names_h(schema),
        "kernel/handlers.h": kernel.handlers_h(schema),
        "kernel/dispatch.c": kernel.dispatch_c(schema),
        "user/cloister.h": user.cloister_h(schema),
    }


def generate(schema: Schema, folder: Path) -> list[Path]:
    """Write all outputs below `folder`; returns those that changed."""
    texts = outputs(schema)
    return [folder / name for name, text in texts.items() if write_if_changed(folder / name, text)]
