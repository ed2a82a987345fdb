"""Interleaved timing: in every round each step runs once on the same fresh inputs."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from .step import Step

Name = TypeVar("Name", bound=Hashable)

SHORTEST = 2e-3
"""Seconds that one measurement lasts at least; a shorter call is repeated."""
CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}
"""`cpu` counts the seconds that all threads of the process ran, whatever else the machine does:
with one thread, the clock for a machine that is shared."""


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


def quotient(one: Timing, other: Timing) -> float:
    """Return the median of `one` over `other`, each within a round."""
    return float(np.median(np.array(one.seconds) / np.array(other.seconds)))


def warm_up(step: Step) -> Timing:
    """Run a step for the first time, then twice more outside the measurement."""
    seconds = _call(step, 0, 1, time.perf_counter)
    for seed in (1, 2):
        _call(step, seed, 1, time.perf_counter)
    return Timing(seconds, [])


def rounds(
    steps: Mapping[Name, Step],
    timings: Mapping[Name, Timing],
    count: int,
    budget: float,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[int]:
    """Measure every step once a round, in random order, and yield the round's number.

    Args:
        steps: Steps by name, warmed up.
        timings: Where the measurements go.
        count: Number of rounds.
        budget: Seconds after which no further round starts, once there are five.
        clock: One of `CLOCKS`.
    """
    repeats = {name: _repeats(step, clock) for name, step in steps.items()}

    def measure(name: Name, number: int) -> float:
        return _call(steps[name], 100 + number, repeats[name], clock)

    yield from in_turns(list(steps), timings, measure, count, budget)


def in_turns(
    names: Sequence[Name],
    timings: Mapping[Name, Timing],
    measure: Callable[[Name, int], float],
    count: int,
    budget: float,
) -> Iterator[int]:
    """Measure everything once a round, in random order, and yield the round's number.

    Args:
        names: Of everything.
        timings: Where the measurements go.
        measure: Takes a name and the round's number, and returns seconds per call.
        count: Number of rounds.
        budget: Seconds after which no further round starts, once there are five.
    """
    start = time.perf_counter()
    for number in range(count):
        if number >= 5 and time.perf_counter() - start > budget:
            return
        for name in random.Random(number).sample(names, len(names)):
            timings[name].seconds.append(measure(name, number))
        yield number


def _repeats(step: Step, clock: Callable[[], float]) -> int:
    once = min(_call(step, seed, 1, clock) for seed in (3, 4))
    return max(1, min(100, round(SHORTEST / once)))


def _call(step: Step, seed: int, repeats: int, clock: Callable[[], float]) -> float:
    """Return seconds per call."""
    inputs = step.inputs(seed)
    step.synchronize(inputs)
    start = clock()
    for _ in range(repeats):
        outputs = step.run(*inputs)
    step.synchronize(outputs)
    return (clock() - start) / repeats
