"""The command: `python -m benchmarks VERB`."""

from __future__ import annotations

import argparse
import importlib
import os
from pathlib import Path

import torch

from .machine import check_device
from .speed.cases import MODES, PRECISIONS, SWEEPS
from .speed.environments import DEFAULT_FOLDER, install
from .speed.timing import CLOCKS


def main() -> int:
    """Parse the command line, set the number of threads, and run a verb."""
    parser = _parser()
    given = parser.parse_args()
    check_device(parser, getattr(given, "device", "cpu"))
    if given.verb == "install":
        install(given.competitors)
        return 0
    torch.set_num_threads(given.threads)
    os.environ["PJRT_NPROC"] = str(given.threads)  # of JAX, which is not imported yet
    module = "run" if given.verb == "verify" else given.verb
    status: int = importlib.import_module(f".speed.{module}", __package__).run(given)
    return status


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--competitors", type=Path, default=DEFAULT_FOLDER, metavar="FOLDER")
    shared.add_argument("--threads", type=int, default=os.cpu_count())
    shared.add_argument("--rounds", type=int, default=15)
    shared.add_argument("--seconds", type=float, default=20.0, help="time per case, roughly")
    shared.add_argument("--clock", choices=sorted(CLOCKS), default="wall")
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("install", parents=[shared], help="fetch the competitors that are on PyPI")
    compare = verbs.add_parser("compare", parents=[shared], help="against release 1.0.3, on a CPU")
    compare.add_argument("--native", action="store_true", help="with native kernels")
    compare.add_argument("--shape", nargs=4, type=int, action="append", default=[])
    auto = verbs.add_parser("auto", parents=[shared], help="the choice of auto against the best")
    auto.add_argument("--framework", choices=("torch", "jax"), default="torch")
    auto.add_argument("--compiled", action="store_true", help="under torch.compile")
    auto.add_argument("--native", action="store_true", help="with native kernels")
    auto.add_argument("--device", choices=("cpu", "cuda"), default=_best_device())
    auto.add_argument("--mode", nargs="+", choices=MODES[:2], default=list(MODES[:2]))
    auto.add_argument("--shape", nargs=4, type=int, action="append", default=[])
    auto.add_argument("--random", type=int, default=20, help="number of random shapes")
    auto.add_argument("--seed", type=int, default=1, help="of the random shapes")
    roadmap = verbs.add_parser("roadmap", parents=[shared], help="variants, each to its plain form")
    roadmap.add_argument("--device", choices=("cpu", "cuda"), default=_best_device())
    roadmap.add_argument("--mode", nargs="+", choices=MODES[:2], default=list(MODES[:2]))
    roadmap.add_argument("--shape", nargs=4, type=int, action="append", default=[])
    for verb, purpose in (("verify", "correctness only"), ("run", "correctness, then speed")):
        measured = verbs.add_parser(verb, parents=[shared], help=purpose)
        measured.add_argument("--device", choices=("cpu", "cuda"), default=_best_device())
        measured.add_argument("--mode", nargs="+", choices=MODES, default=["inference", "train"])
        measured.add_argument("--precision", nargs="+", choices=PRECISIONS, default=["highest"])
        measured.add_argument("--sweep", nargs="+", choices=sorted(SWEEPS), default=[])
        measured.add_argument("--shape", nargs=4, type=int, action="append", default=[])
        measured.add_argument("--random", type=int, default=0, help="number of random shapes")
        measured.add_argument("--seed", type=int, default=1, help="of the random shapes")
        measured.add_argument("--only", nargs="+", help="words in the names of competitors")
        measured.add_argument("--eager", action="store_true", help="leave out torch.compile")
        measured.add_argument("--memory", action="store_true", help="measure peak memory as well")
        measured.add_argument("--again", action="store_true", help="rows that exist as well")
    deployment = verbs.add_parser("deployment", parents=[shared], help="ways to serve a network")
    deployment.add_argument("--again", action="store_true", help="rows that exist as well")
    verbs.add_parser("report", parents=[shared], help="tables and plots from the results")
    return parser


def _best_device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


if __name__ == "__main__":
    raise SystemExit(main())
