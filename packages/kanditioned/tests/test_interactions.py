from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import make_friedman1

from kanditioned.estimators import KANClassifier, KANRegressor, interactions


def product(samples: int, seed: int) -> tuple[Any, Any]:
    """Two columns that only act together, and two that do nothing."""
    rng = np.random.RandomState(seed)
    x = rng.uniform(-1, 1, (samples, 4))
    return x, 3 * x[:, 1] * x[:, 3]


def test_a_pair_that_acts_together_is_found_and_explained() -> None:
    x, clean = product(500, 0)
    y = clean + 0.3 * np.random.RandomState(1).standard_normal(500)
    model = KANRegressor().fit(x, y)
    assert "x1 × x3" in model.term_names_
    test_x, test_y = product(2000, 2)
    assert model.score(test_x, test_y) > 0.95
    assert KANRegressor(interactions=0).fit(x, y).score(test_x, test_y) < 0.1
    parts = model.explain(test_x)
    assert parts.shape == (2000, len(model.term_names_))
    np.testing.assert_allclose(model.intercept_ + parts.sum(1), model.predict(test_x))
    assert model.term_names_[int(np.argmax(model.importance_))] == "x1 × x3"


def test_an_additive_target_gets_no_pairs() -> None:
    rng = np.random.RandomState(0)
    x = rng.uniform(-1, 1, (400, 6))
    y = np.sin(4 * x[:, 0]) + x[:, 1] + 0.5 * rng.standard_normal(400)
    alone = KANRegressor(interactions=0).fit(x, y)
    np.testing.assert_array_equal(KANRegressor().fit(x, y).predict(x), alone.predict(x))


def waves(samples: int, seed: int) -> tuple[Any, Any]:
    """Two columns whose product has more waves than a pair of five knots could follow."""
    rng = np.random.RandomState(seed)
    x = rng.uniform(-1, 1, (samples, 3))
    return x, np.sin(7 * x[:, 0]) * np.sin(7 * x[:, 2])


@pytest.mark.parametrize("pairs", ["auto", [(0, 2)]])
def test_a_pair_that_uses_its_basis_gets_finer_knots(pairs: Any) -> None:
    x, clean = waves(3000, 0)
    y = clean + 0.1 * np.random.RandomState(1).standard_normal(3000)
    model = KANRegressor(interactions=pairs).fit(x, y)
    test_x, test_y = waves(2000, 2)
    assert model.score(test_x, test_y) > 0.95


def test_a_smooth_pair_keeps_its_knots(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = product(1000, 0)
    y = y + 0.3 * np.random.RandomState(1).standard_normal(1000)
    found = KANRegressor().fit(x, y).predict(x)
    monkeypatch.setattr(interactions, "REFINEMENTS", 0)
    np.testing.assert_array_equal(KANRegressor().fit(x, y).predict(x), found)


def test_a_pair_of_classes() -> None:
    x, clean = product(1000, 0)
    y = np.random.RandomState(1).uniform(size=1000) < 1 / (1 + np.exp(-3 * clean))
    model = KANClassifier().fit(x, y)
    test_x, test_clean = product(2000, 2)
    assert np.mean(model.predict(test_x) == (test_clean > 0)) > 0.9
    low, high = model.predict_interval(test_x)
    truth = 1 / (1 + np.exp(-3 * test_clean))
    assert 0.9 < np.mean((low[:, 1] < truth) & (truth < high[:, 1])) <= 1


def test_given_pairs_by_name_and_by_number_are_the_same() -> None:
    pandas = pytest.importorskip("pandas")
    x, y = product(300, 0)
    frame = pandas.DataFrame(x, columns=["a", "b", "c", "d"])
    named = KANRegressor(interactions=[("d", "b")]).fit(frame, y)
    assert named.term_names_ == ["a", "b", "c", "d", "b × d"]
    numbered = KANRegressor(interactions=[(1, 3)]).fit(x, y)
    np.testing.assert_array_equal(named.predict(frame), numbered.predict(x))


def test_beyond_the_ends_a_pair_is_constant_and_missing_values_have_no_effect() -> None:
    x, y = product(300, 0)
    model = KANRegressor(interactions=[(1, 3)]).fit(x, y)
    surface = model.model_.surfaces[0]
    inside = surface(np.array([1.0]), np.array([0.5]))
    low, high = (column.knots[-1] for column in surface.columns)
    np.testing.assert_allclose(surface(np.array([1e6]), np.array([0.5])), inside, rtol=0.02)
    assert surface(np.array([low]), np.array([high]))[0, 0] > 1
    assert surface(np.array([np.nan]), np.array([0.5]))[0, 0] == 0


def test_many_samples_are_fitted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interactions, "MOST_SAMPLES", 300)
    x, y = make_friedman1(900, noise=1.0, random_state=0)
    model = KANRegressor().fit(x, y)
    assert model.term_names_[10:] == ["x0 × x1"]
    assert len(model._fitted.posteriors) == 1
    test_x, test_y = make_friedman1(2000, random_state=1)
    assert model.score(test_x, test_y) > 0.98


@pytest.mark.parametrize(
    ("value", "kind"),
    [("all", TypeError), (2, TypeError), ([(0, 0)], ValueError), ([(0, 9)], ValueError)],
)
def test_wrong_pairs_are_refused(value: Any, kind: type[Exception]) -> None:
    x, y = product(50, 0)
    with pytest.raises(kind, match=r"interactions=...\)` must be"):
        KANRegressor(interactions=value).fit(x, y)


def test_a_value_of_one_row_is_absent_in_a_fold() -> None:
    """A level, and a missing number, of a single row have no data in the folds without it."""
    pandas = pytest.importorskip("pandas")
    x, clean = product(300, 0)
    frame = pandas.DataFrame(x, columns=["a", "b", "c", "d"])
    frame["kind"] = ["u", "v"] * 149 + ["u", "rare"]
    frame.loc[7, ["a", "c"]] = np.nan
    y = clean + 0.3 * np.random.RandomState(1).standard_normal(300)
    model = KANRegressor().fit(frame, y)
    assert model.score(frame, y) > 0.9
    assert np.abs(model.predict(frame)).max() < 10
    labels = KANClassifier().fit(frame, y > 0)
    assert np.isfinite(labels.predict_proba(frame)).all()
