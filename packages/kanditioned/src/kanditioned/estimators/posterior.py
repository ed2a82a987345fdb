"""How sure the model is: the posterior covariance of its coefficients.

With the penalties as a normal prior, β has the posterior covariance φ V, V = (XᵀWX + diag d)⁻¹
(Wahba, 1983; Nychka, 1988): the bands cover the true function on average over the data.

That takes the learned λ for known. With ρ = log λ of covariance C, from the curvature of the
restricted likelihood, the covariance becomes φ V + J C Jᵀ, J = ∂β/∂ρ (Wood, Pya and Säfken,
Smoothing parameter and model selection for general smooth models, 2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .arrays import Flags, Indices, Matrix, Objects, Vector
from .basis import Basis
from .design import Design, Tensor
from .reml import Penalties, Quadratic, Solution, inverse_root
from .table import locate
from .terms import Column

ACTIVE = 1e3
"""Coefficients whose penalty is more than this many times their data are left out: each has that
much less variance than the penalty alone allows, which is next to nothing."""
PRIOR_PRECISION = 0.1
"""Of log λ: the data alone do not bound a λ that has gone to infinity."""


@dataclass(frozen=True)
class Posterior:
    """Covariance of the coefficients, as a root, and what is needed to evaluate new rows.

    Attributes:
        columns: Of the table.
        bases: Of the columns.
        tensors: Of the surfaces.
        active: Numbers of the coefficients that count, for each of the roots.
        roots: R with V = R Rᵀ, shape (active, active), one for each output or one for all.
        shifts: J L / √φ with L Lᵀ = C, shape (active, learned λ), one for each output.
        means: Weighted means of the active coefficients' columns of X, for each of the roots.
        dispersion: φ of every output, (O,).
        intercept_variance: Of the prediction at the mean, (O,).
    """

    columns: tuple[Column, ...]
    bases: tuple[Basis, ...]
    tensors: tuple[Tensor, ...]
    active: tuple[Indices, ...]
    roots: tuple[Matrix, ...]
    shifts: tuple[Matrix, ...]
    means: tuple[Vector, ...]
    dispersion: Vector
    intercept_variance: Vector

    @classmethod
    def of(
        cls,
        columns: Sequence[Column],
        design: Design,
        solutions: Sequence[Solution],
        quadratics: Sequence[Quadratic],
        learned: Flags,
    ) -> Posterior:
        """Take it from the solved equations.

        Args:
            columns: Of the table.
            design: Of the training rows.
            solutions: Of each output, or one for all.
            quadratics: The equations.
            learned: Which λ come from the data, shape (penalties,).
        """
        penalties = Penalties(design.penalties, design.size)
        d = penalties.diagonal(solutions[0].weights)
        active = [np.flatnonzero(d < ACTIVE * np.diag(q.a)) for q in quadratics]
        roots = [inverse_root(q.a, d, each) for q, each in zip(quadratics, active, strict=True)]
        scaled = [s.coefficients / np.sqrt(s.dispersion) for s in solutions]
        s = penalties.rows(solutions[0].weights)[learned]
        dispersion = np.concatenate([solution.dispersion for solution in solutions])
        weights = np.concatenate(
            [
                np.full(len(s.dispersion), q.weight)
                for s, q in zip(solutions, quadratics, strict=True)
            ]
        )
        means = [q.mean[kept] for q, kept in zip(quadratics, active, strict=True)]
        return cls(
            tuple(columns), tuple(design.bases), tuple(design.tensors), tuple(active),
            tuple(roots), _shifts(s, d, scaled, active, roots), tuple(means), dispersion,
            dispersion / weights,
        )  # fmt: skip

    def design(self, data: Sequence[Objects]) -> Design:
        """Return the design of other rows."""
        rows = [locate(data, n, column, clamped=False) for n, column in enumerate(self.columns)]
        pairs = [tensor.locate(data) for tensor in self.tensors]
        return Design(rows, self.bases, self.tensors, pairs)

    def variance(self, table: Sequence[Objects]) -> Matrix:
        """Return the posterior variance of the linear predictor, (N, O)."""
        design = self.design(table)
        result = np.empty((len(design), len(self.dispersion)))
        for index, x in design.blocks():
            result[index] = self._variance(self._centre(x)) + self.intercept_variance
        return result

    def term_variance(self, number: int) -> Matrix:
        """Return the posterior variance of a column's effects in its slots, (slots, O)."""
        bounds = np.cumsum([0, *(basis.size for basis in self.bases)])
        first, last = bounds[number], bounds[number + 1]
        rows = []
        for kept in self.active:
            inside = (first <= kept) & (kept < last)
            own = np.zeros((len(self.bases[number].matrix), len(kept)))
            own[:, inside] = self.bases[number].matrix[:, kept[inside] - first]
            rows.append(own)
        return self._variance(rows)

    def draws(self, table: Sequence[Objects], count: int, rng: np.random.RandomState) -> Matrix:
        """Return deviations of the linear predictor drawn from the posterior, (count, N, O)."""
        design = self.design(table)
        outputs = len(self.dispersion)
        result = np.empty((count, len(design), outputs))
        noise = [root @ rng.standard_normal((root.shape[1], count)) for root in self.roots]
        of_weights = rng.standard_normal((self.shifts[0].shape[1], count))
        middle = rng.standard_normal((count, 1, outputs)) * np.sqrt(self.intercept_variance)
        for index, x in design.blocks():
            rows, beta = self._each(self._centre(x)), self._each(noise)
            parts = [
                r @ (b + shift @ of_weights)
                for r, b, shift in zip(rows, beta, self.shifts, strict=True)
            ]
            result[:, index] = np.stack(parts, 2).transpose(1, 0, 2) * np.sqrt(self.dispersion)
        result += middle
        return result

    def _centre(self, x: Matrix) -> list[Matrix]:
        return [x[:, kept] - mean for kept, mean in zip(self.active, self.means, strict=True)]

    def _variance(self, rows: Sequence[Matrix]) -> Matrix:
        """Return the variance (M, O) of rows (M, active) of each root times the coefficients."""
        at_weights = [((r @ root) ** 2).sum(1) for r, root in zip(rows, self.roots, strict=True)]
        of_weights = [
            ((r @ shift) ** 2).sum(1)
            for r, shift in zip(self._each(rows), self.shifts, strict=True)
        ]
        total = np.stack(at_weights, 1) + np.stack(of_weights, 1)
        variance: Matrix = total * self.dispersion
        return variance

    def _each(self, values: Sequence[Matrix]) -> list[Matrix]:
        """Return what outputs may share for each of them."""
        return list(values) if len(values) == len(self.shifts) else [values[0]] * len(self.shifts)


def _shifts(
    s: Matrix,
    d: Vector,
    scaled: Sequence[Matrix],
    active: Sequence[Indices],
    roots: Sequence[Matrix],
) -> tuple[Matrix, ...]:
    """Return J L / √φ of every output, (active, J).

    With S_j = λ_j diag s_j the restricted log-likelihood l of an output has, at its maximum,
    ∂β/∂ρ_j = -V S_j β and
    -∂²l/∂ρ_j∂ρ_k = [tr(D⁻¹S_jD⁻¹S_k) - tr(V S_j V S_k)]/2 - βᵀ S_j V S_k β / φ.

    Args:
        s: λ_j s_j in rows, (J, P).
        d: Diagonal of D = Σ_j S_j, (P,).
        scaled: β/√φ of every solution, (P, outputs of it).
        active: Coefficients that count.
        roots: R with V = R Rᵀ.
    """
    information = PRIOR_PRECISION * np.eye(len(s))
    moves = []
    for kept, root, each in zip(active, roots, scaled, strict=True):
        own, v = s[:, kept], root @ root.T
        spread = ((own / d[kept] ** 2) @ own.T - own @ (v**2) @ own.T) / 2
        for beta in each[kept].T:
            move = (own * beta) @ v
            information += _positive(spread - (own * beta) @ move.T)
            moves.append(move)
    values, vectors = np.linalg.eigh(information)
    factor = vectors / np.sqrt(values)
    return tuple(-move.T @ factor for move in moves)


def _positive(information: Matrix) -> Matrix:
    """Return the nearest symmetric matrix without negative eigenvalues."""
    values, vectors = np.linalg.eigh((information + information.T) / 2)
    nearest: Matrix = (vectors * values.clip(0.0)) @ vectors.T
    return nearest
