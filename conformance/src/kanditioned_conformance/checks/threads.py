"""Calls from two threads at once: each gives the bits that it gives alone."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from threading import Event, Semaphore
from types import FrameType
from typing import Any

import numpy as np

from kanditioned_spec.protocol import CompleteBackend

from ..cases import Case
from ..tolerance import ConformanceError, Ratios, describe
from .base import needs
from .calls import MAP_OPERATIONS, Calls, bits, layer_calls, map_calls

PAUSES, MAP_PAUSES = 120, 15
"""How many lines of Python of a call wait for the other thread, at most."""
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
        patience = PATIENCE if passed.acquire(timeout=patience) else LEFT_ALONE

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
        while not (wrong or done.is_set()):
            wrong = [name for name, call in fast.items() if bits(call()) != alone[1][name]]
            passed.release()
        return wrong

    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(once), pool.submit(again_and_again)]
        wrong = [name for each in running for name in each.result()]
    for name in wrong:
        message = "a call gives other bits while another thread calls"
        raise ConformanceError(name, np.inf, f"{message}\n{describe(case.problem)}")
    return {}


@contextmanager
def _before_each_line(left: int, do: Callable[[], None]) -> Iterator[None]:
    """Do something before the first lines of Python that this thread runs."""

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        if left <= 0 or frame.f_globals.get("__name__", "").partition(".")[0] in LIBRARIES:
            return None
        left -= 1
        do()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)
