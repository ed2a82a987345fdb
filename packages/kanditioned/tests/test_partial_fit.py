"""Batches give the model of all rows."""

import numpy as np
import pandas as pd
import pytest

from kanditioned.estimators import KANClassifier, KANRegressor, additive, gram


def table(rows=900):
    """Columns whose first hundred rows hold all values, so that the knots are the same."""
    rng = np.random.default_rng(0)
    levels = np.linspace(-1, 1, 20)
    x = np.stack([np.resize(rng.permutation(levels), rows) for _ in range(4)], 1)
    x[100:] = x[100 + rng.permutation(rows - 100)]
    y = np.sin(4 * x[:, 0]) + x[:, 1] ** 2 + 0.1 * rng.standard_normal(rows) + 1000.0
    x[300:, 2][rng.random(rows - 300) < 0.1] = np.nan
    return x, y, rng.integers(1, 4, rows).astype(float)


def batches(rows, *, size=130):
    return [slice(start, start + size) for start in range(0, rows, size)]


def fitted_in_batches(model, x, y, weight=None):
    for part in batches(len(y)):
        model.partial_fit(x[part], y[part], None if weight is None else weight[part])
    return model


def assert_same(a, b, x):
    np.testing.assert_allclose(a.predict(x), b.predict(x), rtol=1e-9)
    for name in ("edf_", "smoothing_", "importance_", "intercept_"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-5, atol=1e-9)
    for ours, theirs in zip(
        a.predict(x, return_std=True), b.predict(x, return_std=True), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)


@pytest.mark.parametrize("is_installed", [True, False])
@pytest.mark.parametrize("weighting", ["none", "counts", "relative"])
def test_batches_give_the_model_of_all_rows(monkeypatch, is_installed, weighting):
    if is_installed:
        pytest.importorskip("kanditioned_cpu")
    monkeypatch.setattr(gram, "IS_INSTALLED", is_installed)
    x, y, counts = table()
    weight = {"none": None, "counts": 6 * counts, "relative": counts + 0.5}[weighting]
    whole = KANRegressor(interactions=0).fit(x, y, weight)
    assert_same(fitted_in_batches(KANRegressor(), x, y, weight), whole, x)


def test_batches_of_several_targets_and_given_smoothing():
    x, y, _ = table()
    y = np.stack([y, x[:, 3] ** 3], 1)
    whole = KANRegressor(interactions=0, smoothing=0.01).fit(x, y)
    assert_same(fitted_in_batches(KANRegressor(smoothing=0.01), x, y), whole, x)


def test_batches_of_continuous_numbers(monkeypatch):
    """With the knots of all rows; beyond those of the first batch curves are straight."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((1000, 3))
    y = np.sin(2 * x[:, 0]) + 0.1 * rng.standard_normal(1000)
    far = fitted_in_batches(KANRegressor(), x, y)
    assert far.score(x, y) > 0.97
    whole = KANRegressor(interactions=0).fit(x, y)
    columns = [term.column for term in additive.fit(
        additive.describe(["a", "b", "c"], list(x.T), np.ones(1000), additive.Settings()),
        list(x.T), y[:, None], np.ones(1000), whole._family, additive.Settings(),
    ).model.terms]  # fmt: skip
    monkeypatch.setattr(additive, "describe", lambda *_: columns)
    assert_same(fitted_in_batches(KANRegressor(), x, y), whole, x)


def test_data_frames_with_labels():
    x, y, _ = table()
    frame = pd.DataFrame({"number": x[:, 0], "label": np.where(x[:, 1] > 0, "a", "b")})
    model = KANRegressor()
    for part in batches(len(y)):
        model.partial_fit(frame.iloc[part], y[part])
    assert_same(model, KANRegressor(interactions=0).fit(frame, y), frame)
    with pytest.raises(ValueError, match="feature names"):
        model.partial_fit(frame[["label", "number"]], y)


def test_a_model_can_be_asked_after_every_batch(tmp_path):
    x, y, _ = table()
    model = KANRegressor().partial_fit(x[:100], y[:100])
    first = model.predict(x)
    model.partial_fit(x[100:], y[100:])
    assert np.abs(model.predict(x) - first).max() > 1e-6
    assert sum(h.counts.sum() for h in model._histograms) == np.isfinite(x).sum()
    model.report(tmp_path / "report.html")
    assert "900" in (tmp_path / "report.html").read_text()
    assert len(model.fit(x[:200], y[:200]).predict(x)) == 900
    model.partial_fit(x[:100], y[:100])
    np.testing.assert_allclose(model.predict(x), first)


class TestRefused:
    @pytest.mark.parametrize(
        ("options", "name"),
        [
            ({"loss": "poisson"}, "loss"),
            ({"interactions": [(0, 1)]}, "interactions"),
        ],
    )
    def test_what_needs_all_rows(self, options, name):
        x, y, _ = table()
        with pytest.raises(ValueError, match=rf"KANRegressor\({name}=.*partial_fit"):
            KANRegressor(**options).partial_fit(x, y)

    def test_hidden_layers(self):
        model = KANRegressor((4,))
        assert not hasattr(model, "partial_fit")
        with pytest.raises(AttributeError) as raised:
            model.partial_fit(*table()[:2])
        assert "hidden_layer_sizes" in str(raised.value.__cause__)

    def test_other_columns_and_targets(self):
        x, y, _ = table()
        model = KANRegressor().partial_fit(x, y)
        with pytest.raises(ValueError, match="features"):
            model.partial_fit(x[:, :3], y)
        with pytest.raises(ValueError, match=r"partial_fit\(y="):
            model.partial_fit(x, np.stack([y, y], 1))

    def test_a_classifier(self):
        assert not hasattr(KANClassifier(), "partial_fit")
