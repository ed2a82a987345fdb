"""Where the curves of the estimators have knots, and how they go on beyond the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kanditioned.estimators import KANRegressor
from kanditioned.estimators.knots import default_count, place


@pytest.mark.parametrize(
    "values",
    [
        np.r_[np.zeros(500), np.random.RandomState(0).exponential(size=500)],
        np.exp(3 * np.random.RandomState(0).standard_normal(1000)),
        np.linspace(-1e300, 1e300, 1000),
        1e-310 * np.arange(1.0, 1000),
        np.arange(7.0),
    ],
    ids=["half zeros", "log-normal", "huge", "tiny", "few"],
)
def test_knots_are_increasing_values_of_the_column(values: Any) -> None:
    knots = place(values, np.ones(len(values)), 24)
    assert np.isin(knots, values).all()
    assert (np.diff(knots) > 0).all()
    assert knots[0] == values.min()
    assert knots[-1] == values.max()
    assert min(len(np.unique(values)), 11) <= len(knots) <= 24


def test_wide_tables_get_fewer_knots() -> None:
    assert default_count(1000, 10) == 24
    assert default_count(20_000, 10) == 32
    assert default_count(1000, 400) == 10


def test_tables_of_few_columns_get_more_knots() -> None:
    assert [default_count(1000, columns) for columns in (1, 5, 10)] == [64, 48, 24]
    assert [default_count(samples, 2) for samples in (100, 400, 10_000)] == [24, 40, 64]
    rng = np.random.RandomState(0)
    site = rng.randint(0, 50, 2000)
    y = rng.standard_normal(50)[site] + 0.1 * rng.standard_normal(2000)
    assert KANRegressor().fit(site[:1000, None], y[:1000]).score(site[1000:, None], y[1000:]) > 0.98


def test_an_outlier_at_the_end_does_not_rule_what_lies_beyond() -> None:
    """The last piece falls steeply to one row; before it the curve has risen."""
    rng = np.random.RandomState(0)
    x = np.r_[np.sort(rng.uniform(0, 10, 300)), 11.0]
    y = 3 * x + np.sin(2 * x) + 0.1 * rng.standard_normal(301)
    y[-1] -= 60
    model = KANRegressor().fit(x[:, None], y)
    at_end, beyond = model.predict(np.array([[11.0], [20.0]]))
    assert at_end < 20
    assert beyond == pytest.approx(at_end)


def test_a_straight_line_goes_on_for_three_ranges_and_then_no_further() -> None:
    x = np.linspace(-1, 3, 200)[:, None]
    model = KANRegressor().fit(x, 2 * x[:, 0])
    far = np.array([[10.0], [14.9], [15.1], [1e6], [-12.9], [-1e6]])
    expected = 2 * far[:, 0].clip(-13, 15)
    np.testing.assert_allclose(model.predict(far), expected, atol=0.05)
    assert model.model_.terms[0].column.outer == 2
    assert len(model._deviations()[0]) == model.model_.terms[0].column.slots
    huge = np.linspace(-8e307, 8e307, 100)[:, None]
    assert np.isfinite(KANRegressor().fit(huge, x[:100, 0]).predict(huge)).all()


def _groups(seed: int) -> tuple[Any, Any]:
    """Numbers of 90 groups that say nothing by their size, and a line."""
    rng = np.random.RandomState(seed)
    effects = 2.0 * np.random.RandomState(7).standard_normal(90)
    x = np.c_[rng.randint(0, 90, 600), rng.standard_normal(600)].astype(float)
    return x, effects[x[:, 0].astype(int)] + x[:, 1] + 0.3 * rng.standard_normal(600)


def test_values_that_act_one_by_one_get_a_knot_each() -> None:
    x, y = _groups(0)
    model = KANRegressor().fit(x, y)
    assert model.score(*_groups(1)) > 0.95
    found = model._found.shares
    assert [len(share) - 1 for share in found] == [90, 60]
    few = KANRegressor(num_control_points=24).fit(x, y)
    assert len(few._found.shares[0]) - 1 <= 24


def test_values_that_lie_on_a_curve_keep_few_knots() -> None:
    x, _ = _groups(0)
    y = np.sin(x[:, 0] / 15) + x[:, 1] + 0.3 * np.random.RandomState(2).standard_normal(600)
    model = KANRegressor().fit(x, y)
    assert len(model._found.shares[0]) - 1 <= 60


def test_knots_at_every_value_are_those_of_repeated_rows() -> None:
    x, y = _groups(0)
    weight = np.random.RandomState(3).randint(1, 4, 600)
    options: dict[str, Any] = {"interactions": 0}
    once = KANRegressor(**options).fit(x, y, sample_weight=weight)
    twice = KANRegressor(**options).fit(np.repeat(x, weight, 0), np.repeat(y, weight))
    np.testing.assert_allclose(once.predict(x), twice.predict(x), rtol=1e-6, atol=1e-8)
