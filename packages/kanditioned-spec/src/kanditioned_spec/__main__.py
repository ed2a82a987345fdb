"""Print the condition numbers of every parameterization: `python -m kanditioned_spec`."""

from __future__ import annotations

import argparse

from .conditioning import joint_table, penalty_table


def main() -> None:
    """Parse the command line and print both tables."""
    parser = argparse.ArgumentParser(prog="python -m kanditioned_spec", description=__doc__)
    parser.add_argument(
        "--num-control-points", type=int, nargs="+", default=[4, 32, 256, 1024], metavar="K"
    )
    parser.add_argument(
        "--smoothing", type=float, nargs="+", default=[1e-8, 1.0, 1e8], metavar="LAMBDA"
    )
    arguments = parser.parse_args()
    counts = tuple(arguments.num_control_points)
    print(penalty_table(counts))
    for density in ("uniform", "normal"):
        print()
        print(joint_table(counts, tuple(arguments.smoothing), density))


if __name__ == "__main__":
    main()
