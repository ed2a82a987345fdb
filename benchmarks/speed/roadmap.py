"""Ways to read control points faster that the roadmap of 1.x named, each against its plain form.

What is measured is the median over rounds of the quotient within a round, for a forward pass and
for a training step, eager and compiled: a row each in `results/roadmap.csv`. Nothing is timed that
has not been verified.
"""

from __future__ import annotations

import argparse
import itertools

import torch
from tqdm import tqdm

from kanditioned_spec.costs import Sizes

from ..results import FOLDER, Table, row
from . import verify
from .cases import Case
from .competitors import OURS
from .step import Step
from .steps import build
from .timing import CLOCKS, Timing, quotient, rounds, warm_up

PLAIN = {
    "torch presorted": "torch embedding",
    "torch strided": "torch embedding",
    "torch sorted": "torch embedding_bag",
    "torch interleaved": "torch embedding_bag",
    "torch embedding_bag feature-major": "torch embedding_bag",
}
"""What each variant is compared with: the same but for that."""
SHAPES = {
    "cpu": (Sizes(256, 64, 64, 8), Sizes(1024, 256, 256, 32), Sizes(4096, 128, 128, 16)),
    "cuda": (Sizes(8192, 256, 256, 32), Sizes(8192, 1024, 1024, 64), Sizes(65536, 64, 64, 128)),
}


def run(given: argparse.Namespace) -> int:
    """Measure everything that is not in the file; return 0."""
    key = (*Sizes._fields, "mode", "execution", "variant", "device", "threads", "clock")
    table = Table(FOLDER / "roadmap.csv", key)
    shapes = [Sizes(*sizes) for sizes in given.shape] or SHAPES[given.device]
    for shape, mode, compiled in tqdm(list(itertools.product(shapes, given.mode, (False, True)))):
        execution = "compiled" if compiled else "eager"
        measurement = row(shape, mode, given.device, given, execution=execution)
        if all({**measurement, "variant": name} in table for name in PLAIN):
            continue
        timings = measure(Case(shape, mode, device=given.device), compiled, given)
        for variant, plain in PLAIN.items():
            figures = {"quotient": round(quotient(timings[variant], timings[plain]), 3)}
            figures["plain_ms"] = round(timings[plain].percentile(50) * 1e3, 4)
            table.append({**measurement, "variant": variant, "plain": plain, **figures})
    return 0


def measure(case: Case, compiled: bool, given: argparse.Namespace) -> dict[str, Timing]:
    """Return the timings of all variants and plain forms, in turns."""
    torch.compiler.reset()
    steps: dict[str, Step] = {}
    for competitor in OURS:
        if competitor.name in {*PLAIN, *PLAIN.values()} and competitor.compiled == compiled:
            step = build(competitor, case, given.competitors)
            warm_up(step)
            verify.demand(step, competitor, case)
            steps[competitor.name] = step
    timings = {name: Timing(0.0, []) for name in steps}
    list(rounds(steps, timings, given.rounds, given.seconds, CLOCKS[given.clock]))
    return timings
