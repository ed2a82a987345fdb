"""The minimum of mean loss + smoothing · Σ ∫ s''² over all samples at once."""

from __future__ import annotations

import warnings

import numpy as np
from scipy.optimize import OptimizeResult, minimize
from scipy.sparse.linalg import LinearOperator, cg
from sklearn.exceptions import ConvergenceWarning

from .training import Model, Samples, Vector

RELATIVE_RESIDUAL = {"float32": 1e-5, "float64": 1e-10}
"""The part of the first gradient at which conjugate gradients stop, by the samples' dtype."""


def solve(model: Model, samples: Samples, iterations: int, where: str) -> list[float]:
    """Solve a quadratic objective's linear equations H θ = -g by conjugate gradients.

    H v is the difference of two gradients, exact but for rounding. The method stops after as many
    iterations as H has clusters of eigenvalues, so coordinates matter: `demmler_reinsch` makes H
    of one input the identity, and what is left is the dependence between inputs.

    Returns:
        The objective after each iteration.

    Warns:
        ConvergenceWarning: It has not converged after `iterations`.
    """
    start = model.parameters()
    value, gradient = model.objective(samples)
    objectives: list[float] = []

    def curvature(direction: Vector) -> Vector:
        length = float(np.linalg.norm(direction)) or 1.0  # a unit step, so that nothing cancels
        model.set_parameters(start + direction / length)
        return (model.objective(samples)[1] - gradient) * length

    def record(step: Vector) -> None:
        model.set_parameters(start + step)
        objectives.append(model.objective(samples)[0])

    hessian = LinearOperator((len(start), len(start)), matvec=curvature, dtype=np.float64)
    tolerance = RELATIVE_RESIDUAL[samples.x.dtype.name]
    step, status = cg(hessian, -gradient, rtol=tolerance, maxiter=iterations, callback=record)
    model.set_parameters(start + step)
    model.finish()
    if status > 0:
        _warn(where, iterations)
    return objectives or [value]


def minimise(model: Model, samples: Samples, iterations: int, where: str) -> list[float]:
    """Minimise a smooth objective by L-BFGS.

    Returns:
        The objective after each iteration.

    Warns:
        ConvergenceWarning: It has not converged after `iterations`.
    """
    objectives: list[float] = []

    def objective(vector: Vector) -> tuple[float, Vector]:
        model.set_parameters(vector)
        return model.objective(samples)

    def record(intermediate_result: OptimizeResult) -> None:
        objectives.append(float(intermediate_result.fun))

    found = minimize(
        objective,
        model.parameters(),
        jac=True,
        method="L-BFGS-B",
        callback=record,
        options={"maxiter": iterations, "maxfun": 2 * iterations, "ftol": 1e-12, "gtol": 1e-8},
    )
    model.set_parameters(found.x)
    model.finish()
    if found.status == 1:
        _warn(where, iterations)
    return objectives or [float(found.fun)]


def _warn(where: str, iterations: int) -> None:
    warnings.warn(
        f"{where}: has not converged after max_iter={iterations} iterations. Raise it.",
        ConvergenceWarning,
        stacklevel=5,
    )
