"""One operation with its inputs, and its results with their bounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from kanditioned_spec import Problem, numerics
from kanditioned_spec.grid import Array

from ..cases import Floats

PRECISION = 8
"""Results, but for float64, and bounds are rounded to a 256th of the bound or less."""
Pairs = dict[str, tuple[Any, Any]]
"""Results and their conditions by name."""


@dataclass
class Vector:
    """One operation with its inputs, and its results with their bounds.

    Attributes:
        name: Unique; its tensors are named `NAME.TENSOR`.
        chapter: Chapter of the spec, and name of the file.
        operation: A method of the backend protocol.
        problem: The layer.
        inputs: Tensors, in the order in which the operation takes them.
        results: Tensors and their conditions, in the order in which it returns them.
        arguments: Further arguments of the operation, by name.
        error: Name of the error that it must raise instead.
    """

    name: str
    chapter: str
    operation: str
    problem: Problem
    inputs: Mapping[str, Floats] = field(default_factory=dict)
    results: Pairs = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)
    error: str = ""

    def entry(self) -> dict[str, Any]:
        """Return what the manifest says of it."""
        shapes = () if self.problem.shapes else ("monotone", "convex")
        left_out = ("device", *shapes)
        problem = {k: v for k, v in asdict(self.problem).items() if k not in left_out}
        return {
            "name": self.name,
            "chapter": self.chapter,
            "operation": self.operation,
            "problem": problem | {"options": dict(self.problem.options)},
            "inputs": list(self.inputs),
            "results": list(self.results),
            "arguments": self.arguments,
            "error": self.error,
        }

    def tensors(self) -> Iterator[tuple[str, Floats, str]]:
        """Yield name, values and storage dtype of every tensor."""
        for name, values in self.inputs.items():
            yield f"{self.name}.{name}", values, self.problem.dtype
        for name, (want, condition) in self.results.items():
            want = np.asarray(want, dtype=np.float64)
            bound = numerics.tolerance(condition, want, self.problem.dtype)
            bound = np.where(np.isfinite(want), bound, 0.0)  # others must be what they are
            if self.problem.dtype != "float64":
                want = _without_noise(want, bound)
            yield f"{self.name}.{name}", want, "float64"
            yield f"{self.name}.{name}.bound", _without_noise(bound, bound), "float64"


def _without_noise(values: Array, bound: Array) -> Array:
    """Round to a small part of the bound: another machine's sums then give the same bytes."""
    step = np.ldexp(1.0, np.frexp(bound)[1] - PRECISION)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(bound > 0, np.rint(values / step) * step, values)
