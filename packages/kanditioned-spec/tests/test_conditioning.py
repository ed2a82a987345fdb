"""Condition numbers: the reason for the parameterizations.

The tolerances here belong to the claim (a condition of 1 to so many digits), not to an
implementation's rounding.
"""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pytest

from kanditioned_spec import parameterization
from kanditioned_spec.conditioning import (
    joint_condition,
    joint_table,
    penalty_condition,
    penalty_table,
)
from kanditioned_spec.grid import Array, Grid
from kanditioned_spec.parameterizations.dct import dct_matrix
from kanditioned_spec.parameterizations.demmler_reinsch import mass_matrix
from kanditioned_spec.penalty import second_difference_matrix

COUNTS = (4, 5, 8, 31, 32, 256, 1024)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(
    ("name", "options"),
    [("prefix_sum", {}), ("dct", {"transform": "fft"}), ("dct", {"transform": "matmul"})],
)
def test_penalty_is_perfectly_conditioned(name: str, options: dict[str, str], count: int) -> None:
    p = parameterization(name, count, **options)
    assert penalty_condition(p) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("count", COUNTS)
def test_without_the_rank_two_correction_the_condition_is_half_k(count: int) -> None:
    """The Hessian in scaled coefficients is I - uuᵀ - vvᵀ; its values are 0, 2/K and ones."""
    q = dct_matrix(count)
    frequencies = np.arange(1, count)
    eigenvalues = 2 - 2 * np.cos(np.pi * frequencies / count)
    plain = second_difference_matrix(count) @ (q[1:].T / eigenvalues)
    hessian = plain.T @ plain
    u, v = q[1:, 0], q[1:, -1]
    np.testing.assert_allclose(
        hessian, np.eye(count - 1) - np.outer(u, u) - np.outer(v, v), atol=1e-9
    )

    curved = np.linalg.eigvalsh(hessian)[1:]  # without the zero of the linear function
    assert curved[0] == pytest.approx(2 / count, rel=1e-6)
    assert curved[-1] / curved[0] == pytest.approx(count / 2, rel=1e-6)


@pytest.mark.parametrize(
    ("count", "condition"), [(4, 5.0), (32, 3.3e4), (256, 1.4e8), (1024, 3.5e10)]
)
def test_control_points_themselves_are_badly_conditioned(count: int, condition: float) -> None:
    assert penalty_condition(parameterization("bspline", count)) == pytest.approx(
        condition, rel=0.05
    )


@cache
def mass_of(count: int, density: str) -> Array:
    return mass_matrix(Grid(count, 4.0), density)


@pytest.mark.parametrize("count", [2, 3, 4, 32, 256, 1024])
@pytest.mark.parametrize("density", ["uniform", "normal"])
@pytest.mark.parametrize("smoothing", [0.0, 1e-8, 1e-4, 1.0, 1e4, 1e8])
def test_objective_is_perfectly_conditioned(smoothing: float, density: str, count: int) -> None:
    p = parameterization("demmler_reinsch", count, smoothing=smoothing, density=density)
    assert joint_condition(p, smoothing, mass_of(count, density)) == pytest.approx(1, abs=1e-5)


def test_no_other_parameterization_conditions_the_objective() -> None:
    """Guards the test above: the measure tells good from bad."""
    for name in ("bspline", "prefix_sum", "dct", "legendre"):
        p = parameterization(name, 256)
        assert joint_condition(p, 1.0, mass_of(256, "uniform")) > 1e3


def test_fewer_than_two_curved_directions_have_condition_one() -> None:
    for count in (2, 3):
        assert penalty_condition(parameterization("bspline", count)) == 1.0


def test_truncated_polynomials_count_the_directions_that_they_have() -> None:
    p = parameterization("legendre", 16, degree=3)
    bent = second_difference_matrix(16) @ p.matrix()
    quadratic, cubic = (float(bent[:, j] @ bent[:, j]) for j in (2, 3))
    assert bent[:, 2] @ bent[:, 3] == pytest.approx(0, abs=1e-12)
    assert penalty_condition(p) == pytest.approx(cubic / quadratic, rel=1e-9)


def test_tables_have_a_row_each_and_a_column_per_k() -> None:
    table = penalty_table((4, 16))
    rows = [line for line in table.splitlines() if re.match("dct|bspline|legendre|p", line)]
    assert [row.split()[0] for row in rows] == [
        "bspline", "parallel_scan", "legendre", "prefix_sum", "dct", "dct",
    ]  # fmt: skip
    assert all(float(row.split()[-1]) >= 1 - 1e-9 for row in rows)
    joint = joint_table((4, 16), (1.0, 100.0), "normal")
    assert joint.count("demmler_reinsch") == 2
    assert joint.splitlines()[1].split() == ["K", "=", "4", "K", "=", "16"]
