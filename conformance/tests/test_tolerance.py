"""The comparison itself: what it accepts, what it refuses, what it says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kanditioned_conformance import Case, ConformanceError
from kanditioned_conformance.cases import Inputs
from kanditioned_conformance.checks.layer import check_forward
from kanditioned_conformance.faults.layer import SwapsTheFraction
from kanditioned_conformance.tolerance import compare
from kanditioned_spec import Problem, numerics
from kanditioned_spec.backend import ReferenceBackend

PROBLEM = Problem(1, 1, 3, 2)
WANT = np.array([1.0, np.nan, np.inf])
BOUND = numerics.tolerance(np.ones(3), WANT, "float32")


def test_ratio_is_error_over_bound() -> None:
    got = [1 + 0.5 * BOUND[0], np.nan, np.inf]
    ratios = compare("value", PROBLEM, got, WANT, np.ones(3))
    assert ratios["value"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    "got",
    [
        [1 + 1.01 * BOUND[0], np.nan, np.inf],
        [np.nan, np.nan, np.inf],
        [np.inf, np.nan, np.inf],
        [1, 0, np.inf],
        [1, np.inf, np.inf],
        [1, np.nan, -np.inf],
        [1, np.nan, np.nan],
        [1, np.nan, 3e38],
        [1, np.nan],
        [[1, np.nan, np.inf]],
    ],
)
def test_differences_are_refused(got: list[float]) -> None:
    with pytest.raises(ConformanceError):
        compare("value", PROBLEM, got, WANT, np.ones(3))


def test_an_infinite_condition_does_not_excuse_nan() -> None:
    with pytest.raises(ConformanceError):
        compare("value", PROBLEM, [np.nan], [1.0], [np.inf])


def test_the_message_names_what_a_person_needs() -> None:
    with pytest.raises(ConformanceError) as caught:
        check_forward(SwapsTheFraction(), Case(Problem(3, 1, 1, 4), 0, "off_knots"))
    message = str(caught.value)
    for part in (
        "value: at [0, 0]",
        "got",
        "want",
        "times the bound",
        "B=3 I=1 O=1 K=4 w=4.0 float32",
    ):
        assert part in message
    assert "x[0, 0] =" in message
    assert "interval" in message
    assert "control_points[0, " in message
    assert caught.value.ratio > 1


@pytest.mark.parametrize("inputs", ["anywhere", "outside"])
def test_what_all_wrong_entries_share_is_said(inputs: Inputs) -> None:
    """It is no news where all inputs are outside the domain."""

    class Clamps(ReferenceBackend):
        def forward(self, problem: Problem, x: Any, control_points: Any) -> Any:
            end = problem.spline_width / 2
            return super().forward(problem, np.clip(x, -end, end), control_points)

    with pytest.raises(ConformanceError) as caught:
        check_forward(Clamps(), Case(Problem(40, 1, 2, 9, 2.0), 0, inputs))
    said = "all of them are of inputs outside the domain" in str(caught.value)
    assert said == (inputs == "anywhere")
