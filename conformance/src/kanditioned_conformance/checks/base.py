"""What the checks have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from kanditioned_spec.protocol import Backend, offers

from ..tolerance import Ratios

Check = Callable[..., Ratios]
"""Takes a backend, a case and perhaps more; returns ratios or raises `ConformanceError`."""


@dataclass(frozen=True)
class Needs:
    """What a backend must have for a check to be about it.

    Attributes:
        capabilities: Methods.
        gradients: What its `vjp` must differentiate by.
        any_of: Methods of which one is enough.
    """

    capabilities: tuple[str, ...] = ()
    gradients: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()

    def unmet_by(self, backend: Backend) -> str:
        """Return what the backend lacks, or nothing."""
        for capability in self.capabilities:
            if not offers(backend, capability):
                return f"it does not offer {capability}"
        for gradient in self.gradients:
            if gradient not in backend.info.gradients:
                return f"it does not declare the gradient by {gradient}"
        if self.any_of and not any(offers(backend, name) for name in self.any_of):
            return f"it offers none of {', '.join(self.any_of)}"
        return ""


NEEDS: dict[str, Needs] = {}
"""What each check needs, by its name."""

_C = TypeVar("_C", bound=Callable[..., Any])


def needs(
    *capabilities: str, gradients: tuple[str, ...] = (), any_of: tuple[str, ...] = ()
) -> Callable[[_C], _C]:
    """Decorate a check with what it calls: methods, and gradients that `vjp` returns."""

    def mark(check: _C) -> _C:
        NEEDS[check.__name__] = Needs(capabilities, gradients, any_of)
        return check

    return mark
