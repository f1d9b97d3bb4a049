"""`python -m pybuild.abi SCHEMA_DIR OUT_DIR`: generate everything."""

import argparse
import sys
from pathlib import Path

from .generate import generate
from .parse import load_schema
from .schema import SchemaError


def main(arguments: list[str]) -> int:
    """Returns the exit status: 0, 1 for a schema that is wrong."""
    parser = argparse.ArgumentParser(prog="python -m pybuild.abi", description=__doc__)
    parser.add_argument("schema", type=Path, help="folder of the schema, kernel/abi")
    parser.add_argument("out", type=Path, help="folder for the generated files, build/gen")
    options = parser.parse_args(arguments)
    try:
        generate(load_schema(options.schema), options.out)
    except SchemaError as problem:
        print(f"abi: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
