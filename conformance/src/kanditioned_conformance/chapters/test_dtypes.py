"""Positions and sums, whatever the storage dtype."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kanditioned_spec import Problem

from ..backend_under_test import BackendUnderTest
from ..cases import Case
from ..checks import Check
from ..checks.contract import check_declared_accumulation, check_layer_dtype, check_map_dtype
from ..checks.layer import (
    check_feature_major,
    check_forward,
    check_grad_control_points,
    check_grad_x,
    check_second_derivatives,
)
from ..shapes import (
    LAYERS,
    LONG_BATCH,
    MANY_INPUTS,
    MANY_KNOTS,
    MANY_OUTPUTS,
    OF_PARAMETERS,
    SEVERAL,
)
from ..shapes import MAPS as MAP_SHAPES
from ..strategies import MAPS, MapKind, map_id

CASES = [
    pytest.param(Case(problem, seed, "off_knots"), id=f"K={problem.num_control_points}")
    for seed, problem in enumerate(MANY_KNOTS)
]


@pytest.mark.parametrize("case", CASES)
class TestPositions:
    """Positions are float32 or wider for every storage dtype; float64 stays float64 end to end."""

    def test_value(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_forward, case)

    def test_gradient_of_inputs(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_grad_x, case)

    def test_gradient_of_control_points(
        self, backend_under_test: BackendUnderTest, case: Case
    ) -> None:
        backend_under_test.run(check_grad_control_points, case)

    def test_second_derivatives(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_second_derivatives, case)


class TestSums:
    """Accumulation is float32 or wider for every storage dtype."""

    def test_value_over_features(self, backend_under_test: BackendUnderTest) -> None:
        backend_under_test.run(check_forward, Case(MANY_INPUTS, 1, "off_knots"))

    def test_gradient_of_inputs_over_outputs(self, backend_under_test: BackendUnderTest) -> None:
        backend_under_test.run(check_grad_x, Case(MANY_OUTPUTS, 2, "off_knots"))

    def test_gradient_of_control_points_over_the_batch(
        self, backend_under_test: BackendUnderTest
    ) -> None:
        backend_under_test.run(check_grad_control_points, Case(LONG_BATCH, 0, "one_interval"))

    def test_is_declared(self, backend_under_test: BackendUnderTest) -> None:
        backend_under_test.run(check_declared_accumulation, Case(LONG_BATCH))


SUBNORMAL = 2.0**-17
"""The largest half of what float16 has below its smallest normal number, 2⁻¹⁴."""
SMALL = [Case(problem, 3, "off_knots") for problem in LAYERS if problem.batch in (5, 9, 131)]


@pytest.mark.parametrize("case", SMALL, ids=lambda case: f"B={case.problem.batch}")
class TestSubnormals:
    """Positions and accumulation are float32: numbers below 2⁻¹⁴ are float16's as any others."""

    def test_value(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_forward, replace(case, scale=SUBNORMAL))

    def test_gradient_of_inputs(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_grad_x, replace(case, scale=SUBNORMAL))

    def test_gradient_of_control_points(
        self, backend_under_test: BackendUnderTest, case: Case
    ) -> None:
        backend_under_test.run(check_grad_control_points, replace(case, grad_scale=SUBNORMAL))


LARGE = [
    (check_forward, Case(SEVERAL, 3, "off_knots", scale=2.0**8)),
    (check_grad_x, Case(SEVERAL, 3, "off_knots", grad_scale=2.0**8)),
    (check_grad_control_points, Case(SEVERAL, 3, "off_knots", grad_scale=2.0**8)),
    (check_feature_major, Case(SEVERAL, 3, "off_knots", grad_scale=2.0**8)),
    (check_second_derivatives, Case(SEVERAL, 3, "off_knots", grad_scale=2.0**4)),
]
"""Numbers beyond those that normal variates are clipped to; float16 still holds the results."""


@pytest.mark.parametrize(("check", "case"), LARGE, ids=[check.__name__ for check, _ in LARGE])
class TestLargeNumbers:
    """The value is linear in control points, and gradients in grad_y: nothing is clipped."""

    def test_any(self, backend_under_test: BackendUnderTest, check: Check, case: Case) -> None:
        backend_under_test.run(check, case)


SMALL_INPUTS = Case(
    Problem(2, 2, 1, 4, 6.5), 3, "off_knots", ((0, 5e-324), (1, -1e-40), (2, 2.0**-24), (3, -1e-7))
)
"""The smallest numbers of each dtype, or zero, in the middle of an interval."""


@pytest.mark.parametrize("check", [check_forward, check_grad_x, check_grad_control_points])
class TestSubnormalInputs:
    """Positions are float32 or wider: an input below the smallest normal number is one like 0."""

    def test_any(self, backend_under_test: BackendUnderTest, check: Check) -> None:
        backend_under_test.run(check, SMALL_INPUTS)


RESULTS = [*SMALL, Case(OF_PARAMETERS[0], 3, "off_knots")]


class TestResults:
    """Output dtype = the promoted dtype of x and parameters, here of two that are the same."""

    @pytest.mark.parametrize("case", RESULTS, ids=lambda case: f"B={case.problem.batch}")
    def test_of_layers(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_layer_dtype, case)

    @pytest.mark.parametrize("kind", MAPS, ids=map_id)
    def test_of_maps(self, backend_under_test: BackendUnderTest, kind: MapKind) -> None:
        backend_under_test.run(check_map_dtype, Case(MAP_SHAPES[1]).of(*kind))
