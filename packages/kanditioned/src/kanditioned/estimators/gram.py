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
"""Of a matrix product in the time of one product of two hats (0.023 ns and 1.4 ns on one core of a
Xeon with AVX-512, 2026-11)."""
FEWEST_MULTIPLICATIONS = 1e8
"""With fewer, what comes before and after the native kernel takes longer: some 2 ms."""
DENSE = 1 << 21
"""Numbers of X, or of Φ, that are built at a time without the kernel, 16 MiB."""


@dataclass(frozen=True)
class Hats:
    """Two neighbouring entries of every row: scale · (1 - fraction) and scale · fraction."""

    index: Indices
    fraction: Vector
    scale: Vector | None = None

    def take(self, index: slice) -> Hats:
        """Return those of some rows."""
        scale = None if self.scale is None else self.scale[index]
        return Hats(self.index[index], self.fraction[index], scale)


@dataclass(frozen=True)
class Block:
    """The hat functions Φ of a column, or their products for a pair of columns, at the rows.

    Attributes:
        size: Number of slots.
        hats: One for a column, two for a pair.
    """

    size: int
    hats: tuple[Hats, ...]

    @classmethod
    def of_column(cls, rows: Rows, slots: int) -> Block:
        """Take the rows of a column."""
        return cls(slots, (Hats(rows.slot, rows.fraction),))

    @classmethod
    def of_pair(cls, rows: tuple[Rows, Rows], slots: tuple[int, int]) -> Block:
        """Take the rows of two columns; slots of the second are neighbours."""
        a, b = rows
        index = a.slot * slots[1] + b.slot
        below = Hats(index, b.fraction, 1.0 - a.fraction)
        above = Hats(index + slots[1], b.fraction, a.fraction)
        return cls(slots[0] * slots[1], (below, above))

    def take(self, index: slice) -> Block:
        """Return some rows."""
        return Block(self.size, tuple(each.take(index) for each in self.hats))

    def times(self, effects: Matrix) -> Matrix:
        """Return Φ times effects (slots, O), shape (N, O)."""
        parts = []
        for hats in self.hats:
            below = effects[hats.index]
            below += hats.fraction[:, None] * (effects[hats.index + 1] - below)
            parts.append(below if hats.scale is None else hats.scale[:, None] * below)
        total: Matrix = parts[0] if len(parts) == 1 else parts[0] + parts[1]
        return total

    def transposed_times(self, values: Matrix) -> Matrix:
        """Return the transpose of Φ times values (N, O), shape (slots, O)."""
        total = np.zeros((self.size, values.shape[1]))
        for output, column in enumerate(values.T):
            for hats in self.hats:
                scaled = column if hats.scale is None else hats.scale * column
                above = hats.fraction * scaled
                total[:, output] += np.bincount(hats.index, scaled - above, self.size)
                total[:, output] += np.bincount(hats.index + 1, above, self.size)
        return total

    def dense(self) -> Matrix:
        """Return Φ, shape (N, slots)."""
        phi: Matrix = self.times(np.eye(self.size))
        return phi


class Sums:
    """ΦᵀWΦ and ΦᵀWY, added up over parts of the rows.

    Args:
        slots: Of every block.
        outputs: Columns of Y.
    """

    def __init__(self, slots: Sequence[int], outputs: int) -> None:
        self.bounds = np.cumsum([0, *slots])
        self.products = np.zeros((self.bounds[-1], self.bounds[-1]))
        self.with_targets = np.zeros((self.bounds[-1], outputs))

    def add(self, blocks: Sequence[Block], weight: Vector, targets: Matrix) -> None:
        """Add rows, by the native kernel where it is installed."""
        if IS_INSTALLED:
            products, with_targets = _native(blocks, weight, targets)
            self.products += products
            self.with_targets += with_targets
            return
        step = max(1, DENSE // max(len(self.products), 1))
        for start in range(0, len(weight), step):
            index = slice(start, start + step)
            phi = np.hstack([block.take(index).dense() for block in blocks])
            weighted = weight[index, None] * phi
            self.products += phi.T @ weighted
            self.with_targets += weighted.T @ targets[index]

    def project(self, matrices: Sequence[Matrix]) -> tuple[Matrix, Matrix]:
        """Return XᵀWX (P, P) and XᵀWY (P, O) for X = Φ B, B of each block (slots, P)."""
        each = list(zip(matrices, pairwise(self.bounds), strict=True))
        half = np.vstack([b.T @ self.products[start:end] for b, (start, end) in each])
        whole = np.hstack([half[:, start:end] @ b for b, (start, end) in each])
        sums = np.vstack([b.T @ self.with_targets[start:end] for b, (start, end) in each])
        return (whole + whole.T) / 2, sums


def pays(rows: int, hats: int, size: int) -> bool:
    """Say whether the native kernel is there and faster than products of X (rows, size)."""
    dense = float(rows) * size * size
    return IS_INSTALLED and dense > FEWEST_MULTIPLICATIONS and size**2 > MULTIPLICATIONS * hats**2


def _native(blocks: Sequence[Block], weight: Vector, targets: Matrix) -> tuple[Matrix, Matrix]:
    import kanditioned_cpu

    given = [
        kanditioned_cpu.Block(
            block.size,
            tuple(kanditioned_cpu.Hats(h.index, h.fraction, h.scale) for h in block.hats),
        )
        for block in blocks
    ]
    return kanditioned_cpu.gram(given, weight, targets)
