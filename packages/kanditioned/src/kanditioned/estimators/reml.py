"""Penalised least squares, and how much to smooth each term.

The objective ‖y - X β‖²_W + Σ_p d_p β_p², d = Σ_j λ_j s_j, is quadratic and has diagonal penalties.
Its λ_j maximise the restricted likelihood (REML) of the model in which the coefficients of term j
are normal with variance φ/λ_j. They are found by the update of Fellner and Schall in the form of
Wood and Fasiolo (A generalized Fellner-Schall method for smoothing parameter optimization, 2017),

    λ_j ← λ_j · [φ (Σ_p s_jp/d_p - Σ_p s_jp V_pp) / Σ_p s_jp β_p²]^q,   V = (XᵀWX + diag d)⁻¹,

which raises the likelihood at q = 1. It is sped up where steps go on in one direction, and damped
where they turn back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import LinAlgError
from scipy.linalg.lapack import dpotrf, dtrtri

from .arrays import Flags, Indices, Matrix, Vector
from .basis import Penalty
from .design import Moments

EDF_STEP = 0.02
"""The search ends when no term's effective degrees of freedom move by more, as a share where they
are more than one."""
MOST_STEPS = 200
FIRST, FASTEST, SLOWEST = 1.0, 1.5, 0.1
"""Powers q: larger while the steps of a weight go on in one direction, else smaller."""
LARGEST_STEP = 5.0
"""Of log λ."""
LEAST, MOST = 1e-7, 1e9
"""λ as a multiple of the ratio of data to penalty."""
CROWDED = 1000.0
"""Samples per weight below which the search begins with larger ones."""
COST = 2.0
"""Of a degree of freedom, times the square of weights per sample: see `Search`."""
SMALL, GROWING, PATIENCE = 0.5, 0.1, 25
"""A term of less degrees of freedom whose log λ falls by more in a step may still become one; the
search waits for it for so many steps."""
ROUNDING = 1e-12
"""Of the largest sum of squares that a term could have: below it there are no data."""
LEAST_RESIDUAL = 1e-7
"""Of the sum of squares: below it the difference that gives the residual is rounding."""
NEGLIGIBLE = 1e3
"""A coefficient whose penalty is so many times its data is solved apart during the search."""


@dataclass(frozen=True)
class Quadratic:
    """The centred normal equations of a weighted least-squares problem.

    Attributes:
        a: XᵀWX, (P, P).
        b: XᵀWy, (P, O).
        yy: Σ w y², (O,).
        samples: Number of rows.
        weight: Σ w.
        mean: Σ w x / Σ w, (P,).
    """

    a: Matrix
    b: Matrix
    yy: Vector
    samples: float
    weight: float
    mean: Vector

    @classmethod
    def of(cls, moments: Moments, samples: float | None = None) -> Quadratic:
        """Centre the sums of rows, which eliminates the intercept."""
        m = moments
        return cls(
            m.xx - np.outer(m.x, m.x) / m.weight,
            m.xy - np.outer(m.x, m.y) / m.weight,
            np.maximum(m.yy - m.y**2 / m.weight, 0.0),
            m.weight if samples is None else samples,
            m.weight,
            m.x / m.weight,
        )


class Penalties:
    """All penalties of a model, as arrays.

    Args:
        penalties: Each has a weight λ of its own.
        size: Number of coefficients.
    """

    def __init__(self, penalties: Sequence[Penalty], size: int) -> None:
        self.each, self.size = list(penalties), size
        none = [np.zeros(0, np.intp)]
        self._coefficient = np.concatenate([*none, *(p.index for p in self.each)])
        self._scale = np.concatenate([*none, *(p.scale for p in self.each)]).astype(np.float64)
        lengths = [len(p.index) for p in self.each]
        self._number = np.repeat(np.arange(len(lengths)), lengths)

    def __len__(self) -> int:
        return len(self.each)

    def diagonal(self, weights: Vector) -> Vector:
        """Return d, shape (P,)."""
        each = self._scale * weights[self._number]
        d: Vector = np.bincount(self._coefficient, each, self.size).astype(np.float64)
        return d

    def sum(self, values: Vector) -> Vector:
        """Return Σ_p s_jp values_p for every penalty j."""
        each = self._scale * values[self._coefficient]
        sums: Vector = np.bincount(self._number, each, len(self)).astype(np.float64)
        return sums

    def rows(self, weights: Vector) -> Matrix:
        """Return λ_j s_j of every penalty, shape (J, P)."""
        matrix = np.zeros((len(self), self.size))
        np.add.at(matrix, (self._number, self._coefficient), self._scale)
        return weights[:, None] * matrix


@dataclass(frozen=True)
class Solution:
    """The minimum, and what it says about the coefficients.

    Attributes:
        coefficients: β, (P, O).
        weights: λ, one for each penalty.
        variance: Diagonal of V, (P,).
        dispersion: φ, (O,): the residual variance.
        edf: Effective degrees of freedom of every coefficient, (P,).
        steps: Of the search.
    """

    coefficients: Matrix
    weights: Vector
    variance: Vector
    dispersion: Vector
    edf: Vector
    steps: int = 0


def start(quadratic: Quadratic, penalties: Penalties) -> Vector:
    """Return weights λ at which penalty and data have the same size."""
    data = penalties.sum(np.diag(quadratic.a))
    own = np.array([float(p.scale @ p.scale) for p in penalties.each])
    ratio: Vector = np.maximum(data, np.finfo(np.float64).tiny) / own
    return ratio


def solve(
    quadratic: Quadratic,
    penalties: Penalties,
    weights: Vector,
    dispersion: float | None = None,
    negligible: float = np.inf,
) -> Solution:
    """Minimise at given weights.

    Args:
        quadratic: The data.
        penalties: The penalties.
        weights: λ.
        dispersion: φ if it is known, as for a classifier; by default RSS/(n - edf).
        negligible: See `NEGLIGIBLE`; by default everything is solved together.
    """
    a, b = quadratic.a, quadratic.b
    diagonal, d = np.diag(a), penalties.diagonal(weights)
    active = np.flatnonzero(d / negligible < diagonal)
    variance = 1.0 / (diagonal + d)
    coefficients = np.zeros_like(b)
    if len(active):
        root = inverse_root(a, d, active)
        coefficients[active] = root @ (root.T @ b[active])
        variance[active] = np.einsum("pq,pq->p", root, root)
    rest = np.setdiff1d(np.arange(len(d)), active, assume_unique=True)
    if len(rest):
        left = b[rest] - a[np.ix_(rest, active)] @ coefficients[active]
        coefficients[rest] = variance[rest, None] * left
    edf = 1.0 - d * variance
    phi = np.full(b.shape[1], dispersion if dispersion is not None else np.nan)
    if dispersion is None:
        rss = quadratic.yy - np.einsum("po,po->o", coefficients, b) - d @ coefficients**2
        rss = np.maximum(rss, LEAST_RESIDUAL * quadratic.yy + np.finfo(np.float64).tiny)
        phi = rss / max(quadratic.samples - 1.0 - edf.sum(), 1.0)
    return Solution(coefficients, weights, variance, phi, edf)


def inverse_root(a: Matrix, d: Vector, active: Indices) -> Matrix:
    """Return R, upper triangular, with R Rᵀ the inverse of some rows and columns of A + diag d."""
    if not len(active):
        return np.zeros((0, 0))  # which LAPACK would complain of
    part = a.copy() if len(active) == len(a) else a[np.ix_(active, active)]
    part[np.diag_indices_from(part)] += d[active]
    factor, status = dpotrf(part.T, lower=1, clean=1, overwrite_a=1)  # no copy: A is symmetric
    if status:
        raise LinAlgError("the penalised normal equations are not positive definite")
    inverse, _ = dtrtri(factor, lower=1, overwrite_c=1)
    root: Matrix = inverse.T
    return root


class Search:
    """The weights λ, improved step by step.

    With J weights and n samples the likelihood has a maximum at interpolation once J is near n. So
    every degree of freedom costs c = min(`COST` · (J/n)², log J) of it: then a single coefficient
    stays if its t² exceeds 1 + 2 c. With few weights that is next to nothing, and with many the
    threshold 2 log J of Foster and George (The risk inflation criterion, 1994).

    Args:
        quadratic: The data at the start, which set the range of λ.
        penalties: The penalties.
        weights: λ to begin with; those of `start` by default, and where it is NaN.
        fixed: Those of `weights` that stay, by default none, shape (J,).
        least: Lower bound of all weights that do not.
    """

    def __init__(
        self,
        quadratic: Quadratic,
        penalties: Penalties,
        weights: Vector | None = None,
        fixed: Flags | None = None,
        least: float = 0.0,
    ) -> None:
        self.penalties = penalties
        middle = np.maximum(start(quadratic, penalties), least)
        self._range = np.maximum(LEAST * middle, least), MOST * middle
        # With more terms than samples the search would begin, and end, at interpolation.
        first = middle * max(1.0, CROWDED * len(middle) / quadratic.samples)
        given = first if weights is None else np.where(np.isnan(weights), first, weights)
        # A value that no row has, as in a fold, leaves rounding errors alone: it gets no effect.
        most = quadratic.weight * np.array([p.scale.sum() for p in penalties.each])
        has_data = penalties.sum(np.diag(quadratic.a)) > ROUNDING * most
        self.weights = np.where(has_data, given, np.maximum(given, quadratic.weight))
        self._free = has_data if fixed is None else has_data & ~fixed
        self._power = np.full(len(middle), FIRST)
        self._last = np.zeros(len(middle))
        self._edf: Vector | None = None
        self._steps = 0
        count = max(len(middle), 1)
        self._cost = min(COST * (count / quadratic.samples) ** 2, float(np.log(count)))

    def update(self, solutions: Sequence[Solution]) -> bool:
        """Improve the weights by solutions at them, of all outputs, whose sums count.

        Returns:
            Whether the last step moved every term's effective degrees of freedom only little, and
            no λ of a small term still falls.
        """
        s = self.penalties
        mean_edf = np.mean([found.edf for found in solutions], axis=0)
        edf = np.array([mean_edf[p.index].sum() for p in s.each])
        moved = np.inf
        if self._edf is not None:
            moved = (np.abs(edf - self._edf) / np.maximum(edf, 1.0)).max(initial=0.0)
        self._edf = edf
        prior = s.sum(1.0 / s.diagonal(self.weights))
        prior = prior - np.mean([s.sum(found.variance) for found in solutions], axis=0)
        slack = np.array([mean_edf[p.index] @ (1.0 - mean_edf[p.index]) for p in s.each])
        tiny = np.finfo(np.float64).tiny
        prior = prior * (1.0 + 2.0 * self._cost * (slack / np.maximum(edf, tiny)).clip(0.0, 1.0))
        scaled = [((f.coefficients / np.sqrt(f.dispersion)) ** 2).mean(1) for f in solutions]
        squares = s.sum(np.mean(scaled, axis=0))
        step = np.log(np.maximum(prior, tiny) / np.maximum(squares, tiny))
        same = np.sign(step) == np.sign(self._last)
        power = self._power * np.where(same, 1.25, 0.5)
        self._power = power.clip(SLOWEST, FASTEST)
        self._last = step
        step = (self._power * step).clip(-LARGEST_STEP, LARGEST_STEP)
        new = (self.weights * np.exp(step)).clip(*self._range)
        new = np.where(self._free, new, self.weights)
        falls = (edf < SMALL) & (np.log(self.weights / new) > GROWING)
        self.weights = new
        self._steps += 1
        return bool(moved < EDF_STEP and not (falls.any() and self._steps < PATIENCE))


def choose(
    quadratic: Quadratic,
    penalties: Penalties,
    weights: Vector | None = None,
    fixed: Flags | None = None,
) -> Solution:
    """Return the solution at the weights λ of the highest restricted likelihood."""
    search = Search(quadratic, penalties, weights, fixed)
    if fixed is not None and fixed.all():
        return solve(quadratic, penalties, search.weights)
    steps = 0
    while steps < MOST_STEPS:
        steps += 1
        found = solve(quadratic, penalties, search.weights, negligible=NEGLIGIBLE)
        if search.update([found]):
            break
    return replace(solve(quadratic, penalties, search.weights), steps=steps)
