"""Columns of labels, missing values, DataFrames, and the additive model as a layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kanditioned.estimators import KANClassifier, KANRegressor
from kanditioned.estimators.conversion import input_names, network
from kanditioned_spec.checkpoint.network import read_network

pandas = pytest.importorskip("pandas")


def table(samples: int = 300, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.RandomState(seed)
    frame = pandas.DataFrame(
        {
            "size": rng.standard_normal(samples),
            "kind": rng.choice(["u", "v", "w"], samples),
            "age": np.exp(rng.standard_normal(samples)),
            "same": 1.0,
            "flag": rng.randint(0, 2, samples).astype(bool),
        }
    )
    y = frame["size"] + 2.0 * (frame["kind"] == "u") + np.sin(frame["age"]) - frame["flag"]
    frame.loc[::7, "size"] = np.nan
    frame.loc[::5, "kind"] = None
    return frame, y.to_numpy() + 0.1 * rng.standard_normal(samples)


def test_labels_and_missing_values_are_learned() -> None:
    frame, y = table()
    model = KANRegressor().fit(frame, y)
    assert model.score(*table(1000, 1)) > 0.8
    kind = model.model_.terms[1]
    assert kind.column.labels == ("u", "v", "w", None)
    effects = dict(zip(kind.column.labels, kind.effects[:, 0], strict=False))
    assert abs(effects["u"] - effects["v"] - 2) < 0.2
    assert model.edf_[3] == 0  # a constant


def test_labels_that_were_not_seen_have_no_effect() -> None:
    frame, y = table()
    model = KANRegressor(interactions=0).fit(frame, y)
    frame["kind"] = "new"
    np.testing.assert_array_equal(model.explain(frame)[:, 1], 0)


def test_a_missing_value_where_training_had_none_has_no_effect() -> None:
    x = np.random.RandomState(0).standard_normal((200, 2))
    model = KANRegressor(interactions=0).fit(x, x[:, 0] + x[:, 1])
    x[:, 1] = np.nan
    np.testing.assert_array_equal(model.explain(x)[:, 1], 0)


def test_every_kind_of_frame_gives_the_same_model() -> None:
    polars = pytest.importorskip("polars")
    frame, y = table()
    expected = KANRegressor().fit(frame, y).predict(frame)
    categorical = frame.astype({"kind": "category", "flag": "int8"})
    nullable = frame.convert_dtypes()
    lists = {name: [None if v is None or v != v else v for v in frame[name]] for name in frame}
    others = [categorical, nullable, polars.DataFrame(lists)]
    for other in others:
        model = KANRegressor().fit(other, y)
        np.testing.assert_allclose(model.predict(other), expected)
        assert list(model.feature_names_in_) == list(frame.columns)
        np.testing.assert_allclose(model.predict(frame), expected)


@pytest.mark.parametrize("chosen", [["hour"], [1], [False, True], np.array([False, True])])
def test_categories_by_name_number_and_mask(chosen: Any) -> None:
    rng = np.random.RandomState(0)
    frame = pandas.DataFrame({"x": rng.standard_normal(400), "hour": rng.randint(0, 24, 400)})
    y = (frame["hour"] % 2).to_numpy().astype(float)
    model = KANRegressor(categorical_features=chosen, interactions=0).fit(frame, y)
    assert model.model_.terms[1].column.labels == tuple(range(24))
    assert model.score(frame, y) > 0.99
    array = KANRegressor(categorical_features=[1], interactions=0).fit(frame.to_numpy(), y)
    np.testing.assert_allclose(array.predict(frame.to_numpy()), model.predict(frame))


def test_dates_are_numbers() -> None:
    days = pandas.date_range("2020-01-01", periods=400)
    y = np.sin(np.arange(400) / 30)
    model = KANRegressor().fit(pandas.DataFrame({"day": days}), y)
    assert model.score(pandas.DataFrame({"day": days}), y) > 0.99


def test_timestamps_keep_their_seconds() -> None:
    t = 1.7e9 + np.linspace(0, 100, 300)
    y = np.sin(t / 5)
    assert KANRegressor().fit(t[:, None], y).score(t[:, None], y) > 0.99


def test_wrong_columns_are_named() -> None:
    frame, y = table()
    with pytest.raises(ValueError, match=r"column 'kind'"):
        KANRegressor(categorical_features=None).fit(frame, y)
    with pytest.raises(ValueError, match=r"infinity in column 'age'"):
        KANRegressor().fit(frame.assign(age=np.inf), y)


@pytest.mark.parametrize("weight", ["balanced", {"no": 1.0, "yes": 9.0}])
def test_class_weights(weight: Any) -> None:
    rng = np.random.RandomState(0)
    x = rng.standard_normal((2000, 1))
    y = np.where(rng.uniform(size=2000) < 0.1 / (1 + np.exp(-x[:, 0])), "yes", "no")
    plain = KANClassifier().fit(x, y).predict_proba(x)[:, 1].mean()
    assert abs(plain - np.mean(y == "yes")) < 0.02
    assert KANClassifier(class_weight=weight).fit(x, y).predict_proba(x)[:, 1].mean() > 4 * plain


def test_the_additive_model_is_a_layer_behind_an_input_map(tmp_path: Path) -> None:
    frame, y = table()
    model = KANRegressor(interactions=0).fit(frame, y)
    names = ["size", "size is missing", "kind", "age", "same", "flag"]
    assert input_names(model.model_) == names
    far = frame.assign(size=frame["size"] * 100, kind="new")
    model.save_network(tmp_path / "model.safetensors")
    read = read_network(tmp_path / "model.safetensors")
    for rows in (frame, far):
        for found in (network(model.model_), read):
            np.testing.assert_allclose(
                found.forward(model.network_inputs(rows))[:, 0], model.predict(rows), atol=1e-9
            )


def test_the_layer_of_torch_is_the_model_and_is_drawn() -> None:
    torch = pytest.importorskip("torch")
    frame, y = table()
    model = KANRegressor(interactions=0, backend="torch").fit(frame, y)
    outputs = model.network_(torch.as_tensor(model.network_inputs(frame)))
    np.testing.assert_allclose(outputs.detach().numpy()[:, 0], model.predict(frame), atol=1e-9)
    labels = [text.get_text() for text in model.plot_network(frame).axes[0].texts]
    assert "kind" in labels


def test_the_layer_of_jax_is_the_model() -> None:
    jax = pytest.importorskip("jax")
    frame, y = table()
    model = KANRegressor(interactions=0, backend="jax").fit(frame, y)
    far = frame.assign(age=frame["age"] * 20, kind="new")
    with jax.enable_x64(True):
        for rows in (frame, far):
            outputs = np.asarray(model.network_(model.network_inputs(rows)))
            assert outputs.dtype == np.float64
            np.testing.assert_allclose(outputs[:, 0], model.predict(rows), atol=1e-9)


def test_a_report_is_one_file_that_names_every_term(tmp_path: Path) -> None:
    frame, y = table()
    model = KANRegressor(interactions=[("size", "kind")]).fit(frame, y)
    model.report(tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert all(f"<td>{name}</td>" in text for name in model.term_names_)
    assert "http" not in text
    assert text.count("data:image/png;base64,") == 1
    odd = frame.rename(columns={"size": "<script>"})
    KANClassifier(interactions=0).fit(odd, frame["kind"].fillna("?")).report(tmp_path / "b.html")
    text = (tmp_path / "b.html").read_text(encoding="utf-8")
    assert "<script>" not in text
    assert text.count("data:image/png;base64,") == 4  # one for each class


@pytest.mark.parametrize("loss", ["poisson", "gamma"])
def test_counts_and_amounts(loss: str) -> None:
    rng = np.random.RandomState(0)
    x = rng.uniform(-1, 1, (1000, 2))
    mean = np.exp(np.sin(3 * x[:, 0]) + 1)
    y = rng.poisson(mean) if loss == "poisson" else mean * rng.gamma(2, 0.5, 1000)
    model = KANRegressor(loss=loss).fit(x, y)
    predicted, deviation = model.predict(x, return_std=True)
    assert np.mean(np.abs(predicted / mean - 1)) < 0.1
    assert np.mean(np.abs(predicted - mean) < 1.96 * deviation) > 0.85
    with pytest.raises(ValueError, match=r"y=...\)` must be"):
        KANRegressor(loss=loss).fit(x, y - y.max())


@pytest.mark.parametrize("rare", [1, 2])
@pytest.mark.parametrize("classes", [2, 3])
def test_a_class_of_fewer_rows_than_folds(rare: int, classes: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 3))
    y = np.r_[rng.integers(0, classes - 1, 100 - rare), np.full(rare, classes - 1)]
    probabilities = KANClassifier().fit(x, y).predict_proba(x)
    np.testing.assert_allclose(probabilities.sum(1), 1)
    assert probabilities[-rare:, -1].mean() > probabilities[:-rare, -1].mean()


def test_nothing_is_printed_where_no_coefficient_is_free(capfd: pytest.CaptureFixture[str]) -> None:
    x = np.random.default_rng(0).normal(size=(100, 3))
    np.testing.assert_allclose(KANRegressor().fit(x, np.ones(100)).predict(x), 1)
    assert capfd.readouterr() == ("", "")


def test_units_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 3))
    y = x[:, 0] + np.sin(3 * x[:, 1]) + x[:, 0] * x[:, 2]
    want = KANRegressor().fit(x, y).predict(x)
    for of_x, of_y in ((2.0**600, 2.0**300), (2.0**-600, 2.0**-300)):
        got = KANRegressor().fit(of_x * x, of_y * y).predict(of_x * x)
        np.testing.assert_allclose(got / of_y, want, atol=1e-6)


def test_labels_that_cannot_be_looked_up_are_refused() -> None:
    frame = pandas.DataFrame({"a": [[1], [2]] * 60, "b": np.arange(120.0)})
    with pytest.raises(TypeError, match=r"KANRegressor\.fit\(X=\.\.\.\).*column 'a'"):
        KANRegressor().fit(frame, np.arange(120.0))


@pytest.mark.parametrize("size", [1e-300, 1e160])
def test_targets_whose_squares_are_no_numbers_are_refused(size: float) -> None:
    x = np.random.RandomState(0).standard_normal((50, 2))
    with pytest.raises(ValueError, match=r"`KANRegressor\.fit\(y=\.\.\.\)` must be between"):
        KANRegressor().fit(x, size * x[:, 0])


def test_sparse_counts_leave_no_warnings() -> None:
    with np.errstate(all="raise", under="ignore"):
        for seed in range(4):
            rng = np.random.RandomState(seed)
            x = rng.poisson(0.01, (500, 30)).astype(float)
            KANRegressor().fit(x, rng.standard_normal(500))
