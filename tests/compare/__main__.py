"""`.venv/bin/python tests/compare [--list] [SUBJECT[/NAME] …]`: runs both sides.

Shows what differs. With --list, differences.toml is brought up to date: what is equal leaves it,
what is not gets the reason "not there yet", to be said more exactly by hand.
"""

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent.parent))

from compare_entries import differences_known, differences_write
from compare_run import all_subjects, diffs_of, entries_named

UNSAID = "not there yet"


def show(diffs: dict[str, str], known: dict[str, str]) -> None:
    """Says what differs, and what is equal against the list."""
    for name, diff in diffs.items():
        if diff:
            print(f"=== {name} ({known.get(name, 'unknown')})\n{diff}\n", flush=True)
        elif name in known:
            print(f"=== {name} is equal now ({known[name]})\n", flush=True)


def main() -> int:
    """0 when everything is equal or known."""
    parser = argparse.ArgumentParser(prog="compare")
    parser.add_argument("--list", action="store_true", dest="is_listing")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    known = differences_known()
    diffs: dict[str, str] = {}
    for word in arguments.names or all_subjects():
        found = diffs_of(entries_named(word))
        show(found, known)
        diffs |= found
    differing = [name for name, diff in diffs.items() if diff]
    print(f"{len(diffs)} entries, {len(differing)} differ")
    if arguments.is_listing:
        kept = {name: reason for name, reason in known.items() if diffs.get(name, "kept")}
        differences_write({**{name: UNSAID for name in differing}, **kept})
    return 0 if all(name in known for name in differing) else 1


if __name__ == "__main__":
    sys.exit(main())
