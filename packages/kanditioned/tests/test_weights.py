"""Weights of samples: their unit does not matter, and wrong ones are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris

from kanditioned.estimators import KANClassifier, KANRegressor


@pytest.mark.parametrize("constant", [2.0, 0.3, 1e16, 1e300, 1e-300])
def test_equal_weights_change_nothing(constant: float) -> None:
    x, y = load_diabetes(return_X_y=True)
    weight = np.full(len(y), constant)
    expected = KANRegressor().fit(x * 1e3, y).predict(x * 1e3)
    found = KANRegressor().fit(x * 1e3, y, sample_weight=weight).predict(x * 1e3)
    np.testing.assert_array_equal(found, expected)


def test_relative_weights_have_no_unit() -> None:
    x, y = load_diabetes(return_X_y=True)
    weight = np.random.RandomState(0).uniform(0.5, 2, len(y))
    found = [
        KANRegressor().fit(x, y, sample_weight=weight * unit).predict(x)
        for unit in (1.0, 1e-8, 1e12)
    ]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6)
    np.testing.assert_allclose(found[2], found[0], rtol=1e-6)


@pytest.mark.parametrize("kind", [KANRegressor, KANClassifier])
@pytest.mark.parametrize("weight", [-1.0, 0.0])
def test_negative_and_vanishing_weights_are_refused(kind: Any, weight: float) -> None:
    x, y = load_iris(return_X_y=True)
    given = np.full(len(y), weight)
    with pytest.raises(ValueError, match=r"sample_weight=...\)` must be"):
        kind().fit(x, y, sample_weight=given)


@pytest.mark.parametrize("weight", [np.ones(40) + 0j, 1j, "heavy", object()])
def test_weights_that_are_no_real_numbers_are_refused(weight: Any) -> None:
    x = np.linspace(-1, 1, 40)[:, None]
    with pytest.raises(TypeError, match=r"`KANRegressor(\.fit)?\(sample_weight=...\)` must be"):
        KANRegressor().fit(x, x[:, 0], sample_weight=weight)
