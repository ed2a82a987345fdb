from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, make_friedman1
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.utils.estimator_checks import check_estimator

from kanditioned.estimators import KANClassifier, KANRegressor

BACKENDS = ("torch", "jax")
BY_ARRAY_API = "check_array_api_input"
"""Array-API input is not claimed; scikit-learn skips its check where SCIPY_ARRAY_API is not set."""


def require(backend: str) -> None:
    pytest.importorskip(f"kanditioned_{backend}", reason=f"the {backend} backend is not installed")


@pytest.mark.filterwarnings("ignore:.*SCIPY_ARRAY_API is not set")
@pytest.mark.parametrize(
    "estimator",
    [
        KANRegressor(backend="torch"),
        KANRegressor((4,), backend="torch", max_iter=100),
        KANClassifier(backend="torch"),
    ],
    ids=lambda e: f"{type(e).__name__}{tuple(e.hidden_layer_sizes)}",
)
def test_scikit_learns_own_checks_pass_whole(estimator: Any) -> None:
    results = check_estimator(estimator, on_skip=None)
    others = [r["check_name"] for r in results if r["status"] != "passed"]
    assert set(others) <= {BY_ARRAY_API}
    assert len(results) > 50


@pytest.mark.parametrize("backend", BACKENDS)
def test_without_hidden_layers_and_strongly_smoothed_it_is_linear_regression(backend: str) -> None:
    require(backend)
    x, y = load_diabetes(return_X_y=True)
    linear = LinearRegression().fit(x, y).predict(x)
    model = KANRegressor(smoothing=1e6, backend=backend).fit(x, y)
    distance = np.linalg.norm(model.predict(x) - linear)
    assert distance < 1e-5 * np.linalg.norm(linear - y.mean())


@pytest.mark.parametrize("smoothing", [0.0, 1e-4, 1e-2, 1e2, 1e6])
def test_it_converges_at_every_smoothing(smoothing: float) -> None:
    x, y = load_diabetes(return_X_y=True)
    model = KANRegressor(smoothing=smoothing, backend="torch").fit(x, y)
    objectives = np.array(model.loss_curve_)
    assert model.n_iter_ < 200
    assert np.all(np.diff(objectives) <= 1e-9 * objectives[0])  # falls, but for rounding


def test_too_few_iterations_are_reported() -> None:
    x, y = load_diabetes(return_X_y=True)
    with pytest.warns(ConvergenceWarning, match="has not converged after max_iter=3"):
        KANRegressor(backend="torch", max_iter=3).fit(x, y)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("kind", "load", "least"),
    [(KANRegressor, load_diabetes, 0.45), (KANClassifier, load_breast_cancer, 0.95)],
)
def test_it_learns_real_data(backend: str, kind: Any, load: Any, least: float) -> None:
    require(backend)
    x, y = load(return_X_y=True)
    model = kind(backend=backend, smoothing=0.1, random_state=0).fit(x[:300], y[:300])
    assert model.score(x[300:], y[300:]) > least
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(x), model.predict(x))


def test_float32_stays_float32() -> None:
    x, y = load_diabetes(return_X_y=True)
    model = KANRegressor(backend="torch", solver="adam", max_iter=3).fit(x.astype(np.float32), y)
    assert model.predict(x.astype(np.float32)).dtype == np.float32
    assert model.fit(x, y).predict(x).dtype == np.float64


def test_early_stopping_keeps_the_parameters_of_the_lowest_loss() -> None:
    x, y = load_diabetes(return_X_y=True)
    model = KANRegressor(
        (16,),
        smoothing=0.0,
        learning_rate_init=0.1,
        early_stopping=True,
        n_iter_no_change=5,
        random_state=0,
        backend="torch",
    ).fit(x, y)
    assert model.n_iter_ == len(model.validation_losses_) < model.max_iter
    assert int(np.argmin(model.validation_losses_)) < model.n_iter_ - 1


@pytest.mark.parametrize("backend", ["torch", "jax"])
@pytest.mark.parametrize("max_iter", [1, 2, 5])
def test_training_ends_with_all_control_points(backend: str, max_iter: int) -> None:
    x, y = load_diabetes(return_X_y=True)
    for stop in (False, True):
        model = KANRegressor(
            (3,), solver="adam", max_iter=max_iter, early_stopping=stop, n_iter_no_change=1,
            backend=backend, random_state=0,
        )  # fmt: skip
        model.fit(x, y)
        assert [layer.num_control_points for layer in model.network_.layers] == [16, 16]
        assert model.n_iter_ == len(model.loss_curve_) <= max_iter
        assert len(model.validation_losses_) == (model.n_iter_ if stop else 0)


def test_a_fine_network_learns_as_well_as_a_coarse_one() -> None:
    """Since it begins as one: 32 control points from the start reach 0.87 here."""
    x, y = make_friedman1(1000, noise=1.0, random_state=0)
    test_x, test_y = make_friedman1(1000, noise=0.0, random_state=1)
    scores = [
        KANRegressor((16,), num_control_points=count, random_state=0)
        .fit(x, y)
        .score(test_x, test_y)
        for count in (8, 32)
    ]
    assert min(scores) > 0.96


def test_labels_probabilities_and_several_classes() -> None:
    x, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    model = KANClassifier(backend="torch", random_state=0).fit(x, names)
    assert model.score(x, names) > 0.95
    probabilities = model.predict_proba(x)
    np.testing.assert_allclose(probabilities.sum(1), 1)
    assert (model.classes_[probabilities.argmax(1)] == model.predict(x)).all()


def test_several_targets() -> None:
    x, y = load_diabetes(return_X_y=True)
    both = np.stack([y, -y], 1)
    prediction = KANRegressor(backend="torch").fit(x, both).predict(x)
    assert prediction.shape == both.shape
    np.testing.assert_allclose(prediction[:, 0], -prediction[:, 1])


def test_feature_names_are_kept_and_drawn() -> None:
    pandas = pytest.importorskip("pandas")
    x, y = load_diabetes(return_X_y=True)
    names = [f"input {index}" for index in range(x.shape[1])]
    frame = pandas.DataFrame(x, columns=names)
    model = KANRegressor(backend="torch", solver="adam", max_iter=20).fit(frame, y)
    assert list(model.feature_names_in_) == names
    figure = model.plot(frame)
    assert sorted(axes.get_title() for axes in figure.axes) == names
    labels = [text.get_text() for text in model.plot_network(frame).axes[0].texts]
    assert set(labels) <= {*names, "$y_{0}$"}
    assert len(labels) > len(names) / 2


def test_effects_add_up_to_the_prediction() -> None:
    from kanditioned.plot import values

    x, y = load_diabetes(return_X_y=True)
    model = KANRegressor(backend="torch", solver="adam", max_iter=20).fit(x, y)
    scaled = (x - model.input_offset_) / model.input_scale_
    effects = [
        values(c, column, model.spline_width)[:, 0]
        for c, column in zip(model.control_points_, scaled.T, strict=True)
    ]
    np.testing.assert_allclose(np.sum(effects, axis=0) + y.mean(), model.predict(x))


def test_a_progress_bar_on_demand(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = load_diabetes(return_X_y=True)
    KANRegressor((2,), backend="torch", max_iter=3).fit(x, y)
    assert capsys.readouterr().err == ""
    KANRegressor((2,), backend="torch", max_iter=3, verbose=True).fit(x, y)
    assert "3/3" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("smoothing", -1.0),
        ("max_iter", 0),
        ("batch_size", 0),
        ("n_iter_no_change", 0),
        ("learning_rate_init", 0.0),
        ("num_control_points", 1),
        ("backend", "reference"),
        ("solver", "sgd"),
    ],
)
def test_bad_arguments_are_named(argument: str, value: object) -> None:
    x, y = load_diabetes(return_X_y=True)
    with pytest.raises(ValueError, match=rf"{argument}=...\)` must be"):
        KANRegressor(**{"backend": "torch", argument: value}).fit(x, y)
