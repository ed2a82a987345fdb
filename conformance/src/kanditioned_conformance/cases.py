"""One test case: a problem, a seed and a few inputs that someone chose.

A case holds no arrays, so that a failure prints as a line that can be pasted into a script. Its
arrays follow from it, and every number in them is exact in the storage dtype of the problem: what
the backend receives is what the reference receives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields, replace
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from kanditioned_spec import Parameterization, Problem, parameterization
from kanditioned_spec.numerics import near_knot, position_error
from kanditioned_spec.protocol import Extrapolation
from kanditioned_spec.rounding import round_to

from .layouts import Layout, laid_out

Floats = npt.NDArray[np.floating[Any]]
Inputs = Literal["anywhere", "outside", "off_knots", "on_knots", "one_interval"]

LARGEST_NORMAL = 2.0
"""Normal variates are clipped here: float16 then holds the sums of the largest drawn problem."""


class Arrays(NamedTuple):
    """What a layer and its derivatives take.

    Shapes (B, I), (I, K, O), (B, O), (B, I), (I, K, O).
    """

    x: Floats
    control_points: Floats
    grad_y: Floats
    cotangent_x: Floats
    cotangent_control_points: Floats


class ParameterArrays(NamedTuple):
    """What a parameterization takes: θ (I, P, O) and a cotangent of control points (I, K, O)."""

    theta: Floats
    grad: Floats


@dataclass(frozen=True, repr=False)
class Case:
    """A printable recipe for arrays.

    Attributes:
        problem: The layer and its input's shape.
        seed: Of everything that is random.
        inputs: `"anywhere"` in 1.6 domain widths; `"outside"` the domain; `"off_knots"`: like
            `"anywhere"`, but farther from inner knots than rounding can move a position;
            `"on_knots"`: exactly on knots, for dyadic grids; `"one_interval"`: all rows in one
            interval per feature.
        special: Pairs (flat index into x, value), applied last; the index wraps around.
        layout: How the arrays lie in memory, see `layouts`.
        scale: Power of two by which the control points, and what maps take, are multiplied; or 0.
        grad_scale: Power of two by which grad_y and the other cotangents are multiplied.
        extrapolation: Of the backend. Where it is not the spec's, inputs keep off the ends of the
            domain, at which values or slopes jump; where there is none, they stay inside.
    """

    problem: Problem
    seed: int = 0
    inputs: Inputs = "anywhere"
    special: tuple[tuple[int, float], ...] = ()
    layout: Layout = "contiguous"
    scale: float = 1.0
    grad_scale: float = 1.0
    extrapolation: Extrapolation | None = "linear"

    def __repr__(self) -> str:
        return _expression(self)

    def on(self, dtype: str, device: str) -> Case:
        """Return this case in another storage dtype, on another device."""
        return replace(self, problem=replace(self.problem, dtype=dtype, device=device))

    def under(self, extrapolation: Extrapolation | None) -> Case:
        """Return this case for a backend with this extrapolation."""
        return replace(self, extrapolation=extrapolation)

    def fit_to(self, problems: Sequence[Problem], *, keep_batch: bool = False) -> Case:
        """Return this case for one of a few fixed problems, which its seed picks.

        A batch of 0 among them stands for any batch. Chosen inputs move with the domain; those that
        are no ends of it do not stay on knots, and are left out where knots are asked for.

        Args:
            problems: At least one.
            keep_batch: Whether to stay as it is if none of them takes its number of rows.
        """
        mine = self.problem
        usable = [p for p in problems if self.inputs != "on_knots" or p.grid.is_dyadic] or problems
        if keep_batch:
            usable = [p for p in usable if p.batch in (0, mine.batch)]
        if not usable:
            return self
        fixed = usable[self.seed % len(usable)]
        fixed = replace(
            fixed, batch=fixed.batch or mine.batch, dtype=mine.dtype, device=mine.device
        )
        end = mine.spline_width / 2
        special = [
            (index, value * fixed.spline_width / mine.spline_width if np.isfinite(value) else value)
            for index, value in self.special
            if self.inputs != "on_knots" or abs(value) == end
        ]
        return replace(self, problem=fixed, special=tuple(special))

    @property
    def goes_outside(self) -> bool:
        """Whether it is about inputs outside the domain."""
        return self.inputs == "outside" or any(np.isinf(value) for _, value in self.special)

    def of(self, parameterization: str, options: tuple[tuple[str, Any], ...] = ()) -> Case:
        """Return this case with another parameterization."""
        problem = replace(self.problem, parameterization=parameterization, options=options)
        return replace(self, problem=problem)

    def arrays(self) -> Arrays:
        """Return the layer's arrays."""
        p, rng = self.problem, np.random.default_rng(self.seed)
        x = self._settle(_place(self._draw_inputs(rng), self.special, p))
        weights = (p.in_features, p.num_control_points, p.out_features)
        arrays = Arrays(
            x,
            _normal(rng, weights, p.dtype),
            _normal(rng, (p.batch, p.out_features), p.dtype),
            _normal(rng, x.shape, p.dtype),
            _normal(rng, weights, p.dtype),
        )
        c = round_to(arrays.control_points * self.scale, p.dtype)
        scaled = (x, c, *(round_to(array * self.grad_scale, p.dtype) for array in arrays[2:]))
        return Arrays(*laid_out(scaled, self.layout))

    def parameter_arrays(self) -> ParameterArrays:
        """Return the parameterization's arrays."""
        p, rng = self.problem, np.random.default_rng(self.seed)
        count = map_of(p).num_parameters
        shapes = ((p.in_features, n, p.out_features) for n in (count, p.num_control_points))
        theta, grad = (round_to(_normal(rng, s, p.dtype) * self.scale, p.dtype) for s in shapes)
        return ParameterArrays(*laid_out((theta, grad), self.layout))

    def _draw_inputs(self, rng: np.random.Generator) -> Floats:
        p = self.problem
        shape = (p.batch, p.in_features)
        if self.inputs == "on_knots":
            if not p.grid.is_dyadic:
                raise ValueError(f"knots are exact on dyadic grids only, got {p}.")
            return round_to(rng.choice(p.grid.knots(), shape), p.dtype)
        if self.inputs == "one_interval":
            interval = rng.integers(p.num_control_points - 1, size=p.in_features)
            u = interval + rng.uniform(0.1, 0.9, shape)
            x = u * p.grid.spacing - p.spline_width / 2
            return round_to(x, p.dtype)
        if self.inputs == "outside":
            beyond = rng.uniform(0.5, 3.5, shape) * rng.choice([-1.0, 1.0], shape)
            return round_to(beyond * p.spline_width, p.dtype)
        beyond = 0.5 if self.extrapolation is None else 0.8
        return round_to(rng.uniform(-beyond, beyond, shape) * p.spline_width, p.dtype)

    def _settle(self, x: Floats) -> Floats:
        p = self.problem
        if self.inputs in ("off_knots", "anywhere"):
            # `numerics.forward_condition` leaves out that rounding may carry x to an interval of
            # another slope, so a value that near to a knot is compared only where u is exact.
            stays = self.inputs == "anywhere" and _on_dyadic_knot(x, p)
            spare = p.spline_width if self.extrapolation == "linear" else _middle(p, on_knot=False)
            x = np.where(stays, x, off_knots(x, p, spare))
        return x if self.extrapolation == "linear" else self._off_ends(x)

    def _off_ends(self, x: Floats) -> Floats:
        """Keep inputs inside, if there is no extrapolation; else away from the domain's ends."""
        p = self.problem
        end, h = p.spline_width / 2, p.grid.spacing
        if self.extrapolation is None:
            return np.where(np.isnan(x), x, round_to(x.clip(-end, end), p.dtype))
        moved = position_error(end, p.grid, p.dtype) * h
        near = np.abs(np.abs(x.astype(np.float64)) - end) <= moved
        has_inner_knots = p.num_control_points > 2
        middle = _middle(p, on_knot=self.inputs == "on_knots" and has_inner_knots)
        return np.where(near, round_to(middle, p.dtype), x)


def _expression(value: Any) -> str:
    """Write a dataclass as the expression that builds it, without what has its default."""
    if not isinstance(value, Case | Problem):
        return repr(value)
    given = [
        f"{field.name}={_expression(getattr(value, field.name))}"
        for field in fields(value)
        if field.default is MISSING or getattr(value, field.name) != field.default
    ]
    return f"{type(value).__name__}({', '.join(given)})"


def reach(problem: Problem) -> float:
    """Return the largest |x| to be used: results must not overflow the storage dtype."""
    h = problem.grid.spacing
    if problem.dtype == "float16":
        return problem.spline_width / 2 + 100 * h
    return 1e3 if problem.dtype == "bfloat16" else 1e30


def off_knots(x: Floats, problem: Problem, spare: float) -> Floats:
    """Move inputs away from inner knots: into their interval, or to `spare` if need be."""
    grid, dtype = problem.grid, problem.dtype
    for step in (grid.spacing / 2, grid.spacing / 4, -grid.spacing / 4):
        x = np.where(near_knot(x, grid, dtype), round_to(x + step, dtype), x)
    return np.where(near_knot(x, grid, dtype), round_to(spare, dtype), x)


def _middle(problem: Problem, *, on_knot: bool) -> float:
    """Return the knot, or the middle of an interval, that is nearest to 0 on the right."""
    at_zero = problem.num_control_points % 2 == 1
    half = problem.grid.spacing / 2
    return 0.0 if at_zero == on_knot else half


def finite(x: npt.ArrayLike, problem: Problem) -> npt.NDArray[np.float64]:
    """Put 0 for NaN, and for infinities the end of the domain on their side.

    So the bound of what they reach is that of the outer intervals, whose slope is finite, and what
    they do not reach has no wider bound.
    """
    end = problem.spline_width / 2
    return np.nan_to_num(np.asarray(x, dtype=np.float64), nan=0.0, posinf=end, neginf=-end)


@lru_cache(maxsize=256)
def map_of(problem: Problem) -> Parameterization:
    """Return the spec's parameterization of a problem."""
    return parameterization(
        problem.parameterization, problem.num_control_points, **dict(problem.options)
    )


def _on_dyadic_knot(x: Floats, problem: Problem) -> npt.NDArray[np.bool_]:
    u = problem.grid.position(x)
    return np.asarray(problem.grid.is_dyadic & (u == np.rint(u)))


def _place(x: Floats, special: tuple[tuple[int, float], ...], problem: Problem) -> Floats:
    limit = reach(problem)
    for index, value in special if x.size else ():
        reachable = np.clip(value, -limit, limit) if np.isfinite(value) else value
        x.flat[index % x.size] = round_to(reachable, problem.dtype)
    return x


def _normal(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Floats:
    variates = rng.standard_normal(shape).clip(-LARGEST_NORMAL, LARGEST_NORMAL)
    return round_to(variates, dtype)
