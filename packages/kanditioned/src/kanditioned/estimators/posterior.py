"""How sure the model is: the posterior covariance of its coefficients.

With the penalties as a normal prior, β has the posterior covariance φ V, V = (XᵀWX + diag d)⁻¹
(Wahba, 1983; Nychka, 1988): the bands cover the true function on average over the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .arrays import Indices, Matrix, Objects, Vector
from .basis import Basis
from .design import Design, Tensor
from .reml import Quadratic, Solution, inverse_root
from .table import located
from .terms import Column

ACTIVE = 1e3
"""Coefficients whose penalty is more than this many times their data are left out: each has that
much less variance than the penalty alone allows, which is next to nothing."""


@dataclass(frozen=True)
class Posterior:
    """Covariance of the coefficients, as a root, and what is needed to evaluate new rows.

    Attributes:
        columns: Of the table.
        bases: Of the columns.
        tensors: Of the surfaces.
        active: Numbers of the coefficients that count, for each of the roots.
        roots: R with V = R Rᵀ, shape (active, active), one for each output or one for all.
        means: Weighted means of the active coefficients' columns of X, for each of the roots.
        dispersion: φ of every output, (O,).
        intercept_variance: Of the prediction at the mean, (O,).
    """

    columns: tuple[Column, ...]
    bases: tuple[Basis, ...]
    tensors: tuple[Tensor, ...]
    active: tuple[Indices, ...]
    roots: tuple[Matrix, ...]
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
        diagonals: Sequence[Vector],
    ) -> Posterior:
        """Take it from the solved equations and their penalties d."""
        active, roots = [], []
        for quadratic, d in zip(quadratics, diagonals, strict=True):
            kept = np.flatnonzero(d < ACTIVE * np.diag(quadratic.a))
            active.append(kept)
            roots.append(inverse_root(quadratic.a, d, kept))
        dispersion = np.concatenate([s.dispersion for s in solutions])
        weights = np.concatenate(
            [
                np.full(len(s.dispersion), q.weight)
                for s, q in zip(solutions, quadratics, strict=True)
            ]
        )
        means = [q.mean[kept] for q, kept in zip(quadratics, active, strict=True)]
        return cls(
            tuple(columns), tuple(design.bases), tuple(design.tensors), tuple(active),
            tuple(roots), tuple(means), dispersion, dispersion / weights,
        )  # fmt: skip

    def scaled(self, factor: float) -> Posterior:
        """Multiply every variance."""
        return replace(
            self,
            dispersion=factor * self.dispersion,
            intercept_variance=factor * self.intercept_variance,
        )

    def design(self, data: Sequence[Objects]) -> Design:
        """Return the design of other rows."""
        rows = [located(data, n, column, clamped=False) for n, column in enumerate(self.columns)]
        pairs = [tensor.locate(data) for tensor in self.tensors]
        return Design(rows, self.bases, self.tensors, pairs)

    def variance(self, table: Sequence[Objects]) -> Matrix:
        """Return the posterior variance of the linear predictor, (N, O)."""
        design = self.design(table)
        result = np.empty((len(design), len(self.dispersion)))
        for index, x in design.blocks():
            parts = [
                (((x[:, kept] - mean) @ root) ** 2).sum(1)
                for kept, root, mean in zip(self.active, self.roots, self.means, strict=True)
            ]
            result[index] = np.stack(parts, 1) * self.dispersion + self.intercept_variance
        return result

    def term_variance(self, number: int) -> Matrix:
        """Return the posterior variance of a column's effects in its slots, (slots, O)."""
        bounds = np.cumsum([0, *(basis.size for basis in self.bases)])
        first, last = bounds[number], bounds[number + 1]
        parts = []
        for kept, root in zip(self.active, self.roots, strict=True):
            inside = (first <= kept) & (kept < last)
            matrix = self.bases[number].matrix[:, kept[inside] - first]
            parts.append(((matrix @ root[inside]) ** 2).sum(1))
        variance: Matrix = np.stack(parts, 1) * self.dispersion
        return variance

    def draws(self, table: Sequence[Objects], count: int, rng: np.random.RandomState) -> Matrix:
        """Return deviations of the linear predictor drawn from the posterior, (count, N, O)."""
        design = self.design(table)
        result = np.empty((count, len(design), len(self.dispersion)))
        noise = [rng.standard_normal((root.shape[1], count)) for root in self.roots]
        shift = rng.standard_normal((count, 1, len(self.dispersion)))
        for index, x in design.blocks():
            parts = [
                (x[:, kept] - mean) @ (root @ each)
                for kept, root, mean, each in zip(
                    self.active, self.roots, self.means, noise, strict=True
                )
            ]
            result[:, index] = np.stack(parts, 2).transpose(1, 0, 2) * np.sqrt(self.dispersion)
        result += shift * np.sqrt(self.intercept_variance)
        return result
