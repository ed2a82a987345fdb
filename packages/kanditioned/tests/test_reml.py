"""The additive solver against statsmodels at the same weights, and against direct maximisation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from kanditioned.estimators import KANClassifier, KANRegressor, pirls, reml
from kanditioned.estimators.additive import Settings, describe, prepare
from kanditioned.estimators.basis import second_differences
from kanditioned.estimators.families import Family, Gamma, Logistic, Poisson, Softmax, Squared

RNG = np.random.RandomState(0)


def problem(samples: int = 300, columns: int = 3, count: int = 12) -> tuple[Any, Any, Any]:
    rng = np.random.RandomState(3)
    x = np.exp(rng.standard_normal((samples, columns)))
    eta = np.sin(2 * x[:, 0]) + 0.5 * np.log(x[:, 1])
    data = list(x.T)
    weight = np.ones(samples)
    found = describe(["a", "b", "c"][:columns], data, weight, Settings(num_control_points=count))
    return found, prepare(found, data, weight), eta


def noisy(family: Family, eta: Any) -> Any:
    rng = np.random.RandomState(4)
    if isinstance(family, Logistic):
        return (rng.uniform(size=len(eta)) < family.mean(eta)).astype(float)[:, None]
    if isinstance(family, Poisson):
        return rng.poisson(np.exp(eta)).astype(float)[:, None]
    if isinstance(family, Gamma):
        return (np.exp(eta) * rng.gamma(4, 1 / 4, len(eta)))[:, None]
    return (eta + 0.3 * rng.standard_normal(len(eta)))[:, None]


@pytest.mark.parametrize("family", [Squared(), Logistic(), Poisson(), Gamma()], ids=repr)
def test_it_is_the_smoother_of_statsmodels_at_the_same_weights(family: Family) -> None:
    """Which doubles the penalty that it is given."""
    models = pytest.importorskip("statsmodels.api")
    _, design, eta = problem()
    y = noisy(family, eta)
    weights = np.array([1e-3 if p.kind == "slope" else 0.7 for p in design.penalties])
    fixed = np.ones(len(design.penalties), bool)
    ours = pirls.fit(design, y, np.ones(len(y)), family, weights, fixed)

    x = design.matrix(slice(0, len(y)))
    d = reml.Penalties(design.penalties, design.size).diagonal(weights)
    known = {
        Squared: models.families.Gaussian(),
        Logistic: models.families.Binomial(),
        Poisson: models.families.Poisson(),
        Gamma: models.families.Gamma(models.families.links.Log()),
    }[type(family)]
    from statsmodels.gam.generalized_additive_model import GLMGam
    from statsmodels.gam.smooth_basis import GenericSmoothers, UnivariateGenericSmoother

    smoother = UnivariateGenericSmoother(eta, x, x, x, np.diag(d))
    whole = GLMGam(y[:, 0], np.ones((len(y), 1)), GenericSmoothers(eta, [smoother]), 0.5, known)
    theirs = whole.fit(tol=1e-12, maxiter=200)
    np.testing.assert_allclose(
        ours.predictor(design)[:, 0], theirs.predict(which="linear"), atol=2e-6
    )


def restricted(quadratic: reml.Quadratic, penalties: reml.Penalties, logarithm: Any) -> float:
    """Return -2 log restricted likelihood, the dispersion profiled out."""
    d = penalties.diagonal(np.exp(logarithm))
    matrix = quadratic.a + np.diag(d)
    beta = np.linalg.solve(matrix, quadratic.b[:, 0])
    total = quadratic.yy[0] - beta @ quadratic.b[:, 0]
    return float(
        (quadratic.samples - 1) * np.log(total) + np.linalg.slogdet(matrix)[1] - np.log(d).sum()
    )


def test_the_weights_maximise_the_restricted_likelihood() -> None:
    _, design, eta = problem(samples=400)
    y = noisy(Squared(), eta)
    quadratic = reml.Quadratic.of(design.moments(np.ones(len(y)), y - y.mean()))
    penalties = reml.Penalties(design.penalties, design.size)
    found = reml.choose(quadratic, penalties)
    middle = np.log(reml.start(quadratic, penalties))
    bounds = [(m + np.log(reml.LEAST), m + np.log(reml.MOST)) for m in middle]
    best = min(
        minimize(
            lambda z: restricted(quadratic, penalties, z), start, bounds=bounds, method="L-BFGS-B"
        ).fun
        for start in (np.log(found.weights), middle)
    )
    # 0.01 of -2 log-likelihood is far less than a choice of model can see.
    assert restricted(quadratic, penalties, np.log(found.weights)) < best + 0.01


def test_straight_lines_in_the_units_of_the_column_are_free() -> None:
    knots = np.sort(np.exp(3 * RNG.standard_normal(20)))
    lines = np.stack([np.ones(20), knots], 1)
    assert np.abs(second_differences(knots) @ lines).max() < 1e-12 * knots.max()
    np.testing.assert_allclose(
        second_differences(np.arange(5.0)),
        [[1, -2, 1, 0, 0], [0, 1, -2, 1, 0], [0, 0, 1, -2, 1]],
    )


def test_skipping_negligible_coefficients_changes_next_to_nothing() -> None:
    _, design, eta = problem(samples=400, count=24)
    y = noisy(Squared(), eta)
    quadratic = reml.Quadratic.of(design.moments(np.ones(len(y)), y - y.mean()))
    penalties = reml.Penalties(design.penalties, design.size)
    weights = reml.choose(quadratic, penalties).weights
    whole = reml.solve(quadratic, penalties, weights)
    quick = reml.solve(quadratic, penalties, weights, negligible=reml.NEGLIGIBLE)
    difference = design.times(whole.coefficients - quick.coefficients)
    assert np.abs(difference).max() < 1e-2 * np.sqrt(whole.dispersion[0])


def test_sums_of_parts_are_the_sums_of_the_whole() -> None:
    _, design, eta = problem()
    y, weight = noisy(Squared(), eta), RNG.uniform(size=len(eta))
    whole = design.moments(weight, y)
    cut = [design.take(part) for part in np.array_split(np.arange(len(y)), 3)]
    pieces = zip(cut, np.array_split(weight, 3), np.array_split(y, 3), strict=True)
    first, *rest = [part.moments(w, target) for part, w, target in pieces]
    total = first
    for part in rest:
        total = total.plus(part)
    for name in ("weight", "x", "y", "xx", "xy", "yy"):
        np.testing.assert_allclose(getattr(total, name), getattr(whole, name), atol=1e-10)


def test_separable_classes_get_finite_odds() -> None:
    x = np.linspace(-1, 1, 60)
    columns = describe(["x"], [x], np.ones(60), Settings())
    design = prepare(columns, [x], np.ones(60))
    found = pirls.fit(design, (x > 0).astype(float)[:, None], np.ones(60), Logistic())
    assert 3 < np.abs(found.predictor(design)).max() < 100
    third = np.digitize(x, [-0.3, 0.3])
    several = pirls.fit(design, np.eye(3)[third], np.ones(60), Softmax())
    assert (several.predictor(design).argmax(1) == third).all()
    assert np.abs(several.predictor(design)).max() < 100


@pytest.mark.parametrize(("samples", "columns", "signals"), [(50, 200, 1), (120, 100, 5)])
def test_columns_of_noise_are_left_out_however_many(
    samples: int, columns: int, signals: int
) -> None:
    """Without a cost of degrees of freedom the likelihood is highest at interpolation."""
    rng = np.random.RandomState(0)
    x = rng.standard_normal((samples + 1000, columns))
    clean = x[:, :signals].sum(1)
    y = clean + 0.5 * np.sqrt(signals) * rng.standard_normal(len(x))
    model = KANRegressor().fit(x[:samples], y[:samples])
    assert model.score(x[samples:], clean[samples:]) > 0.95
    assert model.edf_.sum() < signals + 5
    label = clean > 0
    classes = KANClassifier().fit(x[:samples], label[:samples])
    assert classes.score(x[samples:], label[samples:]) > 0.8


@pytest.mark.parametrize("classes", [3, 6])
def test_several_classes_reach_the_minimum_at_their_weights(classes: int) -> None:
    """The gradient of the penalised softmax vanishes, and with it the sum of each coefficient."""
    _, design, eta = problem(400)
    rank = np.argsort(np.argsort(eta))
    rank[200:] = np.random.RandomState(5).permutation(rank[200:])
    y = np.eye(classes)[rank * classes // 400]
    found = pirls.fit(design, y, np.ones(400), Softmax())
    residual = y - Softmax().mean(found.predictor(design))
    d = reml.Penalties(design.penalties, design.size).diagonal(found.weights)
    x, shrinkage = design.matrix(slice(0, 400)), d[:, None] * found.coefficients
    gradient = x.T @ residual - shrinkage
    size = np.abs(x).T @ np.abs(residual) + np.abs(shrinkage)
    assert np.abs(gradient / size).max() < 1e-5
    assert np.abs(residual.sum(0)).max() < 1e-5 * np.abs(residual).sum()
    np.testing.assert_allclose(found.coefficients.sum(1), 0.0, atol=1e-12)
