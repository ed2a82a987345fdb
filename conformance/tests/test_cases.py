"""Cases: their numbers are exact in the storage dtype and lie where they are said to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kanditioned_conformance import Case
from kanditioned_conformance.cases import finite
from kanditioned_conformance.faults.plain import DTYPES
from kanditioned_conformance.strategies import layers
from kanditioned_spec import Problem, numerics
from kanditioned_spec.grid import Grid
from kanditioned_spec.rounding import round_to

dtypes = st.sampled_from(DTYPES)


@given(case=layers().random, dtype=dtypes)
def test_numbers_are_exact_in_the_storage_dtype(case: Case, dtype: str) -> None:
    for array in case.on(dtype, "cpu").arrays():
        np.testing.assert_array_equal(round_to(array, dtype), array)


@given(case=layers().random, dtype=dtypes)
def test_a_case_gives_the_same_arrays_twice(case: Case, dtype: str) -> None:
    case = case.on(dtype, "cpu")
    for one, other in zip(case.arrays(), case.arrays(), strict=True):
        assert one.tobytes() == other.tobytes()


@given(case=layers().random)
def test_a_printed_case_can_be_pasted(case: Case) -> None:
    assert eval(repr(case), {"Case": Case, "Problem": Problem}) == case


@given(case=layers("off_knots").random, dtype=dtypes)
def test_off_knots_is_off_knots(case: Case, dtype: str) -> None:
    case = case.on(dtype, "cpu")
    p = case.problem
    assert not numerics.near_knot(case.arrays().x, p.grid, p.dtype).any()


@given(case=layers("outside").random, dtype=dtypes)
def test_outside_is_outside(case: Case, dtype: str) -> None:
    case = case.on(dtype, "cpu")
    assert (np.abs(case.arrays().x) >= case.problem.spline_width / 2).all()


@given(case=layers("on_knots").random, dtype=dtypes)
def test_on_knots_is_on_knots(case: Case, dtype: str) -> None:
    p = case.on(dtype, "cpu").problem
    u = p.grid.position(case.on(dtype, "cpu").arrays().x)
    assert p.grid.is_dyadic
    assert (u == np.rint(u)).all()


@given(case=layers("one_interval", min_batch=2).random)
def test_one_interval_is_one_interval(case: Case) -> None:
    p, x = case.problem, case.arrays().x
    interval, _ = p.grid.locate(x)
    assert (interval == interval[0]).all()


def test_knots_of_other_grids_are_refused() -> None:
    with pytest.raises(ValueError, match="dyadic"):
        Case(Problem(1, 1, 1, 4, 6.5), 0, "on_knots").arrays()


def test_infinities_are_bounded_as_the_outer_intervals() -> None:
    problem = Problem(4, 1, 1, 39, 20.0)
    bounded = finite([-np.inf, np.inf, np.nan, 3.0], problem)
    assert bounded.tolist() == [-10.0, 10.0, 0.0, 3.0]
    assert Grid(39, 20.0).locate(bounded[:2])[0].tolist() == [0, 37]


def test_special_inputs_keep_their_sign() -> None:
    x = Case(Problem(2, 1, 1, 5), 0, special=((0, -0.0), (3, np.nan))).arrays().x
    assert np.signbit(x[0, 0])
    assert np.isnan(x[1, 0])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1 + 2.0**-8, 1.0),  # halfway, to even
        (1 + 3 * 2.0**-8, 1 + 2.0**-6),  # halfway, to even
        (1 + 2.0**-8 + 2.0**-20, 1 + 2.0**-7),
        (-np.inf, -np.inf),
        (np.nan, np.nan),
        (-0.0, -0.0),
    ],
)
def test_rounding_to_bfloat16(value: float, expected: float) -> None:
    result = round_to([value], "bfloat16")
    np.testing.assert_array_equal(result, [expected])
    np.testing.assert_array_equal(np.signbit(result), np.signbit([expected]))
