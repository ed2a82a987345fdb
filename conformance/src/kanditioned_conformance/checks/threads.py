"""Calls from two threads at once: each gives the bits that it gives alone."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from threading import Event, Semaphore
from types import CodeType, FrameType
from typing import Any

import numpy as np

from kanditioned_spec.protocol import CompleteBackend

from ..cases import Case
from ..tolerance import ConformanceError, Ratios, describe
from .base import needs
from .calls import MAP_OPERATIONS, Calls, bits, layer_calls, map_calls

PAUSES, MAP_PAUSES = 120, 15
"""How many lines of Python of a call wait for the other thread, at most, each once in a call."""
PATIENCE, LEFT_ALONE = 1.0, 0.05
"""Seconds that such a line waits at most, and one after a line that waited in vain: the other
thread may stand before a lock that this one holds."""
LIBRARIES = frozenset((*sys.stdlib_module_names, "numpy", "torch", "jax", "jaxlib"))
"""Packages whose lines do not wait: they are safe, and many."""


@needs(threads=True)
def check_layer_in_threads(backend: CompleteBackend, case: Case) -> Ratios:
    """Call value and gradients, of one shape and other numbers in each thread."""
    cases = (case, replace(case, seed=case.seed + 1))
    return _together(case, PAUSES, *(layer_calls(backend, c.problem, c.arrays()) for c in cases))


@needs(any_of=MAP_OPERATIONS, threads=True)
def check_maps_in_threads(backend: CompleteBackend, case: Case) -> Ratios:
    """Call the maps likewise."""
    cases = (case, replace(case, seed=case.seed + 1))
    calls = (map_calls(backend, c.problem, c.parameter_arrays()) for c in cases)
    return _together(case, MAP_PAUSES, *calls)


def _together(case: Case, pauses: int, slow: Calls, fast: Calls) -> Ratios:
    """Call all of `slow` once, and before each line of it all of `fast` in another thread.

    There the value comes last, so that what it turns off, such as gradients, is off here too.
    """
    fast = dict(sorted(fast.items(), key=lambda pair: pair[0] == "forward"))
    alone = [{name: bits(call()) for name, call in calls.items()} for calls in (slow, fast)]
    done, passed = Event(), Semaphore(0)
    patience = PATIENCE

    def wait() -> None:
        nonlocal patience
        while passed.acquire(blocking=False):
            pass
        passes = 0 if done.is_set() else 2  # the first may have begun before this line
        met = all(passed.acquire(timeout=patience) for _ in range(passes))
        patience = PATIENCE if met else LEFT_ALONE

    def once() -> list[str]:
        wrong = []
        try:
            for name, call in slow.items():
                with _before_each_line(pauses, wait):
                    got = bits(call())
                if got != alone[0][name]:
                    wrong.append(name)
        finally:
            done.set()
        return wrong

    def again_and_again() -> list[str]:
        wrong: list[str] = []
        try:
            while not (wrong or done.is_set()):
                wrong = [name for name, call in fast.items() if bits(call()) != alone[1][name]]
                passed.release()
        finally:
            done.set()
        return wrong

    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(once), pool.submit(again_and_again)]
        wrong = [name for each in running for name in each.result()]
    for name in wrong:
        message = "a call gives other bits while another thread calls"
        raise ConformanceError(name, np.inf, f"{message}\n{describe(case.problem)}")
    return {}


@contextmanager
def _before_each_line(most: int, do: Callable[[], None]) -> Iterator[None]:
    """Do something before each line of Python that this thread runs, the first time it does."""
    seen: set[tuple[CodeType, int]] = set()

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_globals.get("__name__", "").partition(".")[0] in LIBRARIES:
            return None
        line = frame.f_code, frame.f_lineno
        if line not in seen and len(seen) < most:
            seen.add(line)
            do()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)
