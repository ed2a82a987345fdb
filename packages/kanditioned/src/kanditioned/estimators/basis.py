"""Coordinates in which the penalties of a column are diagonal.

For knots z_1 < ... < z_K the penalty is ‖D c‖², where row k of D is

    2 h₁ h₂ / (h₁ + h₂) · [1/h₁, -(1/h₁ + 1/h₂), 1/h₂],   h₁ = z_k - z_{k-1}, h₂ = z_{k+1} - z_k,

the change of slope times the harmonic mean of the spacings, so straight lines in the units of the
column are free; with evenly spaced knots it is the second difference. With D = U S Vᵀ the control
points are c = line · β₀ + V β, and the penalty is Σ s² β²: the idea of Demmler and Reinsch
(Oscillation matrices with spline smoothing, 1975) with the sum over knots in place of that over
samples. In the hat basis the Cholesky factorisation breaks as the weight grows; here it does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import shapes
from .arrays import Indices, Matrix, Vector
from .table import parts
from .terms import Category, Column, Numeric, Place


@dataclass(frozen=True)
class Penalty:
    """λ Σ_k scale_k β_k² over some coefficients of a basis.

    Attributes:
        kind: `"curvature"`, `"slope"`, `"missing"` or `"level"`, or `"pair"` of a surface.
        index: Of the coefficients.
        scale: Their scales.
    """

    kind: str
    index: Indices
    scale: Vector


@dataclass(frozen=True)
class Basis:
    """Effects of a column's slots are `matrix` @ β.

    Attributes:
        matrix: Shape (slots, P); over the training rows the mean of every column is zero.
        penalties: Every coefficient has one or more.
        share: Weight of the training rows in every slot, (slots,).
        inequalities: G, (m, P), if the column has a shape: G β >= 0.
    """

    matrix: Matrix
    penalties: tuple[Penalty, ...]
    share: Vector
    inequalities: Matrix | None = None

    @property
    def size(self) -> int:
        """Number of coefficients, P."""
        return int(self.matrix.shape[1])


def second_differences(knots: Vector) -> Matrix:
    """Return D, shape (K - 2, K)."""
    h = np.diff(knots / np.abs(knots).max(initial=np.finfo(np.float64).tiny))
    left, right = h[:-1], h[1:]
    rows = np.arange(len(h) - 1)
    matrix = np.zeros((len(rows), len(knots)))
    matrix[rows, rows] = 2 * right / (left + right)
    matrix[rows, rows + 1] = -2.0
    matrix[rows, rows + 2] = 2 * left / (left + right)
    return matrix


def slot_weights(column: Column, place: Place, weight: Vector) -> Vector:
    """Return the total weight in every slot, shape (slots,)."""
    total = np.zeros(column.slots)
    for index in parts(len(weight)):
        rows, w = place.take(index), weight[index]
        total += np.bincount(rows.slot, w * (1 - rows.fraction), column.slots)
        total += np.bincount(rows.slot + 1, w * rows.fraction, column.slots)
    return total


def build(column: Column, place: Place, weight: Vector) -> Basis:
    """Return the basis of a column for training rows and their weights."""
    return of_slots(column, slot_weights(column, place, weight))


def of_slots(column: Column, share: Vector) -> Basis:
    """Return the basis of a column for the weights in its slots."""
    if isinstance(column, Category):
        return _of_levels(share)
    return _of_knots(column, share)


def _of_levels(share: Vector) -> Basis:
    levels = len(share) - 1
    if levels < 2:
        return Basis(np.zeros((levels + 1, 0)), (), share)
    matrix = np.vstack([np.eye(levels) - share[:-1] / share.sum(), np.zeros(levels)])
    return Basis(matrix, (Penalty("level", np.arange(levels), np.ones(levels)),), share)


def _of_knots(column: Numeric, share: Vector) -> Basis:
    """Curves are centred over the rows that are there, and a missing value has a constant."""
    count = len(column.knots)
    parts: list[Matrix] = []
    penalties: list[Penalty] = []
    if count > 1:
        line = _line(column.knots, share[:-1])
        parts.append(line[:, None])
        penalties.append(Penalty("slope", np.arange(1), np.ones(1)))
    if count > 2:
        _, values, vectors = np.linalg.svd(second_differences(column.knots), full_matrices=False)
        parts.append(vectors.T)
        penalties.append(Penalty("curvature", 1 + np.arange(count - 2), values**2))
    curves = np.hstack(parts) if parts else np.zeros((count, 0))
    present = share[:-1].sum()
    if present:
        curves = curves - share[:-1] @ curves / present
    matrix = np.vstack([curves, np.zeros(curves.shape[1])])
    if share[-1] and present:
        constant = np.zeros((count + 1, 1))
        constant[-1] = 1.0
        matrix = np.hstack([matrix, constant - share[-1] / share.sum()])
        penalties.append(Penalty("missing", np.array([matrix.shape[1] - 1]), np.ones(1)))
    bound = count > 1 and shapes.has_shape(column)
    rows = shapes.inequalities(column, matrix) if bound else None
    return Basis(matrix, tuple(penalties), share, rows)


def _line(knots: Vector, share: Vector) -> Vector:
    """Return the column's own value at the knots, of mean zero and variance one over the rows."""
    scaled = knots / np.abs(knots).max()
    mean = share @ scaled / share.sum()
    inside = share.clip(min=0.0)  # rows far beyond the knots make weights below zero
    spread = np.sqrt(inside @ (scaled - mean) ** 2 / inside.sum())
    line: Vector = (scaled - mean) / spread
    return line


def margins(column: Column, place: Place, weight: Vector) -> tuple[Matrix, Vector]:
    """Return the basis of one side of a surface, (slots, P), and its curvature scales (P,).

    The mean over the training rows is zero; missing and unseen values are zero.
    """
    basis = build(column, place, weight)
    kinds = [p for p in basis.penalties if p.kind != "missing"]
    kept = np.concatenate([p.index for p in kinds]) if kinds else np.zeros(0, np.intp)
    scale = [p.scale if p.kind == "curvature" else np.zeros(len(p.index)) for p in kinds]
    return basis.matrix[:, kept], np.concatenate([*scale, np.zeros(0)])


def shift(parts: Sequence[Sequence[Penalty]], sizes: Sequence[int]) -> list[Penalty]:
    """Return the penalties of several bases as those of all their coefficients in a row."""
    starts = np.cumsum([0, *sizes])
    return [
        Penalty(p.kind, p.index + start, p.scale)
        for start, penalties in zip(starts, parts, strict=False)
        for p in penalties
    ]
