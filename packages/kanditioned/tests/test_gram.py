"""The native sums of products and those of NumPy give the same model."""

import numpy as np
import pytest

from kanditioned.estimators import KANClassifier, KANRegressor, gram

pytest.importorskip("kanditioned_cpu")


def table(rows, columns=6):
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (rows, columns))
    y = np.sin(4 * x[:, 0]) + x[:, 1] * x[:, 2] + 0.1 * rng.standard_normal(rows)
    x[rng.random(rows) < 0.1, 3] = np.nan
    x[:, 4] = np.round(2 * x[:, 4])
    return x, y


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (KANRegressor, {"interactions": 0}),
        (KANRegressor, {"interactions": [(1, 2), (3, 4)]}),
        (KANRegressor, {"interactions": 0, "loss": "poisson"}),
        (KANClassifier, {"interactions": 0}),
        (KANClassifier, {"interactions": [(1, 2)], "categorical_features": [4]}),
        (KANClassifier, {"interactions": 0, "classes": 3}),
    ],
)
def test_both_ways_give_the_same_model(monkeypatch, kind, options):
    x, y = table(700)
    options = dict(options)
    if kind is KANClassifier:
        y = np.digitize(y, [0.0] if options.pop("classes", 2) == 2 else [-0.5, 0.5])
    elif "loss" in options:
        y = np.random.default_rng(1).poisson(np.exp(y))
    weight = np.random.default_rng(2).uniform(0.5, 1.5, len(y))
    calls, products = [], gram.products
    monkeypatch.setattr(gram, "products", lambda *a: calls.append(1) or products(*a))
    both = []
    for is_native in (True, False):
        monkeypatch.setattr(gram, "pays", lambda *_, chosen=is_native: chosen)
        calls.clear()
        model = kind(**options).fit(x, y, weight)
        assert bool(calls) == is_native
        predict = model.predict_proba if kind is KANClassifier else model.predict
        both.append((predict(x), model.edf_, model.importance_))
    for native, dense in zip(*both, strict=True):
        np.testing.assert_allclose(native, dense, rtol=1e-6, atol=1e-8)


def test_the_native_sums_are_used_where_they_pay():
    assert gram.pays(100_000, 50, 1550)
    assert not gram.pays(100, 5, 100)
    assert not gram.pays(100_000, 50, 200)


def test_sums_are_those_of_the_design_matrix(monkeypatch):
    from kanditioned.estimators import additive, pairs
    from kanditioned.estimators.families import Squared

    x, y = table(500)
    weight = np.random.default_rng(3).uniform(0.5, 1.5, len(y))
    columns = additive.describe([f"x{i}" for i in range(6)], list(x.T), weight, additive.Settings())
    design = additive.prepare(columns, list(x.T), weight)
    problem = pairs.Problem(columns, list(x.T), design, y[:, None], weight, Squared(), None)
    tensors = [pairs.tensor(problem, pair) for pair in ((0, 1), (3, 4))]
    design = design.extended(tensors, [t.locate(list(x.T)) for t in tensors])
    beta = np.random.default_rng(4).standard_normal((design.size, 2))
    times = design.times(beta)
    want = design.matrix(slice(0, 500))
    np.testing.assert_allclose(times, want @ beta, rtol=1e-12, atol=1e-11)
    monkeypatch.setattr(gram, "pays", lambda *_: True)
    found = design.moments(weight, y[:, None])
    w = weight[:, None]
    bound = 1e-12 * float(weight.sum()) * abs(want).max() ** 2
    np.testing.assert_allclose(found.xx, want.T @ (w * want), rtol=0, atol=bound)
    np.testing.assert_allclose(found.xy, want.T @ (w * y[:, None]), rtol=0, atol=bound)
    np.testing.assert_allclose(found.x, want.T @ weight, rtol=0, atol=bound)
