"""What the checks have in common."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from kanditioned_spec.protocol import Backend, offers

from ..tolerance import ConformanceError, Ratios

Check = Callable[..., Ratios]
"""Takes a backend, a case and perhaps more; returns ratios or raises `ConformanceError`."""


@dataclass(frozen=True)
class Needs:
    """What a backend must have for a check to be about it.

    Attributes:
        capabilities: Methods.
        gradients: What its `vjp` must differentiate by.
        any_of: Methods of which one is enough.
        threads: Whether two threads must be able to call it at once.
    """

    capabilities: tuple[str, ...] = ()
    gradients: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    threads: bool = False

    def lacks(self, backend: Backend) -> str:
        """Return what the backend lacks, or nothing."""
        for capability in self.capabilities:
            if not offers(backend, capability):
                return f"it does not offer {capability}"
        for gradient in self.gradients:
            if gradient not in backend.info.gradients:
                return f"it does not declare the gradient by {gradient}"
        if self.threads and backend.info.one_thread:
            return "it declares that it is for one thread"
        if self.any_of and not any(offers(backend, name) for name in self.any_of):
            return f"it offers none of {', '.join(self.any_of)}"
        return ""


NEEDS: dict[str, Needs] = {}
"""What each check needs, by its name."""

_C = TypeVar("_C", bound=Callable[..., Any])


def needs(
    *capabilities: str,
    gradients: tuple[str, ...] = (),
    any_of: tuple[str, ...] = (),
    threads: bool = False,
) -> Callable[[_C], _C]:
    """Decorate a check with what it calls: methods, and gradients that `vjp` returns."""

    def mark(check: _C) -> _C:
        NEEDS[check.__name__] = Needs(capabilities, gradients, any_of, threads)
        return check

    return mark


def global_random_state() -> tuple[object, ...]:
    """Return the state of generators that belong to the caller: Python's, NumPy's, PyTorch's."""
    name, key, *rest = np.random.get_state()  # noqa: NPY002 - what must not change
    torch = sys.modules.get("torch")
    of_torch = torch.get_rng_state().numpy().tobytes() if torch else b""
    return random.getstate(), name, np.asarray(key).tobytes(), *rest, of_torch


@contextmanager
def expect_untouched(operation: str, *given: npt.NDArray[np.floating[Any]]) -> Iterator[None]:
    """Check that arrays hold the same bits afterwards: what comes in is the caller's."""
    before = [array.tobytes() for array in given]
    yield
    if before != [array.tobytes() for array in given]:
        raise ConformanceError(operation, np.inf, "it has written to what it was given")


def expect_own_memory(operation: str, result: npt.ArrayLike, given: npt.NDArray[Any]) -> None:
    """Check that a result is no view of what was given.

    Raises:
        ConformanceError: It is one: who writes to one of them changes the other.
    """
    if np.shares_memory(np.asarray(result), given):
        raise ConformanceError(operation, np.inf, "the result is a view of what it was given")
