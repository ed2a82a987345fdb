"""Interleaved timing: in every round each step runs once on the same fresh inputs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from .steps import Step

SHORTEST = 2e-3
"""Seconds that one measurement lasts at least; a shorter call is repeated."""


@dataclass
class Timing:
    """Seconds per call.

    Attributes:
        warm_up: Seconds of the first call, compilation included.
        seconds: One measurement per round.
    """

    warm_up: float
    seconds: list[float]

    def percentile(self, percent: float) -> float:
        """Return a percentile of the measurements."""
        return float(np.percentile(self.seconds, percent))


def warm_up(step: Step) -> Timing:
    """Run a step for the first time, then twice more outside the measurement."""
    seconds = _call(step, 0, 1)
    for seed in (1, 2):
        _call(step, seed, 1)
    return Timing(seconds, [])


def rounds(
    steps: Mapping[str, Step], timings: Mapping[str, Timing], count: int, budget: float
) -> Iterator[int]:
    """Measure every step once a round, in turns of changing order, and yield the round's number.

    Args:
        steps: Steps by name, warmed up.
        timings: Where the measurements go.
        count: Number of rounds.
        budget: Seconds after which no further round starts, once there are five.
    """
    repeats = {name: _repeats(step) for name, step in steps.items()}
    names, start = list(steps), time.perf_counter()
    for number in range(count):
        if number >= 5 and time.perf_counter() - start > budget:
            return
        offset = number % max(1, len(names))
        for name in names[offset:] + names[:offset]:
            timings[name].seconds.append(_call(steps[name], 100 + number, repeats[name]))
        yield number


def _repeats(step: Step) -> int:
    once = min(_call(step, seed, 1) for seed in (3, 4))
    return max(1, min(100, round(SHORTEST / once)))


def _call(step: Step, seed: int, repeats: int) -> float:
    """Return seconds per call."""
    inputs = step.inputs(seed)
    step.synchronize(inputs)
    start = time.perf_counter()
    for _ in range(repeats):
        outputs = step.run(*inputs)
    step.synchronize(outputs)
    return (time.perf_counter() - start) / repeats
