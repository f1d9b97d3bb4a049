"""What reading the schema is made of: complaints with their place, and checked look-ups."""

import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .schema import Kind, SchemaError

# Names that the generated C can't use as they are.
C_KEYWORDS = frozenset(
    re.findall(
        r"\w+",
        "auto break case char const continue default do double else enum extern float for goto if "
        "inline int long register restrict return short signed sizeof static struct switch typedef "
        "union unsigned void volatile while bool true false nullptr typeof linux unix",
    )
)

Table = dict[str, Any]


@dataclass(frozen=True)
class Where:
    """The place that a complaint is about."""

    file: str
    entry: str

    def inside(self, what: str) -> "Where":
        return replace(self, entry=f"{self.entry}: {what}" if self.entry else what)

    def error(self, problem: str) -> SchemaError:
        return SchemaError(f"{self.file}: {self.entry}: {problem}")


def take(table: Table, key: str, kind: type, where: Where, default: Any = None) -> Any:
    """The value of `key`, of type `kind`; `default` when it is missing, and required without."""
    if key not in table:
        if default is None:
            raise where.error(f"'{key}' is missing; add {key} = …")
        return default
    value = table[key]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise where.error(f"'{key}' is {value!r}; write a value of type {kind.__name__}")
    return value


def check_keys(table: Any, allowed: frozenset[str], where: Where) -> None:
    """Refuse keys that nothing reads."""
    if not isinstance(table, dict):
        raise where.error(f"is {table!r}; write a table {{key = value, …}}")
    for key in table:
        if key not in allowed:
            raise where.error(f"unknown key '{key}'; use one of: {', '.join(sorted(allowed))}")


def check_name(name: str, where: Where, pattern: str = r"[a-z][a-z0-9_]*") -> str:
    """Refuse what can't be a C name."""
    if not re.fullmatch(pattern, name) or name in C_KEYWORDS:
        raise where.error(f"'{name}' cannot be a name here; use {pattern}, no C keyword")
    return name


def check_unique(values: list[Any], what: str, where: Where) -> None:
    """Refuse a value that is there twice."""
    seen: set[Any] = set()
    for value in values:
        if value in seen:
            raise where.error(f"{what} {value} is there twice; change or remove one")
        seen.add(value)


def names_of(table: Table, key: str, where: Where, default: tuple[str, ...]) -> tuple[str, ...]:
    """A name or a list of names."""
    value = table.get(key, list(default))
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise where.error(f"'{key}' is {value!r}; write a name or a list of names")
    check_unique(value, f"'{key}'", where)
    return tuple(value)


def parse_kind(table: Table, allowed: dict[Kind, frozenset[str]], where: Where) -> Kind:
    """The kind, one of those that are allowed here."""
    name = take(table, "kind", str, where)
    for kind in allowed:
        if kind.value == name:
            return kind
    kinds = ", ".join(kind.value for kind in allowed)
    raise where.error(f"there is no kind '{name}' here; use one of: {kinds}")


def load_file(path: Path, label: str) -> Table:
    """The TOML in `path`."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise SchemaError(f"{label}: {problem}; correct the TOML") from problem
