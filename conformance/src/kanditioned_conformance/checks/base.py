"""What the checks have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ..tolerance import Ratios

Check = Callable[..., Ratios]
"""Takes a backend, a case and perhaps more; returns ratios or raises `ConformanceError`."""

NEEDS: dict[str, tuple[str, ...]] = {}
"""Capabilities that a check needs, by its name."""

_C = TypeVar("_C", bound=Callable[..., Any])


def needs(*capabilities: str) -> Callable[[_C], _C]:
    """Decorate a check with the capabilities of the backend that it calls."""

    def mark(check: _C) -> _C:
        NEEDS[check.__name__] = capabilities
        return check

    return mark
