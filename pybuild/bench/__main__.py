"""`python -m pybuild.bench [-k EXPRESSION]`: what `./cloister bench` runs after a build."""

import argparse
import sys

from pybuild.bench.run import bench
from pybuild.bench.tools import BenchError


def main() -> int:
    """The exit status: 0 all measured, 1 something was not, 2 the command line is wrong."""
    parser = argparse.ArgumentParser(prog="cloister bench", description=bench.__doc__)
    parser.add_argument("-k", dest="expression", help="only metrics that this matches")
    try:
        return bench(parser.parse_args().expression)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
