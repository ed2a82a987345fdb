"""`auto` against the fastest implementation of its framework: a row each in `results/auto.csv`.

At every listed shape and at random ones, `auto` and every implementation run in turns; what is
measured is the median over rounds of their quotient within a round, and of `REPEATS` such medians
the median. The exit status counts the cases in which `auto` is beyond `MARGIN`.
"""

from __future__ import annotations

import argparse
import itertools
from typing import Any, NamedTuple

import torch
from tqdm import tqdm

from kanditioned_spec.costs import Sizes

from ..results import FOLDER, Table, row
from . import verify
from .cases import SHAPES, Case, random_shapes
from .competitors import OURS, Competitor
from .environments import kernels, without_native_kernels
from .step import Step
from .steps import build
from .timing import CLOCKS, Timing, quotient, rounds, warm_up

NO_CHOICES = ("presorted", "interleaved", "feature-major")
"""What `auto` does not choose from: variants that lose wherever `roadmap` has measured them."""
MARGIN, REPEATS = 1.1, 3
HOPELESS = 3.0
"""Who takes this many times as long as the fastest of the others is timed no further."""


class Verdict(NamedTuple):
    """How `auto` compares.

    Attributes:
        best: The fastest of the others.
        quotient: Time of `auto` over that of `best`.
        auto_ms: Median time of `auto`.
        best_ms: Median time of `best`.
    """

    best: str
    quotient: float
    auto_ms: float
    best_ms: float


def verdict(timings: dict[str, Timing], auto: str) -> Verdict:
    """Compare `auto` with the one of the others that has the smallest median."""
    medians = {label: timing.percentile(50) for label, timing in timings.items()}
    best = min(medians.keys() - {auto}, key=medians.__getitem__)
    return Verdict(
        best, quotient(timings[auto], timings[best]), medians[auto] * 1e3, medians[best] * 1e3
    )


def contenders(given: argparse.Namespace) -> list[Competitor]:
    """Return `auto` and the implementations that it chooses from, `auto` first."""
    native = () if given.native else ("cpu", "triton")
    hidden = {*native, *NO_CHOICES}
    return [
        c
        for c in OURS
        if c.framework == given.framework
        and given.device in c.devices
        and c.compiled == given.compiled
        and c.name.split()[-1] not in hidden
    ]


def compare(case: Case, competitors: list[Competitor], given: argparse.Namespace) -> Verdict:
    """Time all competitors at one case."""
    torch.compiler.reset()
    steps: dict[str, Step] = {}
    for competitor in tqdm(competitors, leave=False, desc=str(tuple(case.shape))):
        steps[competitor.label] = build(competitor, case, given.competitors)
        warm_up(steps[competitor.label])
        verify.demand(steps[competitor.label], competitor, case)
    auto = competitors[0].label
    clock = CLOCKS[given.clock]
    first: dict[str, Timing] = {label: Timing(0.0, []) for label in steps}
    list(rounds(steps, first, 2, 0.0, clock))
    fastest = min(min(timing.seconds) for label, timing in first.items() if label != auto)
    kept = {
        label: step
        for label, step in steps.items()
        if label == auto or min(first[label].seconds) < HOPELESS * fastest
    }
    verdicts = []
    for _ in range(REPEATS):
        timings = {label: Timing(0.0, []) for label in kept}
        list(rounds(kept, timings, given.rounds, given.seconds / REPEATS, clock))
        verdicts.append(verdict(timings, auto))
    return sorted(verdicts, key=lambda v: v.quotient)[REPEATS // 2]


def run(given: argparse.Namespace) -> int:
    """Compare at every shape, print and write a row each; return how often `auto` is beyond."""
    if not given.native:
        without_native_kernels()
    drawn = random_shapes(given.random, given.seed)
    shapes = [*([Sizes(*sizes) for sizes in given.shape] or SHAPES[given.device]), *drawn]
    table = Table(FOLDER / "auto.csv", ())
    competitors = contenders(given)
    found: list[tuple[float, str]] = []
    for shape, mode in tqdm(list(itertools.product(shapes, given.mode)), unit="case"):
        compared = compare(Case(shape, mode, device=given.device), competitors, given)
        kind = "listed" if shape in SHAPES[given.device] else "given"
        seed = str(given.seed) if shape in drawn else ""
        drawn_as = {"shape": "random" if seed else kind, "seed": seed}
        columns = drawn_as | _compare(compared, given)
        table.append(row(shape, mode, given.device, given, **columns))
        found.append((compared.quotient, f"{tuple(shape)} {mode}, best: {compared.best}"))
    for ratio, text in sorted(found, reverse=True):
        print(f"{ratio:5.2f} {text}")
    return sum(ratio > MARGIN for ratio, _ in found)


def _compare(compared: Verdict, given: argparse.Namespace) -> dict[str, Any]:
    return {
        "framework": given.framework,
        "execution": "compiled" if given.compiled or given.framework == "jax" else "eager",
        "kernels": kernels(given.native),
        "quotient": round(compared.quotient, 3),
        "best": compared.best,
        "auto_ms": round(compared.auto_ms, 4),
        "best_ms": round(compared.best_ms, 4),
    }
