"""The steps that the operations of `plain` are made of, one method each: a fault replaces some."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from kanditioned_spec import Grid, Problem, refinement
from kanditioned_spec.rounding import round_to

from ..cases import map_of

Floats = npt.NDArray[np.floating[Any]]
Indices = npt.NDArray[np.intp]
Results = TypeVar("Results", bound=tuple[Floats, ...])


def as_it_lies(array: Floats) -> Floats:
    """Return an array of numbers in the order of memory, as a pointer alone gives them."""
    return array.ravel(order="K").reshape(array.shape)


def keep(workspaces: dict[Any, Results], key: Any, results: Results) -> Results:
    """Return results in the arrays of the first call of the same key."""
    kept = workspaces.setdefault(key, results)
    for workspace, result in zip(kept, results, strict=True):
        workspace[...] = result
    return kept


class Steps:
    """Steps of a right implementation; arrays of one dtype, of one input feature or of all."""

    def compute_dtype(self, problem: Problem) -> Any:
        return np.float64 if problem.dtype == "float64" else np.float32

    def sum_dtype(self, problem: Problem) -> Any:
        return self.compute_dtype(problem)

    def take(self, problem: Problem, *arrays: Floats) -> tuple[Floats, ...]:
        return tuple(array.astype(self.compute_dtype(problem)) for array in arrays)

    def store(self, problem: Problem, array: Floats) -> Floats:
        return round_to(array, problem.dtype)

    def transpose(self, array: Floats) -> Floats:
        return array.T

    def spacing(self, problem: Problem) -> Any:
        h = problem.spline_width / (problem.num_control_points - 1)
        return self.compute_dtype(problem)(h)

    def position(self, problem: Problem, x: Floats) -> Floats:
        scale = (problem.num_control_points - 1) / problem.spline_width
        return (x + x.dtype.type(problem.spline_width / 2)) * x.dtype.type(scale)

    def interval(self, problem: Problem, u: Floats) -> Indices:
        lowest = np.clip(np.floor(u), 0, problem.num_control_points - 2)
        return np.where(np.isnan(u), 0, lowest).astype(np.intp)

    def locate(self, problem: Problem, x: Floats) -> tuple[Indices, Floats]:
        u = self.position(problem, x)
        interval = self.interval(problem, u)
        return interval, u - interval.astype(u.dtype)

    def value(self, left: Floats, right: Floats, fraction: Floats) -> Floats:
        return left + fraction * (right - left)

    def value_along(self, direction: Floats, interval: Indices, fraction: Floats) -> Floats:
        return self.value(direction[interval], direction[interval + 1], fraction[:, None])

    def slope(self, problem: Problem, c: Floats, interval: Indices, fraction: Floats) -> Floats:
        slope = (c[interval + 1] - c[interval]) / self.spacing(problem)
        return np.asarray(np.where(np.isnan(fraction)[:, None], c.dtype.type(np.nan), slope))

    def sum_outputs(self, problem: Problem, terms: Floats) -> Floats:
        return np.asarray(terms.sum(1))

    def weights(self, fraction: Floats) -> tuple[Floats, Floats]:
        return 1 - fraction, fraction

    def neighbour(self, problem: Problem, interval: Indices) -> Indices:
        return interval + 1

    def scatter(self, gc: Floats, knot: Indices, terms: Floats) -> None:
        np.add.at(gc, knot, terms)

    def matrix(self, problem: Problem) -> Floats:
        return np.asarray(map_of(problem).matrix(), dtype=self.compute_dtype(problem))

    def generator(self, seed: int) -> np.random.Generator:
        return np.random.default_rng(seed)

    def slopes(self, init: str, inputs: int, outputs: int, rng: np.random.Generator) -> Floats:
        if init == "random_normal":
            slopes = self.variates(rng, (inputs, outputs))
            return np.asarray(slopes / np.linalg.norm(slopes, axis=0))
        return np.eye(inputs, outputs) if init == "identity" else np.zeros((inputs, outputs))

    def rising(self, slopes: Floats, signs: Any) -> Floats:
        slopes = np.where(signs, signs * np.abs(slopes), slopes)
        norm = np.linalg.norm(slopes, axis=0, ord=1 if signs.all() else 2)
        return np.asarray(slopes / norm)

    def variates(self, rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
        return rng.standard_normal(shape)

    def knots(self, count: int, width: float) -> Floats:
        return np.linspace(-width / 2, width / 2, count)

    def warn_of_resampling(self, old: int, new: int) -> None:
        refinement.warn_unless_exact(old, new)

    def insertion(self, problem: Problem, count: int) -> Floats:
        return refinement.refinement_matrix(problem.num_control_points, count)

    def widen_width(self, width: float, count: int, intervals: int) -> float:
        return Grid(count, width).widened(intervals).spline_width

    def bend(self, problem: Problem, theta: Floats) -> Floats:
        spec = map_of(problem)
        bend: Floats = spec.curvature(np.eye(spec.num_parameters)).astype(theta.dtype)
        return np.asarray(bend @ theta)
