"""Positions and sums, whatever the storage dtype."""

from __future__ import annotations

import pytest

from kanditioned_spec import Problem

from ..cases import Case
from ..checks import (
    check_declared_accumulation,
    check_forward,
    check_grad_control_points,
    check_grad_x,
)
from ..subject import Subject

MANY_KNOTS = [
    pytest.param(Case(Problem(64, 2, 3, count, width), seed, "off_knots"), id=f"K={count}")
    for seed, (count, width) in enumerate([(64, 4.0), (256, 4.0), (256, 6.5), (1000, 20.0)])
]
LONG_BATCH = Case(Problem(3000, 1, 2, 5), 0, "one_interval")
MANY_INPUTS = Case(Problem(2, 500, 1, 5), 1, "off_knots")
MANY_OUTPUTS = Case(Problem(2, 1, 500, 5), 2, "off_knots")


class TestPositions:
    """Positions are float32 or wider for every storage dtype; float64 stays float64 end to end."""

    @pytest.mark.parametrize("case", MANY_KNOTS)
    def test_value(self, subject: Subject, case: Case) -> None:
        subject.run(check_forward, case)

    @pytest.mark.parametrize("case", MANY_KNOTS)
    def test_gradient_of_inputs(self, subject: Subject, case: Case) -> None:
        subject.run(check_grad_x, case)

    @pytest.mark.parametrize("case", MANY_KNOTS)
    def test_gradient_of_control_points(self, subject: Subject, case: Case) -> None:
        subject.run(check_grad_control_points, case)


class TestSums:
    """Accumulation is float32 or wider for every storage dtype."""

    def test_value_over_features(self, subject: Subject) -> None:
        subject.run(check_forward, MANY_INPUTS)

    def test_gradient_of_inputs_over_outputs(self, subject: Subject) -> None:
        subject.run(check_grad_x, MANY_OUTPUTS)

    def test_gradient_of_control_points_over_the_batch(self, subject: Subject) -> None:
        subject.run(check_grad_control_points, LONG_BATCH)

    def test_is_declared(self, subject: Subject) -> None:
        subject.run(check_declared_accumulation, LONG_BATCH)
