from __future__ import annotations

import contextlib
import pickle
from typing import Any

import numpy as np
import pytest
import sklearn
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, make_friedman1
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.utils.estimator_checks import check_estimator

from kanditioned.estimators import KANClassifier, KANRegressor, training
from kanditioned_spec import Grid
from kanditioned_spec.refinement import nested_change, nested_grids

BACKENDS = ("torch", "jax")
BY_ARRAY_API = "check_array_api_input"
"""Array-API input is not claimed; scikit-learn skips its check where SCIPY_ARRAY_API is not set."""


def require(backend: str) -> None:
    pytest.importorskip(f"kanditioned_{backend}", reason=f"the {backend} backend is not installed")


@pytest.mark.filterwarnings("ignore:.*SCIPY_ARRAY_API is not set")
@pytest.mark.filterwarnings("ignore:.*Adam has not converged")
@pytest.mark.parametrize(
    "estimator",
    [
        KANRegressor(),
        KANRegressor((4,), smoothing=0.1, backend="torch", max_iter=100, early_stopping=False),
        KANClassifier(),
    ],
    ids=lambda e: f"{type(e).__name__}{tuple(e.hidden_layer_sizes)}",
)
def test_scikit_learns_own_checks_pass_whole(estimator: Any) -> None:
    results = check_estimator(estimator, on_skip=None)
    others = [r["check_name"] for r in results if r["status"] != "passed"]
    assert set(others) <= {BY_ARRAY_API}
    assert len(results) > 50


def test_strongly_smoothed_it_is_linear_regression() -> None:
    x, y = load_diabetes(return_X_y=True)
    linear = LinearRegression().fit(x, y).predict(x)
    model = KANRegressor(smoothing=1e8).fit(x, y)
    distance = np.linalg.norm(model.predict(x) - linear)
    assert distance < 1e-5 * np.linalg.norm(linear - y.mean())


@pytest.mark.parametrize("backend", BACKENDS)
def test_too_few_passes_of_adam_are_reported(backend: str) -> None:
    require(backend)
    x, y = load_diabetes(return_X_y=True)
    with pytest.warns(ConvergenceWarning, match="Adam has not converged after max_iter=3"):
        KANRegressor((8,), backend=backend, max_iter=3, random_state=0).fit(x, y)


def test_too_few_iterations_of_l_bfgs_are_reported() -> None:
    x, y = load_diabetes(return_X_y=True)
    model = KANRegressor((4,), solver="lbfgs", early_stopping=False, backend="torch", max_iter=3)
    with pytest.warns(ConvergenceWarning, match="L-BFGS has not converged after max_iter=3"):
        model.fit(x, y)


@pytest.mark.parametrize(
    ("kind", "load", "least"),
    [(KANRegressor, load_diabetes, 0.5), (KANClassifier, load_breast_cancer, 0.95)],
)
def test_it_learns_real_data(kind: Any, load: Any, least: float) -> None:
    x, y = load(return_X_y=True)
    model = kind().fit(x[:300], y[:300])
    assert model.score(x[300:], y[300:]) > least
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(x), model.predict(x))


@pytest.mark.filterwarnings("ignore:.*Adam has not converged")
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("kind", "load"), [(KANRegressor, load_diabetes), (KANClassifier, load_iris)]
)
def test_hidden_layers_are_no_worse_than_the_additive_model_on_validation(
    backend: str, kind: Any, load: Any
) -> None:
    require(backend)
    x, y = load(return_X_y=True)
    model = kind((8,), backend=backend, max_iter=30, random_state=0).fit(x, y)
    assert min(model.validation_losses_) <= model.validation_losses_[0]
    assert model.network_.layers[0].num_control_points == 17
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(x), model.predict(x))


def test_float32_stays_float32() -> None:
    x, y = load_diabetes(return_X_y=True)
    model = KANRegressor().fit(x.astype(np.float32), y)
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
@pytest.mark.filterwarnings("ignore:.*Adam has not converged")
@pytest.mark.parametrize("max_iter", [1, 2, 5])
def test_training_ends_with_all_control_points(backend: str, max_iter: int) -> None:
    x, y = load_diabetes(return_X_y=True)
    for stop in (False, True):
        model = KANRegressor(
            (3,), max_iter=max_iter, early_stopping=stop, n_iter_no_change=1,
            backend=backend, random_state=0,
        )  # fmt: skip
        model.fit(x, y)
        assert [layer.num_control_points for layer in model.network_.layers] == [17, 17]
        assert model.n_iter_ == len(model.loss_curve_) <= max_iter
        assert len(model.validation_losses_) == (model.n_iter_ if stop else 0)


def test_a_fine_network_learns_as_well_as_a_coarse_one() -> None:
    """Since it begins as one."""
    x, y = make_friedman1(1000, noise=1.0, random_state=0)
    test_x, test_y = make_friedman1(1000, noise=0.0, random_state=1)
    scores = [
        KANRegressor((16,), num_control_points=count, smoothing=1e-2, random_state=0)
        .fit(x, y)
        .score(test_x, test_y)
        for count in (9, 33)
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
    model = KANRegressor().fit(frame, y)
    assert list(model.feature_names_in_) == names == model.term_names_
    drawn = [axes.get_title() for axes in model.plot(max_panels=3).axes]
    order = np.argsort(-model.importance_)[:3]
    assert drawn == [names[i] for i in order]


def test_effects_add_up_to_the_prediction() -> None:
    x, y = load_diabetes(return_X_y=True)
    model = KANRegressor().fit(x, y)
    parts = model.explain(x)
    assert parts.shape == x.shape
    np.testing.assert_allclose(model.intercept_ + parts.sum(1), model.predict(x))
    np.testing.assert_allclose(parts.mean(0), 0, atol=1e-8 * y.std())
    np.testing.assert_allclose(parts.std(0), model.importance_, atol=1e-10)
    x, y = load_iris(return_X_y=True)
    classifier = KANClassifier().fit(x, y)
    total = classifier.intercept_ + classifier.explain(x).sum(1)
    np.testing.assert_allclose(total, classifier.decision_function(x))


@pytest.mark.filterwarnings("ignore:.*Adam has not converged")
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
        ("smoothing", "strong"),
        ("max_iter", 0),
        ("batch_size", 0),
        ("n_iter_no_change", 0),
        ("learning_rate_init", 0.0),
        ("num_control_points", 1),
        ("backend", "reference"),
        ("solver", "sgd"),
        ("solver", "reml"),
        ("tol", None),
        ("validation_fraction", 2.0),
        ("hidden_layer_sizes", (4, 0)),
        ("hidden_layer_sizes", "8"),
        ("categorical_features", ["no such column"]),
        ("loss", "poisson"),
    ],
)
def test_bad_arguments_are_named(argument: str, value: object) -> None:
    x, y = load_diabetes(return_X_y=True)
    arguments = {"hidden_layer_sizes": (4,), "backend": "torch", argument: value}
    with pytest.raises((ValueError, TypeError), match=rf"{argument}=...\)` must be"):
        KANRegressor(**arguments).fit(x, y)


@pytest.mark.parametrize("sizes", [4, [4], np.array([4]), (4,)])
@pytest.mark.filterwarnings("ignore:.*Adam has not converged")
def test_hidden_layer_sizes_may_be_a_number_or_any_sequence(sizes: Any) -> None:
    x, y = load_diabetes(return_X_y=True)
    model = KANRegressor(sizes, backend="torch", max_iter=3, random_state=0).fit(x, y)
    assert model.network_.widths[1:] == (4, 1)
    model.plot(x, max_panels=2)
    model.plot_network(x)


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_other_libraries_output_settings_do_not_reach_it(output: str) -> None:
    pytest.importorskip(output)
    x, y = load_diabetes(return_X_y=True)
    expected = KANRegressor().fit(x, y).predict(x)
    with sklearn.config_context(transform_output=output):
        np.testing.assert_array_equal(KANRegressor().fit(x, y).predict(x), expected)


@pytest.mark.filterwarnings("ignore:.*Adam has not converged")
@pytest.mark.parametrize("mode", ["no_grad", "inference_mode", "autocast", "meta", "bfloat16"])
def test_the_callers_modes_of_torch_do_not_reach_it(mode: str) -> None:
    torch = pytest.importorskip("torch")
    x, y = load_diabetes(return_X_y=True)

    def predictions() -> Any:
        model = KANRegressor((4,), backend="torch", max_iter=3, random_state=0).fit(x, y)
        return model.predict(x)

    expected = predictions()
    default = torch.get_default_dtype()
    modes = {
        "no_grad": torch.no_grad,
        "inference_mode": torch.inference_mode,
        "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
        "meta": lambda: torch.device("meta"),
        "bfloat16": contextlib.nullcontext,
    }
    try:
        if mode == "bfloat16":
            torch.set_default_dtype(torch.bfloat16)
        with modes[mode]():
            found = predictions()
    finally:
        torch.set_default_dtype(default)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_any_number_of_knots_is_reached_by_exact_stages(backend: str) -> None:
    pytest.importorskip(f"kanditioned_{backend}")
    samples = training.Samples(np.linspace(-3, 3, 40)[:, None], np.zeros((40, 1)), np.ones(40))
    grids = nested_grids(Grid(12, 6.0))
    assert [grid.num_control_points for grid in grids] == [6, 12]
    spec = training.ModelSpec(
        (1, 2, 1), "squared", 0.0, 0, "float64", grids[0], lambda _: {"parameterization": "bspline"}
    )
    model = training.build(backend, spec)
    model.set_parameters(np.random.default_rng(0).normal(size=model.parameters().size))
    before = model.outputs(samples.x)
    model.refine(nested_change(*grids))
    assert model.network.layers[0].grid == grids[1]
    np.testing.assert_allclose(model.outputs(samples.x), before, rtol=0, atol=1e-12)
