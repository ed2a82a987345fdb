"""Stock operations against the best of release 1.0.3, side by side in one run.

Our `auto` without native kernels, eager and compiled, against `embedding` and `embedding_bag` of
1.0.3, eager and compiled: ratios of medians, best against best. The memory of the training step is
measured at one shape. The exit status counts the targets that were missed.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch
from tqdm import tqdm

from . import machine, memory
from .cases import Case, Shape
from .competitors import OURS, RELEASED, Competitor
from .environments import without_native_kernels
from .results import FOLDER, Table
from .steps import build
from .timing import CLOCKS, Timing, rounds, warm_up

TRAIN_TARGETS = {
    Shape(1024, 256, 256, 32): 1.6,
    Shape(256, 64, 64, 8): 3.0,
    Shape(1024, 64, 64, 32): 3.0,
    Shape(4096, 128, 128, 16): 3.0,
    Shape(64, 784, 64, 8): 3.0,
    Shape(8192, 16, 16, 64): 1.0,
}
"""How many times faster the training step must be; the forward pass must not be slower."""
MEMORY_SHAPE, MEMORY_TARGET = Shape(1024, 256, 256, 32), 45.0
"""Where the training step may take at most this many MiB."""


def compare(shape: Shape, mode: str, given: argparse.Namespace) -> dict[str, Timing]:
    """Time all competitors at one shape, interleaved."""
    torch.compiler.reset()
    case = Case(shape, mode)
    steps = {c.label: build(c, case, given.competitors) for c in (*_autos(), *RELEASED)}
    timings = {label: warm_up(step) for label, step in tqdm(steps.items(), leave=False)}
    progress = rounds(steps, timings, given.rounds, given.seconds, CLOCKS[given.clock])
    for _ in tqdm(progress, total=given.rounds, leave=False):
        pass
    return timings


def ratio(timings: dict[str, Timing], percent: float = 50) -> float:
    """Return the best of 1.0.3 divided by our best."""
    ours, released = (
        min(timings[c.label].percentile(percent) for c in group) for group in (_autos(), RELEASED)
    )
    return released / ours


def run(given: argparse.Namespace) -> int:
    """Compare at every shape, print a table and return the number of missed targets."""
    native = "with native kernels" if given.native else "stock operations"
    if not given.native:
        without_native_kernels()
    table = Table(FOLDER / "compare_cpu.csv", ())
    missed = 0
    shapes = [Shape(*sizes) for sizes in given.shape] or list(TRAIN_TARGETS)
    for shape, target in ((shape, TRAIN_TARGETS[shape]) for shape in shapes):
        for mode, least in (("train", target), ("inference", 1.0)):
            timings = compare(shape, mode, given)
            for label, timing in timings.items():
                table.append(_row(shape, mode, native, label, timing, given))
            speedup = ratio(timings)
            missed += speedup < least
            print(f"{tuple(shape)!s:24}{mode:10}{speedup:6.2f}x of {least}x", end="  ")
            print(_summary(timings), flush=True)
    if not given.native:
        missed += _memory(given)
    return missed


def _memory(given: argparse.Namespace) -> int:
    used = {
        c.label: memory.peak_mib(
            c, Case(MEMORY_SHAPE), given.competitors, given.threads, stock=True
        )
        for c in (*_autos(), *RELEASED)
    }
    print("peak MiB of the training step:", {k: round(v, 1) for k, v in used.items()})
    return min(used[c.label] for c in _autos()) > MEMORY_TARGET


def _autos() -> tuple[Competitor, ...]:
    return tuple(c for c in OURS if c.name == "torch auto")


def _summary(timings: dict[str, Timing]) -> str:
    return "  ".join(f"{label} {t.percentile(50) * 1e3:.2f} ms" for label, t in timings.items())


def _row(
    shape: Shape, mode: str, native: str, label: str, timing: Timing, given: Any
) -> dict[str, Any]:
    milliseconds = {f"p{p}_ms": round(timing.percentile(p) * 1e3, 4) for p in (20, 50, 80)}
    return {
        **shape._asdict(),
        "mode": mode,
        "kernels": native,
        "clock": given.clock,
        "competitor": label,
        "warm_up_s": round(timing.warm_up, 2),
        **milliseconds,
        "rounds": len(timing.seconds),
        **machine.description("cpu", given.threads),
    }
