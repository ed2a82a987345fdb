"""Shapes by the kernels themselves, given addresses, without a framework around them.

So they run under the sanitizers, on arrays of exactly the size that is asked for.
"""

import numpy as np
import pytest

from kanditioned_cpu import shapes as kernels
from kanditioned_spec import Shapes, numerics

SHAPES = Shapes((0, 1, -1, 0, 0, 1, -1, 0), (0, 0, 0, 1, -1, 1, 1, 0))


def called(c: np.ndarray, wanted: int, free: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """Return what a kernel writes, for free points, a tangent or a gradient."""
    _, knots, out = c.shape
    result = np.full_like(c, np.nan)
    call = kernels.arguments(SHAPES, knots, out, 1 if out < 5 else 3)
    addresses = (each.ctypes.data for each in (free, result, marks))
    kernels.shape(c.dtype.name, call, wanted, *addresses)
    return result


@pytest.mark.usefixtures("instruction_set")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("knots", [2, 3, 8, 65])
@pytest.mark.parametrize("out", [1, 7, 8, 9, 16, 17, 33, 64])
def test_points_and_both_maps_are_those_of_the_spec(knots: int, out: int, dtype: str) -> None:
    rng = np.random.default_rng(knots * out)
    c, v = rng.normal(size=(2, len(SHAPES.monotone), knots, out)).astype(dtype)
    marks = np.zeros((len(SHAPES.features), knots, out), np.uint8)
    points = called(c, kernels.POINTS, c, marks)
    assert SHAPES.violations(points) == 0
    want, condition = SHAPES.feasible(c), numerics.shape_condition(c, SHAPES)
    assert (np.abs(points - want) <= numerics.tolerance(condition, want, dtype)).all()
    moved = called(c, kernels.GRADIENT, v, marks)
    ahead = called(c, kernels.TANGENT, c, marks)
    scale = knots * np.abs(v).max() * np.finfo(dtype).eps
    np.testing.assert_allclose(moved, SHAPES.vjp(c, v), rtol=0, atol=16 * scale)
    # A map and its transpose: <v, M c> = <Mᵀ v, c>, and M c are the points before their increments
    # are put in order.
    np.testing.assert_allclose((v * ahead).sum(1), (moved * c).sum(1), rtol=0, atol=99 * scale)
    np.testing.assert_allclose(ahead, points, rtol=0, atol=99 * scale)


@pytest.mark.usefixtures("instruction_set")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30, -0.0])
def test_edges_of_any_numbers_are_left_alone_or_shaped(bad: float, dtype: str) -> None:
    rng = np.random.default_rng(0)
    c = rng.normal(size=(len(SHAPES.monotone), 9, 21)).astype(dtype)
    c[:, ::3, ::4] = bad
    marks = np.zeros((len(SHAPES.features), 9, 21), np.uint8)
    points = called(c, kernels.POINTS, c, marks)
    finite = np.isfinite(c).all(1, keepdims=True)
    np.testing.assert_array_equal(np.where(finite, 0, points), np.where(finite, 0, c))
    assert SHAPES.violations(np.where(finite, points, 0)) == 0
    for wanted in (kernels.TANGENT, kernels.GRADIENT):
        moved = called(c, wanted, np.ones_like(c), marks)
        np.testing.assert_allclose(moved.sum(1), 9, rtol=1e-5)
