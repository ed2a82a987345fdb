"""Shapes, strides and who owns the memory."""

from __future__ import annotations

from math import prod

import pytest

from kanditioned_spec import Problem

from ..backend_under_test import BackendUnderTest
from ..cases import Case
from ..checks import Check
from ..checks.contract import (
    check_layer_ownership,
    check_layer_results_are_kept,
    check_map_ownership,
    check_map_results_are_kept,
)
from ..checks.layer import (
    check_feature_major,
    check_forward,
    check_grad_control_points,
    check_grad_x,
    check_leading_shape,
    check_second_derivatives,
)
from ..shapes import COMBINED, FEATURE_MAJOR, LARGE
from ..shapes import LAYERS as SHAPES
from ..shapes import MAPS as MAP_SHAPES
from ..strategies import MAPS, MapKind, drawn, layers, map_id, maps, strided

CHECKS = (check_forward, check_grad_x, check_grad_control_points, check_second_derivatives)
ROWS = tuple(Case(problem, 5, "off_knots") for problem in SHAPES if 0 < problem.batch < 17)
LEADING = [(), (1, 1), (2, 8), (2, 2, 4), (0,), (2, 0)]


@pytest.mark.parametrize("check", CHECKS)
class TestStrides:
    """x has shape (..., I); y has shape (..., O). Any strides."""

    @drawn(strided())
    def test_any_layout(
        self, backend_under_test: BackendUnderTest, check: Check, case: Case
    ) -> None:
        backend_under_test.run(check, case)


class TestLeadingShape:
    """x has shape (..., I) with any leading shape, an empty batch included; y has (..., O)."""

    @pytest.mark.parametrize(
        "shape", LEADING, ids=lambda shape: "x".join(map(str, shape)) or "none"
    )
    def test_rows_keep_their_places(
        self, backend_under_test: BackendUnderTest, shape: tuple[int, ...]
    ) -> None:
        rows = prod(shape)
        problem = next(p for p in (*reversed(COMBINED), *SHAPES) if p.batch == rows)
        backend_under_test.run(check_leading_shape, Case(problem, 0, "off_knots"), shape=shape)


class TestFeatureMajor:
    """A feature-major variant takes (I, B) and gives (O, B). Any strides."""

    @drawn(strided(FEATURE_MAJOR))
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

    @drawn(layers("off_knots"))
    def test_inputs_of_layers(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_layer_ownership, case)

    @pytest.mark.parametrize("kind", MAPS, ids=map_id)
    @drawn(maps())
    def test_inputs_of_maps(
        self, backend_under_test: BackendUnderTest, kind: MapKind, case: Case
    ) -> None:
        backend_under_test.run(check_map_ownership, case.of(*kind))

    @pytest.mark.parametrize("case", ROWS[::3], ids=lambda case: f"B={case.problem.batch}")
    def test_results_of_layers(self, backend_under_test: BackendUnderTest, case: Case) -> None:
        backend_under_test.run(check_layer_results_are_kept, case, later=ROWS)

    @pytest.mark.parametrize("kind", MAPS, ids=map_id)
    def test_results_of_maps(self, backend_under_test: BackendUnderTest, kind: MapKind) -> None:
        backend_under_test.run(check_map_results_are_kept, Case(MAP_SHAPES[1]).of(*kind))
