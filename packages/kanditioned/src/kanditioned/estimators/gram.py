"""Sums of products over the rows of a design, from those of the hat functions.

With B the basis of a column and Φ the hat functions at its rows, X = Φ B, so XᵀWX = Bᵀ (ΦᵀWΦ) B. A
row of Φ has two entries for a column and four for a pair: `kanditioned_cpu.gram` adds up their
products alone. Where that package is not installed, or the design is small, X is made block by
block, see `design`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise

import numpy as np

from .arrays import Indices, Matrix, Vector
from .terms import Rows

IS_INSTALLED = find_spec("kanditioned_cpu") is not None
MULTIPLICATIONS = 64
"""Of a matrix product in the time of one product of two hats (1.4 ns and 90 ns, one core of a Xeon
with AVX-512, 2026-11)."""
FEWEST_MULTIPLICATIONS = 1e8
"""With fewer, what comes before and after the native kernel takes longer: some 2 ms."""


@dataclass(frozen=True)
class Hats:
    """Two neighbouring entries of every row: scale · (1 - fraction) and scale · fraction."""

    index: Indices
    fraction: Vector
    scale: Vector | None = None


@dataclass(frozen=True)
class Block:
    """A column or a pair of columns: hat functions Φ at the rows, and the basis B over them.

    Attributes:
        hats: One for a column, two for a pair.
        matrix: B, shape (slots, P).
    """

    hats: tuple[Hats, ...]
    matrix: Matrix

    @classmethod
    def of_column(cls, rows: Rows, matrix: Matrix) -> Block:
        """Take the basis of a column."""
        return cls((Hats(rows.slot, rows.fraction),), matrix)

    @classmethod
    def of_pair(cls, rows: tuple[Rows, Rows], sides: tuple[Matrix, Matrix]) -> Block:
        """Take the products of two bases; slots of the second column are neighbours."""
        a, b = rows
        index = a.slot * len(sides[1]) + b.slot
        below = Hats(index, b.fraction, 1.0 - a.fraction)
        above = Hats(index + len(sides[1]), b.fraction, a.fraction)
        products = np.kron(*sides).astype(np.float64, copy=False)
        return cls((below, above), products)

    def times(self, coefficients: Matrix) -> Matrix:
        """Return Φ B β for coefficients β (P, O), shape (N, O)."""
        effects = self.matrix @ coefficients
        parts = []
        for hats in self.hats:
            below = effects[hats.index]
            below += hats.fraction[:, None] * (effects[hats.index + 1] - below)
            parts.append(below if hats.scale is None else hats.scale[:, None] * below)
        total: Matrix = parts[0] if len(parts) == 1 else parts[0] + parts[1]
        return total


def pays(rows: int, hats: int, size: int) -> bool:
    """Say whether the native kernel is there and faster than products of X (rows, size)."""
    dense = float(rows) * size * size
    return IS_INSTALLED and dense > FEWEST_MULTIPLICATIONS and size**2 > MULTIPLICATIONS * hats**2


def products(blocks: Sequence[Block], weight: Vector, targets: Matrix) -> tuple[Matrix, Matrix]:
    """Return XᵀWX (P, P) and XᵀWY (P, O), by the native kernel."""
    import kanditioned_cpu

    given = [
        kanditioned_cpu.Block(
            len(block.matrix),
            tuple(kanditioned_cpu.Hats(h.index, h.fraction, h.scale) for h in block.hats),
        )
        for block in blocks
    ]
    found, with_targets = kanditioned_cpu.gram(given, weight, targets)
    slots = np.cumsum([0, *(len(block.matrix) for block in blocks)])
    parts = list(zip(blocks, pairwise(slots), strict=True))
    half = np.vstack([b.matrix.T @ found[start:end] for b, (start, end) in parts])
    whole = np.hstack([half[:, start:end] @ b.matrix for b, (start, end) in parts])
    sums = np.vstack([b.matrix.T @ with_targets[start:end] for b, (start, end) in parts])
    return (whole + whole.T) / 2, sums
