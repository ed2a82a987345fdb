"""The command: `python -m benchmarks VERB`."""

from __future__ import annotations

import argparse
import importlib
import os
from pathlib import Path

from .environments import DEFAULT_FOLDER


def main() -> int:
    """Parse the command line, set the number of threads, and run a verb."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--competitors", type=Path, default=DEFAULT_FOLDER, metavar="FOLDER")
    shared.add_argument("--threads", type=int, default=os.cpu_count())
    shared.add_argument("--rounds", type=int, default=15)
    shared.add_argument("--seconds", type=float, default=20.0, help="time per case, roughly")
    verbs = parser.add_subparsers(dest="verb", required=True)
    compare = verbs.add_parser("compare", parents=[shared], help="against release 1.0.3, on a CPU")
    compare.add_argument("--native", action="store_true", help="with native kernels")
    given = parser.parse_args()
    _use_threads(given.threads)
    from . import compare as comparison

    if not given.native:
        comparison.without_native_kernels()
    return comparison.run(given)


def _use_threads(count: int) -> None:
    import torch

    torch.set_num_threads(count)


if __name__ == "__main__":
    raise SystemExit(main())
