"""NumPy, SciPy and scikit-learn: a feature at a time, without gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.interpolate import BSpline, make_interp_spline
from sklearn.preprocessing import SplineTransformer

from kanditioned_conformance.adapters.base import declare
from kanditioned_spec import Problem


def knots(p: Problem) -> Any:
    """Return the knots of a problem."""
    return np.linspace(-p.spline_width / 2, p.spline_width / 2, p.num_control_points)


class OfFeatures:
    """Adds up what a function gives for each feature's inputs (B,) and control points (K, O)."""

    def __init__(self, feature: Any, name: str, package: str, **declared: Any) -> None:
        self.feature = feature
        self.info = declare(name, (package,), ("float64", "float32"), **declared)

    def supports(self, problem: Problem) -> bool | str:
        return True

    def forward(self, problem: Problem, x: Any, c: Any) -> Any:
        rows = x.reshape(-1, problem.in_features).astype(np.float64)
        y = np.zeros((len(rows), problem.out_features))
        for i in range(problem.in_features):
            y += self.feature(problem, rows[:, i], c[i].astype(np.float64))
        return y.reshape(*x.shape[:-1], problem.out_features).astype(problem.dtype)


def interp(p: Problem, x: Any, c: Any) -> Any:
    """`numpy.interp`, which is constant outside the domain."""
    return np.stack([np.interp(x, knots(p), column) for column in c.T], axis=1)


def spline(p: Problem, x: Any, c: Any) -> Any:
    """SciPy's spline of degree 1 through the control points, continued as polynomials."""
    return make_interp_spline(knots(p), c, k=1)(x)


def basis(p: Problem, x: Any, c: Any) -> Any:
    """SciPy's B-spline basis of degree 1 as a matrix, times the coefficients."""
    t = np.concatenate([knots(p)[:1], knots(p), knots(p)[-1:]])
    return (
        BSpline.design_matrix(x, t, 1, extrapolate=True) @ c
        if len(x)
        else np.zeros((0, c.shape[1]))
    )


class Transformer(OfFeatures):
    """scikit-learn's `SplineTransformer`, of all features at once, times the control points."""

    def forward(self, problem: Problem, x: Any, c: Any) -> Any:
        p = problem
        grid = np.repeat(knots(p)[:, None], p.in_features, axis=1)
        made = SplineTransformer(degree=1, knots=grid, extrapolation="linear").fit(grid)
        rows = x.reshape(-1, p.in_features).astype(np.float64)
        features = made.transform(rows).reshape(len(rows), -1)
        weights = c.astype(np.float64).reshape(-1, p.out_features)
        return (features @ weights).reshape(*x.shape[:-1], p.out_features).astype(p.dtype)


KNOTS = {"stored_knots": True}
BASIS = {"stored_knots": True, "spreads_non_finite": True}
numpy_interp = OfFeatures(interp, "numpy.interp", "numpy", extrapolation="constant", **KNOTS)
scipy_spline = OfFeatures(spline, "make_interp_spline", "scipy", **KNOTS)
scipy_basis = OfFeatures(basis, "BSpline.design_matrix", "scipy", **BASIS)
sklearn_transformer = Transformer(None, "SplineTransformer", "scikit-learn", **BASIS)
