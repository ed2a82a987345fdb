"""The native sums of products and those of NumPy give the same model."""

import numpy as np
import pytest

from kanditioned.estimators import KANClassifier, KANRegressor, gram
from kanditioned.estimators import table as tables

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
    calls, native = [], gram._native
    monkeypatch.setattr(gram, "_native", lambda *a: calls.append(1) or native(*a))
    both = []
    for is_native in (True, False):
        monkeypatch.setattr(gram, "pays", lambda *_, chosen=is_native: chosen)
        calls.clear()
        model = kind(**options).fit(x, y, weight)
        assert bool(calls) == is_native
        predict = model.predict_proba if kind is KANClassifier else model.predict
        both.append((predict(x), model.edf_, model.importance_))
    for native_result, dense in zip(*both, strict=True):
        np.testing.assert_allclose(native_result, dense, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (KANRegressor, {"interactions": 0}),
        (KANRegressor, {"interactions": [(1, 2), (3, 4)], "categorical_features": [4]}),
        (KANRegressor, {"interactions": "auto"}),
        (KANClassifier, {"interactions": 0}),
    ],
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_table_read_in_parts_gives_the_same_model(monkeypatch, kind, options, dtype):
    x, y = table(500)
    x = x.astype(dtype)
    if kind is KANClassifier:
        y = y > 0
    whole = kind(**options).fit(x, y)
    monkeypatch.setattr(tables, "LARGE", 100)
    monkeypatch.setattr(tables, "PART", 64)
    parts = kind(**options).fit(x, y)
    predict = "predict_proba" if kind is KANClassifier else "predict"
    for a, b in [
        (getattr(parts, predict)(x), getattr(whole, predict)(x)),
        (parts.edf_, whole.edf_),
        (parts.importance_, whole.importance_),
    ]:
        np.testing.assert_allclose(a, b, rtol=1e-4 if dtype == np.float32 else 1e-6, atol=1e-6)


def test_a_file_larger_than_what_is_kept_is_read_in_parts(tmp_path, monkeypatch):
    x, y = table(3000)
    path = tmp_path / "table.dat"
    x.tofile(path)
    mapped = np.memmap(path, np.float64, "r", shape=x.shape)
    monkeypatch.setattr(tables, "LARGE", 1000)
    monkeypatch.setattr(tables, "PART", 512)
    monkeypatch.setattr(gram, "pays", lambda *_: True)  # as it does at that size
    read = []
    locate = tables.Numeric.locate
    monkeypatch.setattr(
        tables.Numeric, "locate", lambda column, v: read.append(len(v)) or locate(column, v)
    )
    model = KANRegressor(interactions=0).fit(mapped, y)
    assert max(read) == 512
    assert model.score(x, y) > 0.6


def test_the_native_sums_are_used_where_they_pay():
    assert gram.pays(100_000, 50, 1550)
    assert not gram.pays(100, 5, 100)
    assert not gram.pays(100_000, 50, 200)


@pytest.mark.parametrize("is_installed", [True, False])
def test_sums_over_parts(monkeypatch, is_installed):
    rng = np.random.default_rng(5)
    a, b = (
        tables.LazyRows(tables.Numeric("x", np.linspace(0, 1, knots)), rng.random(300))
        for knots in (5, 7)
    )
    monkeypatch.setattr(gram, "IS_INSTALLED", is_installed)
    monkeypatch.setattr(gram, "DENSE", 4000)
    weight, targets = rng.random(300), rng.standard_normal((300, 2))
    sums = gram.Sums([6, 48], 2)
    phi = []
    for index in (slice(0, 200), slice(200, 300)):
        rows = a.take(index), b.take(index)
        blocks = [gram.Block.of_column(rows[0], 6), gram.Block.of_pair(rows, (6, 8))]
        sums.add(blocks, weight[index], targets[index])
        phi.append(np.hstack([block.dense() for block in blocks]))
    dense = np.vstack(phi)
    np.testing.assert_allclose(sums.products, dense.T @ (weight[:, None] * dense), atol=1e-12)
    np.testing.assert_allclose(sums.with_targets, dense.T @ (weight[:, None] * targets), atol=1e-12)


def test_sums_are_those_of_the_design_matrix(monkeypatch):
    from kanditioned.estimators import additive, pairs
    from kanditioned.estimators.families import Squared

    x, y = table(500)
    weight = np.random.default_rng(3).uniform(0.5, 1.5, len(y))
    columns = additive.describe([f"x{i}" for i in range(6)], list(x.T), weight, additive.Settings())
    design = additive.prepare(columns, list(x.T), weight)
    problem = pairs.Problem(columns, list(x.T), design, y[:, None], weight, Squared(), None)
    tensors = [pairs.tensor(problem, pair) for pair in ((0, 1), (3, 4))]
    design = design.extend(tensors, [t.locate(list(x.T)) for t in tensors])
    beta = np.random.default_rng(4).standard_normal((design.size, 2))
    times = design.times(beta)
    want = design.matrix(slice(0, 500))
    np.testing.assert_allclose(times, want @ beta, rtol=1e-12, atol=1e-11)
    values = np.random.default_rng(5).standard_normal((500, 2))
    back = design.transposed_times(values)
    np.testing.assert_allclose(back, want.T @ values, rtol=1e-12, atol=1e-11)
    monkeypatch.setattr(gram, "pays", lambda *_: True)
    found = design.moments(weight, y[:, None])
    w = weight[:, None]
    bound = 1e-12 * float(weight.sum()) * abs(want).max() ** 2
    np.testing.assert_allclose(found.xx, want.T @ (w * want), rtol=0, atol=bound)
    np.testing.assert_allclose(found.xy, want.T @ (w * y[:, None]), rtol=0, atol=bound)
    np.testing.assert_allclose(found.x, want.T @ weight, rtol=0, atol=bound)
