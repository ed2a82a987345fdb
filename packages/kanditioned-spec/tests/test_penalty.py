"""The smoothness penalty and its two scalings."""

from __future__ import annotations

import numpy as np
import pytest

from kanditioned_spec import penalty, refinement
from kanditioned_spec.grid import Grid


def test_affine_functions_are_free() -> None:
    c = np.stack([np.full(6, 3.0), 2.0 * np.arange(6) - 1], axis=1)[None]
    assert penalty.penalty(c) == 0.0


def test_edges_add_up() -> None:
    c = np.random.default_rng(0).normal(size=(3, 7, 2))
    edges = [penalty.penalty(c[i : i + 1, :, o : o + 1]) for i in range(3) for o in range(2)]
    assert penalty.penalty(c) == pytest.approx(sum(edges), rel=1e-14)
    bent = c[:, 2:] - 2 * c[:, 1:-1] + c[:, :-2]
    assert penalty.penalty(c) == pytest.approx((bent**2).sum(), rel=1e-14)


def test_two_control_points_cannot_bend() -> None:
    assert penalty.penalty(np.ones((2, 2, 2))) == 0.0


@pytest.mark.parametrize("count", [17, 65, 257, 1025])
@pytest.mark.parametrize("width", [2.0, 4.0, 10.0])
def test_continuous_scaling_approximates_the_integral_of_squared_curvature(
    count: int, width: float
) -> None:
    """For sin: ∫ sin² from the middle of the first interval to the middle of the last.

    The midpoint rule and the difference quotient have errors of at most h²/12 and h²/6 of the
    width, with all derivatives of sin at most 1.
    """
    h = Grid(count, width).spacing
    end = (width - h) / 2
    got = penalty.penalty(
        np.sin(Grid(count, width).knots())[:, None], scaling="continuous", spline_width=width
    )
    assert abs(got - (end - np.sin(2 * end) / 2)) <= (h**2 / 12 + h**2 / 6) * width


@pytest.mark.parametrize("width", [2.0, 4.0])
def test_continuous_scaling_keeps_its_value_when_a_smooth_function_is_sampled_finer(
    width: float,
) -> None:
    coarse, fine = (
        penalty.penalty(
            np.exp(Grid(k, width).knots())[:, None], scaling="continuous", spline_width=width
        )
        for k in (513, 4097)
    )
    assert fine == pytest.approx(coarse, rel=4 / 512)  # the two end intervals are not counted


@pytest.mark.parametrize("times", [2, 3, 5])
@pytest.mark.parametrize(("scaling", "power"), [("knots", -2), ("continuous", 1)])
def test_inserted_knots_dilute_every_kink(scaling: str, power: int, times: int) -> None:
    """A kink is D c = h · (change of slope) at one knot, so ‖D c‖² goes with h² and h² / h³."""
    c = np.random.default_rng(0).normal(size=(2, 9, 3))
    before = penalty.penalty(c, scaling=scaling)
    after = penalty.penalty(refinement.refine(c, times * 8 + 1), scaling=scaling)
    assert after == pytest.approx(before * float(times) ** power, rel=1e-12)


def test_scaling_factor_is_named() -> None:
    assert penalty.scaling_factor("knots", Grid(9, 4.0)) == 1.0
    assert penalty.scaling_factor("continuous", Grid(9, 4.0)) == 8.0
    with pytest.raises(ValueError, match=r'`penalty\(scaling=.*"knots", "continuous", got \'h\''):
        penalty.scaling_factor("h", Grid(9, 4.0))
