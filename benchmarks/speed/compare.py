"""Our `auto` against the best of release 1.0.3, and against nn.Linear, side by side in one run.

Ours runs with stock operations or, with `--native`, with native kernels, eager and compiled; 1.0.3
as `embedding` and `embedding_bag`, eager and compiled: ratios of medians, best against best. The
multiple of nn.Linear is of eager against eager. The exit status counts the missed targets.
"""

from __future__ import annotations

import argparse
from typing import Any, NamedTuple

import torch
from tqdm import tqdm

from kanditioned_spec.costs import Sizes

from ..results import FOLDER, Table, row
from . import memory, verify
from .cases import Case
from .competitors import FLOORS, OURS, RELEASED, Competitor
from .environments import kernels, without_native_kernels
from .steps import build
from .timing import CLOCKS, Timing, rounds, warm_up

AUTO = tuple(c for c in OURS if c.name == "torch auto")
LINEAR = next(c for c in FLOORS if c.name == "nn.Linear" and not c.compiled)


class Target(NamedTuple):
    """What is aimed at for one shape.

    Attributes:
        train: How many times faster than 1.0.3 the training step is, at least.
        inference: The same of the forward pass.
        train_cost: How many times nn.Linear the training step takes, at most.
        inference_cost: The same of the forward pass.
    """

    train: float = 0.0
    inference: float = 1.0
    train_cost: float = float("inf")
    inference_cost: float = float("inf")


STOCK = {
    Sizes(1024, 256, 256, 32): Target(1.6),
    Sizes(256, 64, 64, 8): Target(3.0),
    Sizes(1024, 64, 64, 32): Target(3.0),
    Sizes(4096, 128, 128, 16): Target(3.0),
    Sizes(64, 784, 64, 8): Target(3.0),
    Sizes(8192, 16, 16, 64): Target(1.0),
}
NATIVE = {
    Sizes(1024, 256, 256, 32): Target(5.0, train_cost=6.0),
    Sizes(256, 64, 64, 8): Target(8.0, train_cost=2.5),
    Sizes(1024, 64, 64, 32): Target(8.0, train_cost=2.5),
    Sizes(4096, 128, 128, 16): Target(8.0, train_cost=5.0),
    Sizes(64, 784, 64, 8): Target(8.0, train_cost=4.5),
    Sizes(8192, 16, 16, 64): Target(8.0, train_cost=5.0),
    Sizes(1, 256, 256, 32): Target(inference_cost=3.0),
}
STOCK_MEMORY = {Sizes(1024, 256, 256, 32): 45.0}
NATIVE_MEMORY = {Sizes(1024, 256, 256, 32): 12.0, Sizes(4096, 128, 128, 16): 12.0}
"""MiB beyond its arguments, with its results, that the training step may take."""


def compare(
    shape: Sizes, mode: str, competitors: tuple[Competitor, ...], given: argparse.Namespace
) -> dict[str, Timing]:
    """Time competitors at one shape, interleaved."""
    torch.compiler.reset()
    case = Case(shape, mode)
    steps = {c.label: build(c, case, given.competitors) for c in competitors}
    timings = {label: warm_up(step) for label, step in tqdm(steps.items(), leave=False)}
    for competitor in competitors:
        verify.demand(steps[competitor.label], competitor, case)
    progress = rounds(steps, timings, given.rounds, given.seconds, CLOCKS[given.clock])
    for _ in tqdm(progress, total=given.rounds, leave=False):
        pass
    return timings


def ratio(timings: dict[str, Timing], percent: float = 50) -> float:
    """Return the best of 1.0.3 divided by our best."""
    ours, released = (
        min(timings[c.label].percentile(percent) for c in group) for group in (AUTO, RELEASED)
    )
    return released / ours


def cost(timings: dict[str, Timing]) -> float:
    """Return our eager time divided by that of nn.Linear."""
    ours, linear = (timings[c.label].percentile(50) for c in (AUTO[0], LINEAR))
    return ours / linear


def run(given: argparse.Namespace) -> int:
    """Compare at every shape, print a table and return the number of missed targets."""
    if not given.native:
        without_native_kernels()
    targets = NATIVE if given.native else STOCK
    table = Table(FOLDER / "compare_cpu.csv", ())
    missed = 0
    for shape in [Sizes(*sizes) for sizes in given.shape] or targets:
        target = targets.get(shape, Target())
        for mode in ("train", "inference"):
            # apart, since 1.0.3 empties the caches and the allocator of what runs beside it
            beside_linear = compare(shape, mode, (AUTO[0], LINEAR), given)
            timings = compare(shape, mode, (*AUTO, *RELEASED), given)
            for beside, measured in (("nn.Linear", beside_linear), ("1.0.3", timings)):
                for label, timing in measured.items():
                    table.append(_row(shape, mode, label, beside, timing, given))
            faster, multiple = ratio(timings), cost(beside_linear)
            least, most = getattr(target, mode), getattr(target, f"{mode}_cost")
            missed += (faster < least) + (multiple > most)
            print(
                f"{tuple(shape)!s:24}{mode:10}{faster:6.2f}x of 1.0.3 (at least {least})"
                f"{multiple:6.2f}x of nn.Linear (at most {most})  {_summary(timings)}",
                flush=True,
            )
    return missed + _memory(given)


def _memory(given: argparse.Namespace) -> int:
    """Measure peak memory of training steps, a row each; return the number of missed targets."""
    missed, table = 0, Table(FOLDER / "memory.csv", ())
    for shape, most in (NATIVE_MEMORY if given.native else STOCK_MEMORY).items():
        used = {
            c.label: memory.peak_mib(
                c, Case(shape), given.competitors, given.threads, stock=not given.native
            )
            for c in (*AUTO, *RELEASED)
        }
        for label, mib in used.items():
            columns = {"kernels": kernels(given.native), "competitor": label}
            measured = row(shape, "train", "cpu", given, **columns, peak_mib=f"{mib:.2f}")
            del measured["clock"]  # no time was taken
            table.append(measured)
        listed = ", ".join(f"{label} {mib:.1f}" for label, mib in used.items())
        print(f"{tuple(shape)!s:24}train, peak MiB (at most {most}): {listed}", flush=True)
        missed += min(used[c.label] for c in AUTO) > most
    return missed


def _summary(timings: dict[str, Timing]) -> str:
    return "  ".join(f"{label} {t.percentile(50) * 1e3:.2f} ms" for label, t in timings.items())


def _row(
    shape: Sizes, mode: str, label: str, beside: str, timing: Timing, given: argparse.Namespace
) -> dict[str, Any]:
    columns = {
        "kernels": kernels(given.native),
        "beside": beside,
        "competitor": label,
        "warm_up_s": round(timing.warm_up, 2),
        **{f"p{p}_ms": round(timing.percentile(p) * 1e3, 4) for p in (20, 50, 80)},
        "rounds": len(timing.seconds),
    }
    return row(shape, mode, "cpu", given, **columns)
