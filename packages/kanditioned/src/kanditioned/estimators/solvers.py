"""The minimum of mean loss + smoothing · Σ ∫ s''² over all samples at once."""

from __future__ import annotations

import warnings

from scipy.optimize import OptimizeResult, minimize
from sklearn.exceptions import ConvergenceWarning

from .training import Model, Samples, Vector


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
        f"{where}: L-BFGS has not converged after max_iter={iterations} iterations. Raise it, or "
        "smoothing, with which the objective gets simpler.",
        ConvergenceWarning,
        stacklevel=5,
    )
