"""One layer with squared loss and the penalty is a P-spline of degree one: against references."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import SplineTransformer

from kanditioned_torch import KANLayer

Array = npt.NDArray[np.floating[Any]]
DOUBLE = torch.float64
COUNT, SAMPLES = 24, 200
RNG = np.random.default_rng(0)
X = RNG.uniform(-2, 2, SAMPLES)
Y = np.sin(3 * X) + 0.2 * RNG.normal(size=SAMPLES)


def fitted(x: Array, y: Array, smoothing: float, **layer: Any) -> KANLayer:
    """Minimise Σ (s(x) - y)² + λ ‖D c‖² with Newton's method, exact on a quadratic.

    Two steps: the second removes the rounding of the first.
    """
    model = KANLayer(1, 1, "zero", dtype=DOUBLE, **layer)
    inputs, targets = torch.as_tensor(x)[:, None], torch.as_tensor(y)[:, None]
    shape = model.theta.shape

    def objective(theta: torch.Tensor) -> torch.Tensor:
        values = torch.func.functional_call(model, {"theta": theta.view(shape)}, inputs)
        curvature = model.parameterization_map.curvature(theta.view(shape))
        value: torch.Tensor = (values - targets).square().sum()
        return value + smoothing * curvature.square().sum()

    theta = model.theta.detach().flatten()
    for _ in range(2):
        gradient = torch.func.grad(objective)(theta)
        hessian = torch.func.hessian(objective)(theta)
        theta = theta - torch.linalg.solve(hessian, gradient)
    with torch.no_grad():
        model.theta.copy_(theta.view(shape))
    return model.eval()


def predicted(model: KANLayer, x: Array) -> Array:
    with torch.no_grad():
        y: Array = model(torch.as_tensor(x)[:, None])[:, 0].numpy()
    return y


@pytest.mark.parametrize("smoothing", [1.0, 1600.0])
@pytest.mark.parametrize("parameterization", ["bspline", "dct", "demmler_reinsch"])
def test_is_the_hodrick_prescott_filter_where_knots_are_the_data(
    smoothing: float, parameterization: str
) -> None:
    filters = pytest.importorskip("statsmodels.tsa.filters.hp_filter")
    count = 80
    y = RNG.normal(size=count).cumsum()
    knots = np.arange(count) - (count - 1) / 2
    model = fitted(
        knots, y, smoothing, num_control_points=count, spline_width=float(count - 1),
        parameterization=parameterization,
    )  # fmt: skip
    _, trend = filters.hpfilter(y, smoothing)
    np.testing.assert_allclose(predicted(model, knots), trend, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("smoothing", [1e-3, 1.0, 100.0])
@pytest.mark.parametrize("parameterization", ["bspline", "dct", "demmler_reinsch"])
def test_is_scikit_learns_spline_with_ridge_on_differences(
    smoothing: float, parameterization: str
) -> None:
    knots = np.linspace(-2, 2, COUNT)[:, None]
    basis = SplineTransformer(degree=1, knots=knots, extrapolation="linear").fit(X[:, None])
    rows = np.vstack(
        [basis.transform(X[:, None]), np.sqrt(smoothing) * np.diff(np.eye(COUNT), 2, 0)]
    )
    ridge = LinearRegression(fit_intercept=False).fit(rows, np.append(Y, np.zeros(COUNT - 2)))
    model = fitted(X, Y, smoothing, num_control_points=COUNT, parameterization=parameterization)
    anywhere = np.linspace(-4, 4, 101)
    np.testing.assert_allclose(
        predicted(model, anywhere),
        ridge.predict(basis.transform(anywhere[:, None])),
        rtol=1e-8,
        atol=1e-8,
    )


@pytest.mark.parametrize("parameterization", ["bspline", "dct", "demmler_reinsch"])
def test_tends_to_the_straight_line_of_least_squares(parameterization: str) -> None:
    line = np.polynomial.Polynomial.fit(X, Y, 1)
    anywhere = np.linspace(-4, 4, 101)
    errors = []
    for smoothing in (1e4, 1e6, 1e8):
        model = fitted(X, Y, smoothing, num_control_points=COUNT, parameterization=parameterization)
        errors.append(np.abs(predicted(model, anywhere) - line(anywhere)).max())
    assert errors[0] > 50 * errors[1] > 2500 * errors[2]  # falls as 1/λ
    assert errors[2] < 1e-4
