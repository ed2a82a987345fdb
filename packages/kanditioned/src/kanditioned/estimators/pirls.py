"""Penalised iteratively reweighted least squares, with one update of every λ per step.

Each output has its quadratic model in turn: for several classes a cyclic Newton method on the
softmax. All outputs share their λ, which follow the restricted likelihood of these models. Steps
that raise the penalised deviance are halved.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from . import shapes
from .arrays import Flags, Matrix, Vector
from .design import Design, Moments
from .expectation import mean_quadratic
from .families import Family, Logistic, Softmax, Squared
from .reml import Penalties, Quadratic, Search, Solution, choose, solve

MOST_STEPS = 100
STEADY, EXACT = 1e-4, 1e-9
"""Change of the deviance, as a share of that of the best constant, at which λ is left alone, and
then at which the steps end."""
LEAST_WEIGHT = 1e-2
"""Of λ where φ = 1: effects have a prior standard deviation of 10 at most on the link's scale, so
that separable classes get finite odds."""
MOST_LAST_STEPS = 20
HALVINGS = 10
NEGLIGIBLE = 1e5
STALE = 0.01
"""Mean change of the working weights, as a share of them, up to which a Hessian is kept."""


@dataclass(frozen=True)
class Fit:
    """A fitted model in the coordinates of a design.

    Attributes:
        intercept: Shape (O,).
        coefficients: Shape (P, O).
        solutions: Of each output, or one for all where they share it.
        quadratics: The equations which these solve.
        steps: Number of steps, one of each output.
        scoring: What has found it, if it is no solution of a single system.
    """

    intercept: Vector
    coefficients: Matrix
    solutions: tuple[Solution, ...]
    quadratics: tuple[Quadratic, ...]
    steps: int
    scoring: _Scoring | None = None

    @property
    def weights(self) -> Vector:
        """λ, which all outputs share."""
        return self.solutions[0].weights

    @property
    def dispersion(self) -> Vector:
        """φ of every output, (O,)."""
        return np.concatenate([solution.dispersion for solution in self.solutions])

    def posterior_quadratics(self) -> list[Quadratic]:
        """Return the equations whose matrices are the precisions of the coefficients."""
        if self.scoring is None:
            return list(self.quadratics)
        return [self.scoring.mean_quadratic(output) for output in range(len(self.quadratics))]

    def predictor(self, design: Design) -> Matrix:
        """Return the linear predictor η of a design's rows, (N, O)."""
        return self.intercept + design.times(self.coefficients)


def fit(
    design: Design,
    y: Matrix,
    weight: Vector,
    family: Family,
    weights: Vector | None = None,
    fixed: Flags | None = None,
    start: Fit | None = None,
) -> Fit:
    """Fit intercept and coefficients, and choose every λ that is not fixed.

    Args:
        design: Of N rows.
        y: Targets (N, O) as the family says.
        weight: Of the rows, (N,).
        family: The loss.
        weights: λ to begin with.
        fixed: Which stay as they are.
        start: A fit to begin with, of the first coefficients of the design.
    """
    if isinstance(family, Squared):
        return _least_squares(design, y, weight, weights, fixed)
    return _Scoring(design, y, weight, family, weights, fixed, start).run()


def _least_squares(
    design: Design,
    y: Matrix,
    weight: Vector,
    weights: Vector | None,
    fixed: Flags | None,
) -> Fit:
    middle = np.average(y, axis=0, weights=weight)
    return least_squares(design, design.moments(weight, y - middle), middle, weights, fixed)


def least_squares(
    design: Design,
    moments: Moments,
    middle: Vector,
    weights: Vector | None,
    fixed: Flags | None,
) -> Fit:
    """Fit squared errors, given the sums of targets less `middle`, (O,), over the rows."""
    quadratic = Quadratic.of(moments)
    penalties = Penalties(design.penalties, design.size)
    found = _impose_shapes(
        choose(quadratic, penalties, weights, fixed), quadratic, penalties, design
    )
    beta = found.coefficients
    intercept = middle + (moments.y - moments.x @ beta) / moments.weight
    return Fit(intercept, beta, (found,), (quadratic,), found.steps)


def _impose_shapes(
    found: Solution, quadratic: Quadratic, penalties: Penalties, design: Design
) -> Solution:
    """Move a solution to the best one at its λ that has the shapes of the columns."""
    rows = shapes.together([basis.inequalities for basis in design.bases], design.bounds)
    if not len(rows):
        return found
    h = quadratic.a + np.diag(penalties.diagonal(found.weights))
    return replace(found, coefficients=shapes.solve_constrained(h, quadratic.b, rows))


class _Scoring:
    """The state of the iteration."""

    def __init__(
        self,
        design: Design,
        y: Matrix,
        weight: Vector,
        family: Family,
        weights: Vector | None,
        fixed: Flags | None,
        start: Fit | None,
    ) -> None:
        self.design, self.y, self.weight, self.family = design, y, weight, family
        self.initial, self.fixed = weights, fixed
        outputs = y.shape[1]
        self.penalties = Penalties(design.penalties, design.size)
        self.intercept = family.start(y, weight)
        self.coefficients = np.zeros((design.size, outputs))
        self.null = self._deviance(np.tile(self.intercept, (len(y), 1))) + 1e-12
        if start is not None:
            self.intercept = start.intercept.copy()
            self.coefficients[: len(start.coefficients)] = start.coefficients
        self.eta = self.intercept + design.times(self.coefficients)
        self.search: Search | None = None
        self.found: dict[int, tuple[Solution, Quadratic]] = {}
        self.working: dict[int, Vector] = {}

    def run(self) -> Fit:
        """Take steps until λ and the deviance are settled, and then to the minimum at that λ."""
        steps = self._repeat(self.null * STEADY, MOST_STEPS, final=False)
        if steps == MOST_STEPS:
            _warn()
        steps += self._repeat(self.null * EXACT, MOST_LAST_STEPS, final=True)
        found = [self.found[output] for output in range(self.y.shape[1])]
        solutions, quadratics = zip(*found, strict=True)
        return Fit(self.intercept, self.coefficients, solutions, quadratics, steps, self)

    def mean_quadratic(self, output: int) -> Quadratic:
        """Return the quadratic model of an output on average over its posterior."""
        found, quadratic = self.found[output]
        family, others = self.family.given_others(self.eta, output)
        if not isinstance(family, Logistic):
            return quadratic
        d = self.penalties.diagonal(found.weights)
        own, target = self.eta[:, output] - others, self.y[:, output]
        return mean_quadratic(self.design, quadratic, d, family, own, target, self.weight)

    def _repeat(self, tolerance: float, most: int, *, final: bool) -> int:
        """Take steps of every output until the deviance moves less; return their number."""
        last = self._deviance(self.eta)
        outputs = range(self.y.shape[1])
        for step in range(1, most + 1):
            for output in outputs:
                self._improve(output, final=final, anew=final and step == 1)
            self._centre()
            settled = final
            if not final and self.search is not None:
                settled = self.search.update([self.found[output][0] for output in outputs])
            now = self._deviance(self.eta)
            if settled and abs(now - last) <= tolerance:
                return step
            last = now
        return most

    def _centre(self) -> None:
        """Take from all classes what they share: no probability changes, and the penalties fall.

        A cyclic method alone would take many steps for it.
        """
        if isinstance(self.family, Softmax):
            self.coefficients -= self.coefficients.mean(1, keepdims=True)
            self.intercept -= self.intercept.mean()
            self.eta -= self.eta.mean(1, keepdims=True)

    def _improve(self, output: int, *, final: bool, anew: bool) -> None:
        """Take a step of one output at the present λ."""
        family, others = self.family.given_others(self.eta, output)
        own, target = self.eta[:, output] - others, self.y[:, output]
        working, response = family.step(own, target)
        quadratic, gradient = self._quadratic(output, working, response - own, anew)
        dispersion = self.family.dispersion
        if self.search is None:
            least = 0.0 if dispersion is None else LEAST_WEIGHT
            self.search = Search(quadratic, self.penalties, self.initial, self.fixed, least)
        weights = self.search.weights
        kept = np.inf if final else NEGLIGIBLE
        found = solve(quadratic, self.penalties, weights, dispersion, kept)
        found = _impose_shapes(found, quadratic, self.penalties, self.design)
        self.found[output] = found, quadratic
        step = found.coefficients[:, 0] - self.coefficients[:, output]
        first = gradient / quadratic.weight - float(quadratic.mean @ step)
        move = first + self.design.times(step[:, None])[:, 0]
        d = self.penalties.diagonal(weights)

        def objective(share: float) -> float:
            deviance = family.deviance((own + share * move)[:, None], target[:, None])
            beta = self.coefficients[:, output] + share * step
            return float(self.weight @ deviance + d @ beta**2)

        share = _share(objective)
        self.intercept[output] += share * first
        self.coefficients[:, output] += share * step
        self.eta[:, output] += share * move

    def _quadratic(
        self, output: int, working: Vector, residual: Vector, anew: bool
    ) -> tuple[Quadratic, float]:
        """Return the quadratic model of an output, and the derivative by its intercept.

        Its Hessian stays while the working weights do, unless `anew`.
        """
        weight, beta = self.weight * working, self.coefficients[:, output]
        pull = weight * residual
        gradient = float(pull.sum())
        eta = self.eta[:, output] + residual
        middle = np.average(eta, weights=weight)
        if output in self.working and not anew:
            change = self.weight @ np.abs(working - self.working[output])
            if change <= STALE * weight.sum():
                last = self.found[output][1]
                slope = self.design.transposed_times(pull[:, None])[:, 0] - gradient * last.mean
                b, yy = (last.a @ beta + slope)[:, None], weight @ (eta - middle) ** 2
                return replace(last, b=b, yy=np.array([yy])), gradient
        self.working[output] = working
        moments = self.design.moments(weight, (eta - middle)[:, None])
        return Quadratic.of(moments, float(self.weight.sum())), gradient

    def _deviance(self, eta: Matrix) -> float:
        return float(self.weight @ self.family.deviance(eta, self.y))


def _share(objective: Callable[[float], float]) -> float:
    """Return 1, halved until the objective does not rise."""
    most = objective(0.0) * (1 + 1e-9) + 1e-9
    share = 1.0
    for _ in range(HALVINGS):
        if objective(share) <= most:
            break
        share /= 2
    return share


def _warn() -> None:
    warnings.warn(
        f"the additive fit has not settled after {MOST_STEPS} steps. Its curves may be too rough "
        "or too smooth: fix smoothing=, or look for rare categories and separated classes.",
        ConvergenceWarning,
        stacklevel=6,
    )
