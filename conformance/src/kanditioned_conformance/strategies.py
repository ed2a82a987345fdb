"""Hypothesis strategies for cases: small shapes, a seed, and a few chosen inputs.

Nothing is filtered. A case's dtype and device are those of the subject it is run on, so one
strategy serves all of them (`Case.on`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from kanditioned_spec import Problem
from kanditioned_spec.grid import knots

from .cases import Case, Inputs, Layout, is_dyadic

WIDTHS = (4.0, 1.0, 2.0, 6.5, 20.0)
DYADIC_WIDTHS = (4.0, 1.0, 2.0)
DYADIC_COUNTS = (2, 3, 5, 9, 17, 33, 65)
MAP_COUNT = 12
"""Largest K at which T θ and Tᵀ g are compared entry by entry.

Their bound, CONSTANT · eps · |T| |θ|, has no factor for the length of the sum. A right product
comes to 0.8 of it at K = 12 and to 1.5 at K = 70, where one large term meets many small ones.
"""
NON_FINITE = (np.nan, np.inf, -np.inf)
MapKind = tuple[str, tuple[tuple[str, Any], ...]]
"""A parameterization's name and options, as in `Problem`."""
MAPS: tuple[MapKind, ...] = (
    ("bspline", ()),
    ("prefix_sum", ()),
    ("parallel_scan", ()),
    ("dct", (("transform", "matmul"),)),
    ("dct", (("transform", "fft"),)),
    ("legendre", ()),
    ("legendre", (("degree", 1),)),
    ("demmler_reinsch", ()),
    ("demmler_reinsch", (("smoothing", 1e-4),)),
    ("demmler_reinsch", (("smoothing", 1.0), ("density", "normal"), ("spline_width", 4.0))),
)
"""The parameterizations and options that are tried."""
ENTRYWISE_MAPS = tuple(kind for kind in MAPS if ("transform", "fft") not in kind[1])
"""Those of which each entry is a sum of its own terms."""


def problems(
    *, dyadic: bool = False, min_batch: int = 0, max_count: int = 70
) -> st.SearchStrategy[Problem]:
    """Return problems of up to 40 rows, 6 features in and out, and `max_count` control points."""
    counts = st.sampled_from(DYADIC_COUNTS) if dyadic else st.integers(2, max_count)
    return st.builds(
        Problem,
        batch=st.integers(min_batch, 40),
        in_features=st.integers(1, 6),
        out_features=st.integers(1, 6),
        num_control_points=counts,
        spline_width=st.sampled_from(DYADIC_WIDTHS if dyadic else WIDTHS),
    )


@st.composite
def cases(draw: st.DrawFn, inputs: Inputs = "anywhere", *, min_batch: int = 0) -> Case:
    """Draw a case with up to four chosen inputs: domain ends, knots, zeros, far outside."""
    problem = draw(problems(dyadic=inputs == "on_knots", min_batch=min_batch))
    chosen = [] if inputs in ("on_knots", "one_interval") else special_inputs(problem)
    return Case(problem, draw(seeds), inputs, draw(_places(chosen, 0)))


@st.composite
def non_finite_cases(draw: st.DrawFn, values: tuple[float, ...] = NON_FINITE) -> Case:
    """Draw a case with one to four inputs that are NaN or infinite, and none near a knot."""
    problem = draw(problems(min_batch=1))
    return Case(problem, draw(seeds), "off_knots", draw(_places(values, 1)))


@st.composite
def strided_cases(draw: st.DrawFn) -> Case:
    """Draw a case whose arrays are not contiguous."""
    layouts: tuple[Layout, ...] = ("fortran", "stepped")
    return Case(draw(problems()), draw(seeds), "off_knots", layout=draw(st.sampled_from(layouts)))


@st.composite
def map_cases(draw: st.DrawFn, max_count: int = 70) -> Case:
    """Draw a case for the maps: what they take has no batch."""
    return Case(replace(draw(problems(max_count=max_count)), batch=0), draw(seeds))


def map_id(kind: MapKind) -> str:
    """Return a short name of a parameterization with options."""
    name, options = kind
    return "-".join([name, *(str(value) for _, value in options)])


def special_inputs(problem: Problem) -> list[float]:
    """Return inputs at which implementations go wrong."""
    end = problem.spline_width / 2
    chosen = [-end, end, 0.0, -0.0, 1e3, -1e3, 1e30, -1e30]
    if is_dyadic(problem):
        chosen += knots(problem.num_control_points, problem.spline_width).tolist()
    return chosen


seeds = st.integers(0, 2**16)


def _places(values: Any, at_least: int) -> st.SearchStrategy[tuple[tuple[int, float], ...]]:
    """Return up to four pairs of a flat index and one of `values`."""
    if not values:
        return st.just(())
    pair = st.tuples(st.integers(0, 239), st.sampled_from(values))
    return st.lists(pair, min_size=at_least, max_size=4).map(tuple)
