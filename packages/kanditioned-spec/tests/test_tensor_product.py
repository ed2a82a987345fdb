"""Terms of two inputs against a plain bilinear formula."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kanditioned_spec import TensorProduct, numerics

A, B = np.array([-1.0, 0.0, 0.25, 3.0]), np.array([10.0, 11.0, 20.0])
VALUES = np.random.default_rng(0).standard_normal((4, 3, 2))
TERM = TensorProduct(A, B, VALUES)


def bilinear(x: float, y: float) -> np.ndarray:
    """Interpolate along the second input at all knots of the first, then along the first."""
    rows = [[np.interp(y, B, VALUES[j, :, o]) for j in range(4)] for o in range(2)]
    return np.array([np.interp(x, A, row) for row in rows])


@given(st.floats(-3, 5), st.floats(8, 22))
def test_it_is_bilinear_and_constant_beyond_its_ends(x: float, y: float) -> None:
    np.testing.assert_allclose(TERM([x, y]), bilinear(x, y), rtol=0, atol=1e-14)


def test_it_has_its_values_at_the_knots() -> None:
    grid = np.stack(np.meshgrid(A, B, indexing="ij"), axis=-1)
    np.testing.assert_array_equal(TERM(grid), VALUES)
    assert TERM(np.zeros((0, 2))).shape == (0, 2)


def test_infinite_inputs_are_at_the_end_and_nan_stays_in_its_row() -> None:
    y = TERM([[np.inf, -np.inf], [np.nan, 11.0], [0.0, np.nan], [0.0, 11.0]])
    np.testing.assert_array_equal(y[0], VALUES[-1, 0])
    assert np.isnan(y[1:3]).all()
    np.testing.assert_array_equal(y[3], VALUES[1, 1])
    slopes = TERM.gradient([[np.inf, -np.inf], [np.nan, 11.0], [0.0, np.nan]])
    assert (slopes[0] == 0).all()
    assert np.isnan(slopes[1:]).all()


def test_the_gradient_is_the_slope_on_the_right() -> None:
    points = np.array([[-0.5, 10.5], [0.0, 11.0], [-1.0, 10.0], [2.9, 19.0], [0.1, 10.0]])
    step = 2.0**-20
    for side in (0, 1):
        ahead = points + step * np.eye(2)[side]
        want = (TERM(ahead) - TERM(points)) / step
        np.testing.assert_allclose(TERM.gradient(points)[..., side], want, rtol=0, atol=1e-8)
    beyond = TERM.gradient([[-2.0, 10.5], [3.5, 10.5]])
    assert (beyond[..., 0] == 0).all()
    assert (beyond[..., 1] != 0).all()
    at_last = TERM.gradient([[3.0, 20.0]])[0, :, 0]
    np.testing.assert_allclose(at_last, (VALUES[3, 2] - VALUES[2, 2]) / 2.75, rtol=1e-15)


def test_float32_stays_within_the_bound() -> None:
    rng = np.random.default_rng(1)
    a, b = (np.sort(rng.standard_normal(6)).astype(np.float32) for _ in range(2))
    c = (rng.standard_normal((6, 6, 1)) * 10 ** rng.uniform(-3, 3, (6, 6, 1))).astype(np.float32)
    x = rng.uniform(-2, 2, (20_000, 2)).astype(np.float32)
    place = []
    for z, knots in zip(x.T, (a, b), strict=True):
        z = z.clip(knots[0], knots[-1])
        j = np.searchsorted(knots[1:-1], z, "right")
        place.append((j, ((z - knots[j]) / (knots[j + 1] - knots[j]))[:, None]))
    (j, s), (k, t) = place
    low, high = ((1 - t) * c[i, k] + t * c[i, k + 1] for i in (j, j + 1))
    got = (1 - s) * low + s * high
    assert got.dtype == np.float32
    term = TensorProduct(a, b, c)
    want, condition = term(x), term.condition(x)
    assert (np.abs(got - want) <= numerics.tolerance(condition, want, "float32")).all()


def test_its_arrays_are_the_whole_of_it(tmp_path: Path) -> None:
    np.savez(tmp_path / "term.npz", **TERM.arrays())
    with np.load(tmp_path / "term.npz") as file:
        back = TensorProduct.of_arrays(file)
    assert back == TERM
    assert hash(back) == hash(TERM)
    assert back != TensorProduct(A, B, VALUES + 1)
    assert repr(back) == "TensorProduct(knots=4x3, out_features=2)"
    with pytest.raises(ValueError, match=r"`TensorProduct.of_arrays\(arrays=...\)` must be"):
        TensorProduct.of_arrays({**TERM.arrays(), "more": A})
    with pytest.raises(ValueError, match="read-only"):
        back.values[0] = 0.0


@pytest.mark.parametrize(
    ("argument", "given", "kind"),
    [
        ("first_knots", (A[:1], B, VALUES), ValueError),
        ("first_knots", (A[::-1], B, VALUES), ValueError),
        ("first_knots", ("abcd", B, VALUES), TypeError),
        ("second_knots", (A, np.r_[B[:2], np.nan], VALUES), ValueError),
        ("second_knots", (A, B[:, None], VALUES), ValueError),
        ("values", (A, B, VALUES[0]), ValueError),
        ("values", (A, B, VALUES[:, :2]), ValueError),
        ("values", (A, B, VALUES * np.inf), ValueError),
    ],
)
def test_wrong_arguments_are_refused(argument: str, given: tuple, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=rf"`TensorProduct\({argument}=...\)` must be"):
        TensorProduct(*given)


def test_inputs_are_pairs() -> None:
    with pytest.raises(ValueError, match=r"`TensorProduct\(x=...\)` must"):
        TERM([1.0, 2.0, 3.0])
