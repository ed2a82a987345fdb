"""What a test is run on: every shape of the table, chosen cases, and random ones.

Nothing is filtered. A case's dtype and device are those of the backend under test, so one strategy
serves all of them (`Case.on`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from hypothesis import example, given, seed
from hypothesis import strategies as st

from kanditioned_spec import Problem

from . import shapes
from .cases import Case, Inputs
from .layouts import Layout
from .profiles import draws_any_shape, draws_the_same

WIDTHS = (4.0, 1.0, 2.0, 6.5, 20.0)
DYADIC_WIDTHS = (4.0, 1.0, 2.0)
DYADIC_COUNTS = (2, 3, 5, 9, 17, 33, 65)
MAP_COUNT = 12
"""Largest K at which T θ and Tᵀ g are compared entry by entry.

Their bound, CONSTANT · eps · |T| |θ|, has no factor for the length of the sum. A right product
comes to 0.8 of it at K = 12 and to 1.5 at K = 70, where one large term meets many small ones.
"""
LAYOUTS: tuple[Layout, ...] = (
    *("fortran", "stepped", "reversed"),
    *("repeated", "only_inputs", "only_weights"),
    *("padded", "read_only", "one_gradient", "one_function"),
)
PARAMETER_LAYOUTS: tuple[Layout, ...] = ("swapped", "reversed")
FEW_EQUAL_ROWS = 20
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
ENTRYWISE_MAPS: tuple[MapKind, ...] = (
    *(kind for kind in MAPS if ("transform", "fft") not in kind[1]),
    ("demmler_reinsch", (("smoothing", 30.0), ("density", "normal"), ("spline_width", 2.5))),
)
"""Those of which each entry is a sum of its own terms; and further values of options."""

LARGE_PARAMETERS = Case(shapes.MAPS[3], 2, scale=2.0**6)
"""Numbers beyond those that normal variates are clipped to, which a float16 still holds."""

Test = TypeVar("Test", bound=Callable[..., None])


class Draw(NamedTuple):
    """Random cases, and the explicit ones for the shapes of the table."""

    random: st.SearchStrategy[Case]
    table: Sequence[Case]


def draw_cases(draw: Draw, *chosen: Case) -> Callable[[Test], Test]:
    """Decorate a test: run it on the table and the chosen cases, smallest first, then at random."""

    def decorate(test: Test) -> Test:
        decorated: Any = given(case=draw.random)(test)
        for case in sorted([*draw.table, *chosen], key=_size, reverse=True):
            decorated = example(case=case)(decorated)  # the one applied last runs first
        if draws_the_same():  # Hypothesis alone would take a seed from where the test is installed
            decorated = seed(0)(decorated)
        result: Test = decorated
        return result

    return decorate


def layers(inputs: Inputs = "anywhere", *, min_batch: int = 1) -> Draw:
    """Return cases of a layer; random ones have up to four chosen inputs, such as domain ends.

    An empty batch is a chapter of its own: a backend that refuses it is not to fail everywhere.
    """
    table = _table(inputs == "on_knots", min_batch)

    @st.composite
    def random(draw: st.DrawFn) -> Case:
        problem = draw(_problems(table, inputs == "on_knots", min_batch))
        chosen = special_inputs(problem, inputs)
        return Case(problem, draw(_SEEDS), inputs, draw(_places(chosen, 0)))

    return Draw(random(), [Case(problem, row, inputs) for row, problem in enumerate(table)])


def non_finite(*values: float) -> Draw:
    """Return cases with one to four of these inputs, and none near a knot."""
    table = _table(False, 1)

    @st.composite
    def random(draw: st.DrawFn) -> Case:
        problem = draw(_problems(table, False, 1))
        return Case(problem, draw(_SEEDS), "off_knots", draw(_places(values, 1)))

    return Draw(
        random(),
        [
            Case(problem, row, "off_knots", ((3 * row, values[row % len(values)]),))
            for row, problem in enumerate(table)
        ],
    )


def strided_cases(table: Sequence[Problem] = ()) -> Draw:
    """Return cases of these shapes, or of all of the table, whose arrays are not contiguous.

    Each shape has some layout, and one of several rows, inputs and outputs has each.
    """
    table = table or _table(False, 1)

    @st.composite
    def random(draw: st.DrawFn) -> Case:
        problem = draw(_problems(table, False, 1))
        layout = draw(st.sampled_from(_layouts(problem)))
        return Case(problem, draw(_SEEDS), "off_knots", layout=layout)

    rows = [
        Case(problem, row, "off_knots", layout=_layouts(problem)[row % len(_layouts(problem))])
        for row, problem in enumerate(table)
    ]
    every = [Case(shapes.SEVERAL, 1, "off_knots", layout=layout) for layout in LAYOUTS]
    return Draw(random(), [*rows, *(every if shapes.SEVERAL in table else ())])


def _layouts(problem: Problem) -> Sequence[Layout]:
    """Return the layouts that are tried: equal rows only where they are few.

    Equal terms are all rounded the same way, and the bound has no factor for the length of a sum:
    131 of them come to 1.3 of it.
    """
    return [each for each in LAYOUTS if each != "repeated" or problem.batch <= FEW_EQUAL_ROWS]


def maps(max_count: int = 70) -> Draw:
    """Return cases for the maps: what they take has no batch."""
    table = [p for p in shapes.MAPS if p.num_control_points <= max_count]

    @st.composite
    def random(draw: st.DrawFn) -> Case:
        problem = draw(_problems(table, False, 0, max_count))
        return Case(replace(problem, batch=0), draw(_SEEDS))

    return Draw(random(), [Case(problem, row) for row, problem in enumerate(table)])


def map_id(kind: MapKind) -> str:
    """Return a short name of a parameterization with options."""
    name, options = kind
    return "-".join([name, *(str(value) for _, value in options)])


def special_inputs(problem: Problem, inputs: Inputs) -> list[float]:
    """Return inputs at which implementations go wrong, such as a case of this kind may hold."""
    if inputs in ("on_knots", "one_interval"):
        return []
    end = problem.spline_width / 2
    chosen = [-end, end, 0.0, -0.0, 1e3, -1e3, 1e30, -1e30]
    if problem.grid.is_dyadic:
        chosen += problem.grid.knots().tolist()
    return [x for x in chosen if abs(x) >= end] if inputs == "outside" else chosen


_SEEDS = st.integers(0, 2**16)


def _table(dyadic: bool, min_batch: int) -> list[Problem]:
    rows = shapes.DYADIC if dyadic else shapes.LAYERS
    return [problem for problem in rows if problem.batch >= min_batch]


def _problems(
    table: Sequence[Problem], dyadic: bool, min_batch: int, max_count: int = 70
) -> st.SearchStrategy[Problem]:
    """Return the table's problems, or any of up to 40 rows and 6 features in and out."""
    if not draws_any_shape():
        return st.sampled_from(table)
    return st.builds(
        Problem,
        batch=st.integers(min_batch, 40),
        in_features=st.integers(1, 6),
        out_features=st.integers(1, 6),
        num_control_points=(
            st.sampled_from(DYADIC_COUNTS) if dyadic else st.integers(2, max_count)
        ),
        spline_width=st.sampled_from(DYADIC_WIDTHS if dyadic else WIDTHS),
    )


def _places(values: Any, at_least: int) -> st.SearchStrategy[tuple[tuple[int, float], ...]]:
    """Return up to four pairs of a flat index and one of `values`."""
    if not values:
        return st.just(())
    pair = st.tuples(st.integers(0, 239), st.sampled_from(values))
    return st.lists(pair, min_size=at_least, max_size=4).map(tuple)


def _size(case: Case) -> int:
    """Return how many numbers a person has to read."""
    p = case.problem
    weights = p.in_features * p.num_control_points * p.out_features
    return p.batch * (p.in_features + p.out_features) + weights
