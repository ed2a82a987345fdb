"""The error bound: plain float32 stays within it, planted faults do not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from kanditioned_spec import numerics, reference
from kanditioned_spec.grid import Array

Single = npt.NDArray[np.float32]
Forward = Callable[[Single, Single, float], Single]

SETTINGS = [(2, 1.0), (8, 4.0), (32, 4.0), (257, 0.1), (1024, 6.0)]  # K, w


def in_float32(x: Single, c: Single, width: float, bias: float = 0.0, nudge: int = 0) -> Single:
    """Evaluate the layer in float32, with an optional fault in t or in the interval."""
    count = c.shape[1]
    u = x * np.float32((count - 1) / width) + np.float32((count - 1) / 2)
    interval = np.clip(np.floor(u).astype(np.intp) + nudge, 0, count - 2)
    t = u - interval.astype(np.float32) + np.float32(bias)
    rows = np.arange(c.shape[0])
    left, right = c[rows, interval], c[rows, interval + 1]
    return np.asarray((left + t[..., None] * (right - left)).sum(axis=1), dtype=np.float32)


def with_half_precision_positions(x: Single, c: Single, width: float) -> Single:
    return in_float32(x.astype(np.float16).astype(np.float32), c, width)


def error_over_bound(
    forward: Forward, count: int, width: float, operands: str | None = None
) -> float:
    rng = np.random.default_rng(count)
    x = (rng.normal(size=(500, 3)) * width).astype(np.float32)
    c = rng.normal(size=(3, count, 2)).astype(np.float32)
    want = reference.forward(x, c, width)
    share = numerics.position_share("float32", operands)
    condition = numerics.forward_condition(x, c, width, share)
    error = np.abs(forward(x, c, width) - want)
    return float((error / numerics.tolerance(condition, want, "float32", operands)).max())


@pytest.mark.parametrize(("count", "width"), SETTINGS)
def test_float32_stays_within_the_bound(count: int, width: float) -> None:
    assert error_over_bound(in_float32, count, width) <= 1


@pytest.mark.parametrize(
    "fault",
    [
        lambda x, c, w: in_float32(x, c, w, bias=1e-3),
        with_half_precision_positions,
        lambda x, c, w: np.nextafter(in_float32(x, c, w), np.float32(9)) * np.float32(1.001),
    ],
    ids=["shifted fraction", "half-precision positions", "scaled result"],
)
@pytest.mark.parametrize(("count", "width"), SETTINGS)
def test_planted_faults_are_outside_the_bound(fault: Forward, count: int, width: float) -> None:
    assert error_over_bound(fault, count, width) > 1


def test_planted_wrong_interval_is_outside_the_bound() -> None:
    assert error_over_bound(lambda x, c, w: in_float32(x, c, w, nudge=1), 8, 4.0) > 1


def with_rounded_factors(digits: int, *, positions: bool) -> Forward:
    """Keep `digits` bits of control points and fractions, as matrix units do; or of x as well."""

    def cut(values: Single) -> Single:
        bits = values.view(np.uint32) & np.uint32(0xFFFFFFFF << (23 - digits) & 0xFFFFFFFF)
        return bits.view(np.float32)

    def forward(x: Single, c: Single, width: float) -> Single:
        x = cut(x) if positions else x
        count = c.shape[1]
        u = (x + np.float32(width / 2)) * np.float32((count - 1) / width)
        interval = np.clip(np.floor(u).astype(np.intp), 0, count - 2)
        t, rows = u - interval.astype(np.float32), np.arange(c.shape[0])
        left, right = cut(c[rows, interval]), cut(c[rows, interval + 1])
        weights = cut(1 - t)[..., None], cut(t)[..., None]
        return np.asarray((weights[0] * left + weights[1] * right).sum(axis=1))

    return forward


@pytest.mark.parametrize(("count", "width"), SETTINGS)
@pytest.mark.parametrize(("operands", "digits"), [("tfloat32", 10), ("bfloat16", 7)])
def test_rounded_factors_have_a_bound_of_their_own(
    operands: str, digits: int, count: int, width: float
) -> None:
    factors_only = with_rounded_factors(digits, positions=False)
    assert error_over_bound(factors_only, count, width) > 1
    assert error_over_bound(factors_only, count, width, operands) <= 1


@pytest.mark.parametrize(("operands", "digits"), [("tfloat32", 10), ("bfloat16", 7)])
def test_the_bound_of_rounded_factors_allows_no_rounded_position(
    operands: str, digits: int
) -> None:
    everything = with_rounded_factors(digits, positions=True)
    assert error_over_bound(everything, 1024, 6.0, operands) > 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_formats_are_those_of_numpy(dtype: str) -> None:
    info = np.finfo(dtype)
    assert numerics.FORMATS[dtype] == (float(info.eps), float(info.smallest_subnormal))


def test_half_precision_is_stored_but_not_computed_in() -> None:
    assert numerics.compute_eps("bfloat16") == numerics.compute_eps("float32") == 2.0**-23
    assert numerics.compute_eps("float64") == 2.0**-52
    ones = np.ones(3)
    assert (numerics.tolerance(0 * ones, ones, "bfloat16") >= 2.0**-7).all()
    assert (numerics.tolerance(ones, 0 * ones, "bfloat16") < 2.0**-20).all()


def conditions_and_results(
    x: Array, c: Array, gy: Array, v: Array, direction: Array
) -> list[tuple[Array, Array]]:
    width = 4.0
    first, second = (
        numerics.vjp_condition(x, c, width, gy),
        numerics.vjp_of_vjp_condition(x, c, width, gy, v, direction),
    )
    return [
        (numerics.forward_condition(x, c, width), reference.forward(x, c, width)),
        (numerics.jvp_condition(x, c, width, v), reference.jvp(x, c, width, v)),
        *zip(first, reference.vjp(x, c, width, gy), strict=True),
        *zip(second, reference.vjp_of_vjp(x, c, width, gy, v, direction), strict=True),
    ]


def test_conditions_are_at_least_as_large_as_the_results() -> None:
    """They add the magnitudes of everything that the results add up."""
    rng = np.random.default_rng(0)
    x, v = rng.normal(size=(2, 40, 3)) * 4
    c, direction = rng.normal(size=(2, 3, 9, 2))
    gy = rng.normal(size=(40, 2))
    for condition, result in conditions_and_results(x, c, gy, v, direction):
        assert condition.shape == result.shape
        assert (np.abs(result) <= condition * (1 + 1e-12)).all()
