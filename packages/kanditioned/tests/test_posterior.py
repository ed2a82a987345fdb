"""The covariance of the coefficients against finite differences of what it is made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kanditioned.estimators import KANClassifier, KANRegressor, pairs, pirls, reml
from kanditioned.estimators.additive import Settings, describe, prepare
from kanditioned.estimators.families import Logistic, Squared
from kanditioned.estimators.posterior import PRIOR_PRECISION, Posterior

STEP = 1e-3


def fitted() -> tuple[Any, Any, pirls.Fit]:
    """Return columns, the design of three curves and a pair, and the fit."""
    rng = np.random.RandomState(3)
    data = list(rng.uniform(-1, 1, (3, 300)))
    y = np.sin(4 * data[0]) + data[1] ** 2 + data[0] * data[1] + rng.standard_normal(300)
    weight, names = np.ones(300), ["a", "b", "c"]
    columns = describe(names, data, weight, Settings(num_control_points=8))
    design = prepare(columns, data, weight)
    problem = pairs.Problem(columns, data, design, y[:, None], weight, Squared(), None)
    tensor = pairs.tensor(problem, (0, 1))
    assert tensor is not None
    design = design.extend([tensor], [tensor.locate(data)])
    return columns, design, pirls.fit(design, y[:, None], weight, Squared())


def test_it_counts_how_uncertain_the_weights_are() -> None:
    columns, design, found = fitted()
    learned = np.ones(len(design.penalties), bool)
    ours = Posterior.of(columns, design, found.solutions, found.quadratics, learned)
    a, b = found.quadratics[0].a, found.quadratics[0].b[:, 0]
    phi = float(found.dispersion[0])
    penalties = reml.Penalties(design.penalties, design.size)

    def beta(rho: Any) -> Any:
        return np.linalg.solve(a + np.diag(penalties.diagonal(np.exp(rho))), b)

    def likelihood(rho: Any) -> float:
        d = penalties.diagonal(np.exp(rho))
        determinant = np.linalg.slogdet(a + np.diag(d))[1]
        return float(b @ beta(rho) / phi - determinant + np.log(d).sum()) / 2

    rho, steps = np.log(found.weights), STEP * np.eye(len(learned))
    jacobian = np.stack([(beta(rho + e) - beta(rho - e)) / (2 * STEP) for e in steps], 1)
    gradient = [(likelihood(rho + e) - likelihood(rho - e)) / (2 * STEP) for e in steps]
    hessian = [
        [
            likelihood(rho + e + f) + likelihood(rho - e - f)
            - likelihood(rho + e - f) - likelihood(rho - e + f)
            for f in steps
        ]
        for e in steps
    ]  # fmt: skip
    information = np.diag(gradient) - np.array(hessian) / (4 * STEP**2)
    assert np.linalg.eigvalsh(information).min() > -1e-6
    precision = information + PRIOR_PRECISION * np.eye(len(rho))
    expected = jacobian @ np.linalg.solve(precision, jacobian.T)
    got = phi * ours.shifts[0] @ ours.shifts[0].T
    kept = ours.active[0]
    tolerance = 1e-3 * np.abs(expected).max()
    np.testing.assert_allclose(got, expected[np.ix_(kept, kept)], atol=tolerance)
    assert np.trace(got) > 1e-3 * phi * np.sum(ours.roots[0] ** 2)


@pytest.mark.parametrize("outputs", [1, 3])
def test_draws_have_the_variance_that_is_returned(outputs: int) -> None:
    rng = np.random.RandomState(0)
    x = rng.uniform(-1, 1, (200, 2))
    y = np.sin(3 * x[:, :1]) * np.arange(1, outputs + 1) + rng.standard_normal((200, outputs))
    for smoothing, learned in (("auto", 4), (1e-3, 0)):
        model = KANRegressor(smoothing=smoothing, interactions=0).fit(x, y)
        (posterior,) = model._fitted.posteriors
        assert posterior.shifts[0].shape[1] == learned
        columns = list(x[:20].T)
        draws = posterior.draws(columns, 4000, np.random.RandomState(1))
        np.testing.assert_allclose(draws.var(0), posterior.variance(columns), rtol=0.15)


@pytest.mark.parametrize("samples", [60, 300])
def test_separated_classes_have_narrow_intervals_but_at_the_border(samples: int) -> None:
    x = np.random.RandomState(0).uniform(-1, 1, (samples, 3))
    model = KANClassifier(interactions=0, random_state=0).fit(x, x[:, 0] > 0)
    new = np.zeros((3, 3))
    new[:, 0] = [-0.8, 0.0, 0.8]
    low, high = model.predict_interval(new)
    width = (high - low)[:, 1]
    assert width[[0, 2]].max() < 0.1
    assert width[1] > 0.2


def test_the_precision_is_the_mean_of_the_second_derivatives_over_the_posterior() -> None:
    """By draws from the posterior, in place of the one-dimensional means of the iteration."""
    rng = np.random.RandomState(1)
    x = rng.uniform(-1, 1, (200, 2))
    y = rng.uniform(size=200) < 1 / (1 + np.exp(-8 * x[:, 0]))
    data, weight = list(x.T), np.ones(200)
    columns = describe(["a", "b"], data, weight, Settings())
    design = prepare(columns, data, weight)
    found = pirls.fit(design, y[:, None].astype(float), weight, Logistic())
    (quadratic,) = found.posterior_quadratics()
    d = reml.Penalties(design.penalties, design.size).diagonal(found.weights)
    v = np.linalg.inv(quadratic.a + np.diag(d))
    rows = design.matrix(slice(0, 200))
    beta = rng.multivariate_normal(np.zeros(len(d)), v, 2000)
    eta = found.predictor(design) + (rows - quadratic.mean) @ beta.T
    eta += rng.standard_normal(2000) / np.sqrt(quadratic.weight)
    working = (np.exp(eta) / (1 + np.exp(eta)) ** 2).mean(1)
    assert quadratic.weight == pytest.approx(working.sum(), rel=0.03)
    centred = rows - working @ rows / working.sum()
    want = centred.T @ (working[:, None] * centred)
    assert np.abs(quadratic.a - want).max() < 0.05 * np.abs(want).max()
