"""Initial control points: linear functions in input units."""

from __future__ import annotations

import numpy as np
import pytest

from kanditioned_spec import initializers, numerics, reference
from kanditioned_spec.grid import Grid

SIZES = [(1, 1, 2, 1.0), (3, 3, 8, 4.0), (5, 5, 31, 0.5)]  # I, O, K, w


@pytest.mark.parametrize(("inputs", "outputs", "count", "width"), SIZES)
def test_identity_is_the_identity(inputs: int, outputs: int, count: int, width: float) -> None:
    c = initializers.control_points("identity", inputs, outputs, Grid(count, width))
    for i in range(inputs):
        np.testing.assert_array_equal(c[i, :, i], Grid(count, width).knots())
        np.testing.assert_array_equal(np.delete(c[i], i, axis=1), 0.0)
    x = np.random.default_rng(0).normal(size=(50, inputs)) * width  # outside the domain as well
    bound = numerics.tolerance(numerics.forward_condition(x, c, width), x, "float64")
    assert (np.abs(reference.forward(x, c, width) - x) <= bound).all()


@pytest.mark.parametrize(("count", "width"), [(2, 1.0), (3, 4.0), (9, 4.0), (33, 6.0), (1025, 2.5)])
def test_identity_returns_knots_to_the_last_bit(count: int, width: float) -> None:
    """On grids whose knots are numbers of float64; elsewhere a knot as such cannot be fed in."""
    x = Grid(count, width).knots()[:, None]
    c = initializers.control_points("identity", 1, 1, Grid(count, width))
    np.testing.assert_array_equal(reference.forward(x, c, width), x)


@pytest.mark.parametrize("init", initializers.INITIALIZERS)
@pytest.mark.parametrize(("inputs", "outputs", "count", "width"), SIZES)
def test_functions_are_linear_through_the_origin(
    init: str, inputs: int, outputs: int, count: int, width: float
) -> None:
    c = initializers.control_points(init, inputs, outputs, Grid(count, width), rng=0)
    assert c.shape == (inputs, count, outputs)
    slopes = (c[:, -1] - c[:, 0]) / width
    want = slopes[:, None, :] * Grid(count, width).knots()[:, None]
    np.testing.assert_allclose(c, want, rtol=0, atol=8 * np.spacing(width))


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 4), (7, 3), (256, 64)])
def test_random_slopes_have_unit_norm_per_output(inputs: int, outputs: int) -> None:
    c = initializers.control_points("random_normal", inputs, outputs, Grid(8, 4.0), rng=1)
    norms = np.linalg.norm((c[:, -1] - c[:, 0]) / 4.0, axis=0)
    np.testing.assert_allclose(norms, 1.0, rtol=1e-14)


def test_random_slopes_keep_unit_scale_through_a_stack() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 64))
    for _ in range(8):
        x = reference.forward(
            x, initializers.control_points("random_normal", 64, 64, Grid(8, 4.0), rng), 4.0
        )
    assert 0.5 < x.std() < 2.0


def test_zero_is_zero() -> None:
    assert not initializers.control_points("zero", 2, 3, Grid(4, 1.0)).any()


def test_a_seed_decides_and_a_generator_advances() -> None:
    def draw(rng: np.random.Generator | int) -> bytes:
        return initializers.control_points("random_normal", 3, 2, Grid(4, 1.0), rng).tobytes()

    assert draw(7) == draw(7) == draw(np.random.default_rng(7))
    assert draw(7) != draw(8)
    generator = np.random.default_rng(7)
    assert draw(generator) != draw(generator)


@pytest.mark.parametrize("rng", [None, 0])
def test_the_global_random_state_is_left_alone(rng: int | None) -> None:
    before = np.random.get_state()  # noqa: NPY002 - it is the legacy state that must not move
    initializers.control_points("random_normal", 3, 2, Grid(4, 1.0), rng)
    after = np.random.get_state()  # noqa: NPY002
    assert str(before) == str(after)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match='must be one of "random_normal", "identity", "zero"'):
        initializers.control_points("xavier", 2, 2, Grid(4, 1.0))
    with pytest.raises(ValueError, match=r"in_features == out_features, got 2 and 3\. Make them"):
        initializers.control_points("identity", 2, 3, Grid(4, 1.0))


def test_monotone_features_start_in_their_direction() -> None:
    monotone = (1, 0, -1)
    c = initializers.control_points("random_normal", 3, 50, Grid(5, 4.0), 0, monotone)
    slopes = c[:, -1] - c[:, 0]
    assert (slopes[0] > 0).all()
    assert (slopes[2] < 0).all()
    assert np.ptp(np.sign(slopes[1])) == 2
    np.testing.assert_allclose(np.linalg.norm(slopes / 4, axis=0), 1)


def test_outputs_keep_their_scale_if_every_feature_is_monotone() -> None:
    c = initializers.control_points("random_normal", 3, 50, Grid(5, 4.0), 0, (1, 1, 1))
    np.testing.assert_allclose((c[:, -1] - c[:, 0]).sum(0), 4)


def test_the_identity_does_not_fall() -> None:
    initializers.control_points("identity", 2, 2, Grid(5, 4.0), monotone=(1, 0))
    with pytest.raises(ValueError, match=r"init=.*decreasing feature, got \"identity\""):
        initializers.control_points("identity", 2, 2, Grid(5, 4.0), monotone=(1, -1))
