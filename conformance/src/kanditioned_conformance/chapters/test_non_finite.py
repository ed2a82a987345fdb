"""NaN and infinities in the inputs, the control points and the incoming gradient."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kanditioned_spec import Problem

from ..backend_under_test import BackendUnderTest
from ..cases import Case
from ..checks.layer import check_forward, check_grad_control_points, check_grad_x
from ..checks.maps import check_layer_of_nan
from ..checks.non_finite import (
    check_control_point,
    check_grad_y,
    check_second_derivatives_of_nan,
)
from ..shapes import LAYERS, OF_PARAMETERS
from ..strategies import MAPS, MapKind, draw_cases, map_id, non_finite

NAN_FIRST = Case(Problem(5, 2, 2, 9, 2.0), 0, "off_knots", ((0, np.nan),))
NAN_LAST = Case(Problem(5, 2, 2, 9, 2.0), 0, "off_knots", ((9, np.nan),))
EVERYWHERE = Case(Problem(2, 2, 1, 4, 6.5), 1, "off_knots", tuple((i, np.nan) for i in range(4)))
BOTH = Case(Problem(5, 2, 2, 9, 2.0), 1, "off_knots", ((0, np.nan), (1, np.inf), (4, -np.inf)))
OPPOSITE = Case(Problem(2, 2, 1, 4, 6.5), 1, "off_knots", ((0, np.inf), (1, -np.inf)))
NOTHING = Case(Problem(5, 2, 2, 9, 2.0), 0, "off_knots", ((0, np.nan),), grad_scale=0.0)
"""An incoming gradient of zero: NaN times it is NaN."""

DEAD = replace(NAN_FIRST, scale=0.0)
"""Control points of zero likewise; infinity times 0 is NaN as well."""
DEAD_AT_INFINITY = replace(OPPOSITE, scale=0.0)

POISONED = [
    pytest.param(Case(problem, seed, "off_knots"), id=f"B={problem.batch}")
    for seed, problem in enumerate(p for p in LAYERS if p.batch > 4)
]


class TestNaN:
    """NaN in x[b, i] gives NaN in y[b, :] and in the gradient of x[b, i]; it never spoils another.

    The gradient of the control points has NaN where `kanditioned_spec.reference.vjp` has: at the
    two control points of interval 0 ("choose l = 0 first") of feature i.
    """

    @draw_cases(non_finite(np.nan), NAN_FIRST, NAN_LAST, EVERYWHERE, BOTH, DEAD)
    def test_value(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_forward, case)

    @draw_cases(non_finite(np.nan), NAN_FIRST, NAN_LAST, EVERYWHERE, BOTH, NOTHING, DEAD)
    def test_gradient_of_inputs(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_grad_x, case)

    @draw_cases(non_finite(np.nan), NAN_FIRST, NAN_LAST, EVERYWHERE, BOTH, NOTHING)
    def test_gradient_of_control_points(
        self, backend_under_test: BackendUnderTest, case: Case
    ) -> None:
        backend_under_test.run(check_grad_control_points, case)

    @draw_cases(non_finite(np.nan), NAN_FIRST, NAN_LAST, EVERYWHERE)
    def test_second_derivatives(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_second_derivatives_of_nan, case)


@pytest.mark.parametrize("kind", MAPS[:2], ids=map_id)
class TestLayer:
    """NaN in x[b, i] gives NaN in y[b, :] and in the gradient of x[b, i], of layers of θ too."""

    def test_end_to_end(self, backend_under_test: BackendUnderTest, kind: MapKind) -> None:
        backend_under_test.run(check_layer_of_nan, Case(OF_PARAMETERS[0], 7, "off_knots").of(*kind))


class TestInfinity:
    """±inf follows IEEE arithmetic of the value formula, c_l + t·(c_{l+1} − c_l)."""

    @draw_cases(non_finite(np.inf, -np.inf), OPPOSITE, DEAD_AT_INFINITY)
    def test_value(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_forward, case)

    @draw_cases(non_finite(np.inf, -np.inf), OPPOSITE)
    def test_gradient_of_inputs(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_grad_x, case)

    @draw_cases(non_finite(np.inf, -np.inf), OPPOSITE)
    def test_gradient_of_control_points(
        self, backend_under_test: BackendUnderTest, case: Case
    ) -> None:
        backend_under_test.run(check_grad_control_points, case)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf], ids=str)
@pytest.mark.parametrize("case", POISONED)
class TestReach:
    """A number that is not finite reaches what the formulas say.

    Where `spreads_non_finite` is declared, it may also reach the rest of its output feature, or of
    the gradient of its input feature; never another.
    """

    def test_of_a_control_point(
        self, backend_under_test: BackendUnderTest, case: Case, value: float
    ) -> None:
        backend_under_test.run(check_control_point, case, value=value)

    def test_of_an_incoming_gradient(
        self, backend_under_test: BackendUnderTest, case: Case, value: float
    ) -> None:
        backend_under_test.run(check_grad_y, case, value=value)
