"""From parameters to control points and back."""

from __future__ import annotations

import pytest

from ..backend_under_test import BackendUnderTest
from ..cases import Case
from ..checks.maps import (
    check_conditioning,
    check_control_points,
    check_inverse,
    check_layer_of_parameters,
    check_products,
    check_transpose,
)
from ..shapes import LAYERS, MANY_POINTS
from ..shapes import OF_PARAMETERS as SHAPES
from ..strategies import (
    ENTRYWISE_MAPS,
    LARGE_PARAMETERS,
    MAP_COUNT,
    MAPS,
    MapKind,
    draw_cases,
    map_id,
    maps,
)

MANY_PARAMETERS = next(problem for problem in LAYERS if problem.num_control_points == 70)
FEW: MapKind = ("legendre", (("degree", 2),))
OF_PARAMETERS = [
    Case(problem, 7, "off_knots", layout="fortran" if problem.batch == 16 else "contiguous")
    for problem in SHAPES
]


@pytest.mark.parametrize("kind", ENTRYWISE_MAPS, ids=map_id)
class TestMatrix:
    """Trainable parameters θ map linearly to control points along the knot axis, c = T θ."""

    @draw_cases(maps(MAP_COUNT), LARGE_PARAMETERS)
    def test_control_points(
        self, backend_under_test: BackendUnderTest, kind: MapKind, case: Case
    ) -> None:
        backend_under_test.run(check_control_points, case.of(*kind))

    @draw_cases(maps(MAP_COUNT), LARGE_PARAMETERS)
    def test_transpose(
        self, backend_under_test: BackendUnderTest, kind: MapKind, case: Case
    ) -> None:
        """Each has `control_points(θ)`, its transpose (for gradients)."""
        backend_under_test.run(check_transpose, case.of(*kind))


@pytest.mark.parametrize("kind", [*ENTRYWISE_MAPS, FEW], ids=map_id)
class TestLayer:
    """y and its derivatives by θ, of which c = T θ: ∂y/∂θ = Tᵀ ∂y/∂c.

    The parameters of others, such as increments, have a T of their own.
    """

    @pytest.mark.parametrize("case", OF_PARAMETERS, ids=lambda case: f"B={case.problem.batch}")
    def test_end_to_end(
        self, backend_under_test: BackendUnderTest, kind: MapKind, case: Case
    ) -> None:
        backend_under_test.run(check_layer_of_parameters, case.of(*kind))


class TestLayerOfManyPoints:
    """The same of many parameters, which are control points: no sum over them."""

    def test_end_to_end(self, backend_under_test: BackendUnderTest) -> None:
        backend_under_test.run(check_layer_of_parameters, Case(MANY_PARAMETERS, 7, "off_knots"))


@pytest.mark.parametrize("kind", MAPS, ids=map_id)
class TestTranspose:
    """`control_points(θ)` and its transpose; two evaluation paths that agree (`transform=`)."""

    @draw_cases(maps(), LARGE_PARAMETERS)
    def test_products(
        self, backend_under_test: BackendUnderTest, kind: MapKind, case: Case
    ) -> None:
        """⟨g, T θ⟩ = ⟨Tᵀ g, θ⟩."""
        backend_under_test.run(check_products, case.of(*kind))

    def test_of_many_points(self, backend_under_test: BackendUnderTest, kind: MapKind) -> None:
        backend_under_test.run(check_products, Case(MANY_POINTS).of(*kind))


@pytest.mark.parametrize("kind", MAPS, ids=map_id)
class TestInverse:
    """`parameters_from(c)`: exact where T is square, least squares otherwise."""

    @draw_cases(maps(MAP_COUNT), LARGE_PARAMETERS)
    def test_parameters_from(
        self, backend_under_test: BackendUnderTest, kind: MapKind, case: Case
    ) -> None:
        backend_under_test.run(check_inverse, case.of(*kind))

    def test_of_many_points(self, backend_under_test: BackendUnderTest, kind: MapKind) -> None:
        backend_under_test.run(check_inverse, Case(MANY_POINTS).of(*kind))


@pytest.mark.parametrize("kind", MAPS, ids=map_id)
class TestConditions:
    """`prefix_sum`, `dct`: penalty condition exactly 1; `demmler_reinsch`: of the whole objective.

    ‖T‖_F = √K (`parallel_scan` alone keeps the scale of the 1.x package).
    """

    @draw_cases(maps(MAP_COUNT))
    def test_singular_values(
        self, backend_under_test: BackendUnderTest, kind: MapKind, case: Case
    ) -> None:
        backend_under_test.run(check_conditioning, case.of(*kind))
