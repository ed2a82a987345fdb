"""Shapes, strides and who owns the memory."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest

from kanditioned_spec import Problem

from ..backend_under_test import BackendUnderTest
from ..cases import Case
from ..checks import Check
from ..checks.construction import check_refine, check_widen
from ..checks.contract import (
    check_layer_ownership,
    check_layer_remembers_nothing,
    check_layer_results_are_kept,
    check_map_ownership,
    check_map_remembers_nothing,
    check_map_results_are_kept,
)
from ..checks.files import check_save
from ..checks.layer import (
    check_feature_major,
    check_forward,
    check_grad_control_points,
    check_grad_x,
    check_leading_shape,
    check_second_derivatives,
)
from ..checks.maps import check_inverse, check_penalty, check_products
from ..layouts import Layout
from ..shapes import COMBINED, FEATURE_MAJOR, LARGE, MANY_TURNED, SEVERAL
from ..shapes import LAYERS as SHAPES
from ..shapes import MAPS as MAP_SHAPES
from ..strategies import (
    LAYOUTS,
    MAPS,
    PARAMETER_LAYOUTS,
    MapKind,
    draw_cases,
    layers,
    map_id,
    maps,
    strided_cases,
)

CHECKS = (check_forward, check_grad_x, check_grad_control_points, check_second_derivatives)
KEPT = [Case(p, 5, "off_knots") for p in (SHAPES[0], SHAPES[3], SHAPES[5], SEVERAL)]
"""Two of them have a feature-major variant that is tried."""
ROWS = tuple(Case(problem, 5, "off_knots") for problem in SHAPES if 0 < problem.batch < 17)
LEADING = [(), (1, 1), (2, 8), (2, 2, 4), (2, 2, 2, 2), (0,), (2, 0)]
STEPS: tuple[Layout, ...] = ("swapped", *LAYOUTS)
TURNED = (
    Case(MANY_TURNED, 2, "off_knots"),
    Case(SEVERAL, 2, "outside"),
    Case(Problem(6, 6, 6, 5), 2, "on_knots"),
    Case(SEVERAL, 2, "off_knots", ((0, np.nan), (18, np.nan))),
    Case(SEVERAL, 2, "off_knots", ((0, np.inf), (18, -np.inf))),
)
"""Inputs of each kind for the feature-major variant."""

ARGUMENTS: dict[Check, dict[str, int]] = {
    check_refine: {"num_control_points": 5},
    check_widen: {"intervals": 1},
}
MAP_CHECKS = (check_products, check_inverse, check_penalty, check_save)
OF_MAPS = [
    *((check, kind) for check in MAP_CHECKS for kind in (MAPS[1], MAPS[4])),
    *((check, MAPS[0]) for check in ARGUMENTS),
]


@pytest.mark.parametrize("check", CHECKS)
class TestStrides:
    """x has shape (..., I); y has shape (..., O). Any strides."""

    @draw_cases(strided_cases())
    def test_any_layout(
        self, backend_under_test: BackendUnderTest, check: Check, case: Case
    ) -> None:
        backend_under_test.run(check, case)


@pytest.mark.parametrize("layout", PARAMETER_LAYOUTS)
@pytest.mark.parametrize(("check", "kind"), OF_MAPS)
class TestStridesOfParameters:
    """Any strides, here of what acts along the knot axis."""

    def test_any_layout(
        self, backend_under_test: BackendUnderTest, check: Check, kind: MapKind, layout: Layout
    ) -> None:
        case = Case(MAP_SHAPES[1], 3, layout=layout).of(*kind)
        backend_under_test.run(check, case, **ARGUMENTS.get(check, {}))


class TestLeadingShape:
    """x has shape (..., I) with any leading shape, an empty batch included; y has (..., O)."""

    @pytest.mark.parametrize(
        "shape", LEADING, ids=lambda shape: "x".join(map(str, shape)) or "none"
    )
    def test_rows_keep_their_places(
        self, backend_under_test: BackendUnderTest, shape: tuple[int, ...]
    ) -> None:
        case = Case(_of_rows(prod(shape)), 0, "off_knots")
        backend_under_test.run(check_leading_shape, case, shape=shape)

    @pytest.mark.parametrize("layout", STEPS)
    @pytest.mark.parametrize("shape", [(2, 8), (2, 2, 4)], ids=["2x8", "2x2x4"])
    def test_any_strides(
        self, backend_under_test: BackendUnderTest, shape: tuple[int, ...], layout: Layout
    ) -> None:
        case = Case(_of_rows(prod(shape)), 0, "off_knots", layout=layout)
        backend_under_test.run(check_leading_shape, case, shape=shape)


class TestFeatureMajor:
    """A feature-major variant takes (I, B) and gives (O, B). Any strides."""

    @draw_cases(strided_cases(FEATURE_MAJOR), *TURNED)
    def test_values_and_gradients(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_feature_major, case)


@pytest.mark.parametrize("problem", LARGE, ids=lambda p: f"I={p.in_features},O={p.out_features}")
class TestLargeSizes:
    """x has shape (..., I); y has shape (..., O): features in and out, few or many."""

    @pytest.mark.parametrize("check", CHECKS[:3])
    def test_many_features(
        self, backend_under_test: BackendUnderTest, check: Check, problem: Problem
    ) -> None:
        backend_under_test.run(check, Case(problem, 4, "off_knots"))

    def test_second_derivatives(
        self, backend_under_test: BackendUnderTest, problem: Problem
    ) -> None:
        backend_under_test.run(check_second_derivatives, Case(problem, 4, "off_knots"))


@pytest.mark.parametrize(
    "problem",
    COMBINED,
    ids=lambda p: f"B={p.batch},I={p.in_features},O={p.out_features},K={p.num_control_points}",
)
@pytest.mark.parametrize("check", CHECKS)
class TestCombinedSizes:
    """x has shape (..., I); y has shape (..., O): of each size, few beside many of another."""

    def test_any(
        self, backend_under_test: BackendUnderTest, check: Check, problem: Problem
    ) -> None:
        backend_under_test.run(check, Case(problem, 4, "off_knots"))


class TestOwnership:
    """A backend has NumPy in, NumPy out: what comes in is the caller's, and what goes out is."""

    @draw_cases(layers("off_knots"))
    def test_inputs_of_layers(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_layer_ownership, case)

    @pytest.mark.parametrize("kind", MAPS, ids=map_id)
    @draw_cases(maps())
    def test_inputs_of_maps(
        self, backend_under_test: BackendUnderTest, kind: MapKind, case: Case
    ) -> None:
        backend_under_test.run(check_map_ownership, case.of(*kind))

    @pytest.mark.parametrize("case", KEPT, ids=lambda case: f"B={case.problem.batch}")
    def test_results_of_layers(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_layer_results_are_kept, case, later=ROWS)

    @pytest.mark.parametrize("kind", MAPS, ids=map_id)
    def test_results_of_maps(self, backend_under_test: BackendUnderTest, kind: MapKind) -> None:
        backend_under_test.run(check_map_results_are_kept, Case(MAP_SHAPES[1]).of(*kind))


class TestEveryCall:
    """A result follows from what a call is given: nothing of earlier calls is left."""

    @pytest.mark.parametrize("case", KEPT, ids=lambda case: f"B={case.problem.batch}")
    def test_of_layers(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_layer_remembers_nothing, case)

    @pytest.mark.parametrize("kind", MAPS, ids=map_id)
    def test_of_maps(self, backend_under_test: BackendUnderTest, kind: MapKind) -> None:
        backend_under_test.run(check_map_remembers_nothing, Case(MAP_SHAPES[1]).of(*kind))


def _of_rows(rows: int) -> Problem:
    return next(p for p in (*reversed(COMBINED), *SHAPES) if p.batch == rows)
