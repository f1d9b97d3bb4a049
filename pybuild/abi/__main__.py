"""Generate everything that knows the ABI from the schema."""

import argparse
import sys
from pathlib import Path

from .generate import generate
from .golden import GOLDEN_FILE, HOW, golden_difference, golden_text
from .parse import load_schema
from .schema import SchemaError


def main(arguments: list[str]) -> int:
    """Returns the exit status: 0; 1 for a schema that is wrong or unlike its golden copy."""
    parser = argparse.ArgumentParser(prog="python -m pybuild.abi", description=__doc__)
    parser.add_argument("schema", type=Path, help="folder of the schema, kernel/abi")
    parser.add_argument("out", type=Path, help="folder for the generated files, build/gen")
    parser.add_argument("--check-golden", action="store_true", help="compare with the golden copy")
    parser.add_argument("--write-golden", action="store_true", help="write the golden copy")
    options = parser.parse_args(arguments)
    try:
        schema = load_schema(options.schema)
    except SchemaError as problem:
        print(f"abi: {problem}", file=sys.stderr)
        return 1
    generate(schema, options.out)
    if options.write_golden:
        (options.schema / GOLDEN_FILE).write_text(golden_text(schema), encoding="utf-8")
    difference = golden_difference(schema, options.schema) if options.check_golden else ""
    if difference:
        print(f"{difference}\nabi: the ABI changed; if that is meant: {HOW}", file=sys.stderr)
    return 1 if difference else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
