"""Fixed maps per feature: strictly increasing, with stated slopes, exact in large offsets."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kanditioned_spec import numerics
from kanditioned_spec.grid import Grid
from kanditioned_spec.input_map import InputMap
from kanditioned_spec.knot_placement import cap_slopes, is_constant, place

Rows = np.ndarray
RNG = np.random.default_rng
DATA: dict[str, Callable[[], Rows]] = {
    "normal": lambda: RNG(0).normal(size=3000),
    "log-normal": lambda: RNG(1).lognormal(0, 1.5, 3000),
    "Cauchy": lambda: RNG(2).standard_cauchy(3000),
    "binary": lambda: (RNG(3).random(3000) < 0.3).astype(float),
    "counts": lambda: RNG(4).poisson(2, 3000).astype(float),
    "zeros and more": lambda: np.where(RNG(5).random(3000) < 0.8, 0, RNG(6).lognormal(size=3000)),
    "constant": lambda: np.full(10, 3.0),
    "constant time": lambda: np.full(10, 1.7e9),
    "one row": lambda: np.array([-7.5]),
    "timestamps": lambda: 1.7e9 + 60.0 * np.arange(5000),
    "nearly equal": lambda: 1 + 2.0**-52 * RNG(7).integers(0, 90, 3000),
    "two neighbours": lambda: np.array([1e9, np.nextafter(1e9, np.inf)] * 50),
    "huge": lambda: RNG(8).normal(size=3000) * 1e29,
    "tiny": lambda: RNG(9).normal(size=3000) * 1e-15,
    "outlier": lambda: np.append(RNG(10).normal(size=3000), 1e12),
    "tie in a gap": lambda: np.r_[np.zeros(500), 1e-12, np.linspace(1, 2, 500)],
    "one value but for a few": lambda: np.r_[np.full(3996, 2.0), RNG(12).normal(size=4)],
    "subnormal": lambda: RNG(13).random(500) * 1e-310,
    "up to 1e308": lambda: np.r_[RNG(14).normal(size=500), 1e308, -1e308, 1e30, -1e30],
    "float16": lambda: np.float16([-65504, 1, 65504] * 9).astype(float),
    "NaN and infinite": lambda: np.r_[RNG(11).normal(size=500), np.nan, np.inf, -np.inf],
}
ALL = pytest.mark.parametrize("name", DATA)


def finite(name: str) -> Rows:
    """Return what counts: finite numbers up to 1e30."""
    x = DATA[name]()
    return x[np.abs(x) <= 1e30]


def one_of_each(rows: Rows) -> list[InputMap]:
    x = rows[:, None]
    return [
        InputMap.standardise(x),
        InputMap.domain(x),
        InputMap.domain(x, 1.0, spline_width=2.0),
        InputMap.quantiles(x),
        InputMap.quantiles(x, 2, range_share=0.0, steepness=1.0),
        InputMap.quantiles(x, 100, range_share=0.0, spline_width=10.0),
        InputMap.quantiles(x, 7, range_share=1.0),
    ]


@ALL
def test_maps_rise_strictly_and_come_back(name: str) -> None:
    """The inverse is off by what rounding z does: a float64 spacing of z, in input units."""
    rows = finite(name)
    for m in one_of_each(DATA[name]()):
        assert (m.slopes > 0).all()
        x = np.unique(np.r_[rows, m.breakpoints[0], -1e30, -10, 0, 10, 1e30])[:, None]
        z = m(x)
        assert (np.diff(z, axis=0) >= 0).all()
        condition = numerics.input_map_condition(x, m) / m.slope(x) + np.abs(x)
        assert (np.abs(m.inverse(z) - x) <= 8 * 2.0**-52 * condition).all()


@ALL
@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("steepness", [1.0, 30.0, 1000.0])
def test_quantile_maps_keep_their_bounds(name: str, share: float, steepness: float) -> None:
    x = finite(name)
    m = InputMap.quantiles(x[:, None], range_share=share, steepness=steepness)
    distinct = np.unique(x)
    extent = distinct[-1] - distinct[0]
    if is_constant(distinct[0], extent):
        np.testing.assert_allclose(m.slopes, 1.0, rtol=1e-6)
        return
    low, high = np.quantile(distinct, [0.05, 0.95])
    assert m.slopes.min() >= share * 4 / extent * (1 - 1e-9)
    assert m.slopes.max() <= steepness * 4 / (high - low) * (1 + 1e-6)
    np.testing.assert_allclose(m([[distinct[0]], [distinct[-1]]]).ravel(), [-2, 2], atol=1e-12)


@pytest.mark.parametrize("name", ["normal", "log-normal", "Cauchy", "timestamps"])
def test_breakpoints_are_the_preimages_of_the_knots(name: str) -> None:
    m = InputMap.quantiles(finite(name)[:, None], 17, spline_width=6.0)
    np.testing.assert_allclose(m.images[0], Grid(17, 6.0).knots(), atol=1e-12)


def test_ranks_alone_make_the_data_uniform() -> None:
    x = np.sort(DATA["log-normal"]())
    z = InputMap.quantiles(x[:, None], 400, range_share=0.0, steepness=1e9)(x[:, None])[:, 0]
    np.testing.assert_allclose(z, np.linspace(-2, 2, x.size), atol=4 / 399)


def test_values_that_are_few_get_their_mid_ranks() -> None:
    m = InputMap.quantiles([[0.0]] * 2 + [[1.0]] * 6 + [[5.0]] * 2, range_share=0.0)
    np.testing.assert_allclose(m([[0.0], [1.0], [5.0], [3.0]]).ravel(), [-2, 0, 2, 1], atol=1e-12)


def test_the_whole_range_is_a_straight_line() -> None:
    x = DATA["Cauchy"]()[:, None]
    m = InputMap.quantiles(x, range_share=1.0)
    np.testing.assert_allclose(m(x), InputMap.domain(x, 1.0)(x), atol=1e-9)


def test_times_keep_their_minutes() -> None:
    """In float32 alone a time of 1.7e9 seconds is known to 128 seconds."""
    start, minute = 1.7e9, 60.0
    x = start + minute * np.arange(1440)[:, None]
    for m in (InputMap.standardise(x), InputMap.domain(x), InputMap.quantiles(x)):
        z = m(x).astype(np.float32).astype(float)
        np.testing.assert_allclose(m.inverse(z), x, atol=minute / 1000)


@pytest.mark.parametrize("offset", [0.0, 1.7e9, -3e15])
def test_standardised_data_have_mean_zero_and_variance_one(offset: float) -> None:
    x = offset + RNG(0).integers(-500, 1500, (4000, 3)) * [1.0, 2.0, 4.0]
    z = InputMap.standardise(x)(x)
    one_spacing = np.spacing(abs(offset)) / 500
    np.testing.assert_allclose(z.mean(0), 0, atol=1e-9 + one_spacing)
    np.testing.assert_allclose(z.std(0), 1, atol=1e-6)


@pytest.mark.parametrize("coverage", [0.5, 0.9, 1.0])
def test_the_domain_holds_the_share_that_is_asked_for(coverage: float) -> None:
    x = RNG(0).lognormal(size=(4000, 2)) * [1, 1e9] + [0, 1e12]
    z = InputMap.domain(x, coverage, spline_width=3.0)(x)
    np.testing.assert_allclose((np.abs(z) <= 1.5 + 1e-9).mean(0), coverage, atol=1e-3)


def test_slopes_are_derivatives() -> None:
    m = InputMap.quantiles(DATA["log-normal"]()[:, None], 9)
    x = np.concatenate([RNG(0).lognormal(0, 1.5, 500), [-1e6, 1e6]])[:, None]
    step = 1e-7 * (1 + np.abs(x))
    numeric = (m(x + step) - m(x - step)) / (2 * step)
    far = np.abs(x - m.breakpoints).min(1, keepdims=True) > 2 * step
    np.testing.assert_allclose(m.slope(x)[far], numeric[far], rtol=1e-5)


def test_a_breakpoint_belongs_to_the_piece_on_its_right() -> None:
    m = InputMap([[0.0, 1.0, 3.0]], [[0.0, 10.0, 11.0]])
    x = [[-5.0], [0.0], [1.0], [2.0], [3.0], [9.0]]
    np.testing.assert_array_equal(m.slope(x).ravel(), [10, 10, 0.5, 0.5, 0.5, 0.5])
    np.testing.assert_array_equal(m(x).ravel(), [-50, 0, 10, 10.5, 11, 14])


def test_non_finite_input() -> None:
    m = InputMap([[0.0, 1.0, 3.0]] * 2, [[0.0, 10.0, 11.0]] * 2)
    x = [[np.nan, 1.0], [np.inf, -np.inf]]
    np.testing.assert_array_equal(m(x), [[np.nan, 10], [np.inf, -np.inf]])
    np.testing.assert_array_equal(m.slope(x), [[np.nan, 0.5], [0.5, 10]])
    np.testing.assert_array_equal(m.inverse(x), [[np.nan, 0.1], [np.inf, -np.inf]])
    assert m(np.zeros((0, 2))).shape == (0, 2)


def test_float32_arithmetic_with_a_split_offset_keeps_the_bound() -> None:
    """The bound allows for one rounding of every operation, and no more for a large offset."""
    t = 1.7e9 + np.sort(RNG(0).integers(0, 10**6, 3000)).astype(float)
    m = InputMap.quantiles(t[:, None], 30)
    x = np.float32(t)[:, None]
    j = m.pieces(x)[:, 0]
    high = np.float32(m.breakpoints[0])
    low = np.float32(m.breakpoints[0] - high)
    image, slope = np.float32(m.images[0]), np.float32(m.slopes[0])
    z = image[j] + slope[j] * ((x[:, 0] - high[j]) - low[j])
    allowed = numerics.tolerance(numerics.input_map_condition(x, m), m(x), "float32")
    assert (np.abs(z - m(x)[:, 0]) <= allowed[:, 0]).all()
    rounded = image[j] + slope[j] * (x[:, 0] - high[j])
    assert (np.abs(rounded - m(x)[:, 0]) > allowed[:, 0]).any()


@given(
    x=hnp.arrays(
        np.float64,
        st.integers(1, 60),
        elements=st.floats(-1e30, 1e30) | st.integers(-3, 3).map(float),
    ),
    count=st.integers(2, 12),
    share=st.floats(0, 1),
    steepness=st.floats(1, 1e6),
)
@example(x=np.array([0.0, 5e-324]), count=3, share=0.0, steepness=1.0)
@example(x=np.array([-1e30, 0.0, 1e-17, 1e30]), count=2, share=0.5, steepness=1e6)
@example(x=np.array([1e30, np.nextafter(1e30, np.inf)]), count=5, share=0.0, steepness=10.0)
def test_any_data_give_a_map(x: Rows, count: int, share: float, steepness: float) -> None:
    m = InputMap.quantiles(x[:, None], count, range_share=share, steepness=steepness)
    assert m.num_breakpoints == count
    assert (np.diff(m(np.sort(x)[:, None])[:, 0]) >= 0).all()


def test_capping_ends_where_it_should() -> None:
    """The cut slopes have the bound, the others one common factor, and all of them end at 1."""
    values, levels = np.array([0.0, 0.1, 0.2, 1.0, 3.0]), np.array([0.0, 0.5, 0.7, 0.9, 1.0])
    slopes = np.diff(cap_slopes(values, levels, 1.5)) / np.diff(values)
    np.testing.assert_allclose(slopes[:2], 1.5)
    factors = slopes[2:] / (np.diff(levels) / np.diff(values))[2:]
    np.testing.assert_allclose(factors, factors[0])
    assert factors[0] > 1
    np.testing.assert_allclose(cap_slopes(values, levels, 6.0), levels)
    np.testing.assert_allclose(cap_slopes(values, levels, 1 / 3), values / 3)


def test_features_are_mapped_one_by_one() -> None:
    x = np.stack([DATA["normal"](), DATA["counts"](), DATA["binary"]()], axis=1)
    together = InputMap.quantiles(x)
    for i in range(3):
        alone = InputMap.quantiles(x[:, i : i + 1])
        np.testing.assert_array_equal(together(x)[:, i], alone(x[:, i : i + 1])[:, 0])


@pytest.mark.parametrize("build", [InputMap.standardise, InputMap.domain, InputMap.quantiles])
def test_batches_are_as_good_as_one_array(build: Callable[..., InputMap]) -> None:
    x = RNG(0).lognormal(size=(3000, 2))

    def batches() -> Iterator[Rows]:
        yield from np.array_split(x, 11)

    np.testing.assert_allclose(build(batches())(x), build(x)(x), atol=1e-12)
    np.testing.assert_array_equal(build(x.reshape(30, 100, 2))(x), build(x)(x))


def test_maps_are_values() -> None:
    m, same = (InputMap.affine([1.0, 2.0], 3.0) for _ in range(2))
    assert m == same
    assert hash(m) == hash(same)
    assert m != InputMap.affine([1.0, 2.0], 4.0)
    assert m != "m"
    assert repr(m) == "InputMap(in_features=2, num_breakpoints=2)"
    with pytest.raises(ValueError, match="read-only"):
        m.breakpoints[0, 0] = 5.0
    np.testing.assert_allclose(m([[4.0, 2.0]]), [[1.0, 0.0]])


def test_placed_pads_features_with_few_values_on_the_last_line() -> None:
    points, images = place(np.array([0.0, 1.0]), np.ones(2), 5, 4.0, 0.2, 10.0)
    assert points.size == 5
    np.testing.assert_allclose(np.diff(images) / np.diff(points), 4.0)
