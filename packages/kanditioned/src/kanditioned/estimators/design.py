"""Rows of a table in the coordinates of the bases, and their weighted sums of products."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress, pairwise

import numpy as np

from . import gram
from .arrays import Indices, Matrix, Objects, Vector
from .basis import Basis, Penalty, shift
from .table import locate, parts
from .terms import Column, Place, interpolate

KEPT = 1 << 23
"""Up to so many numbers the whole matrix is kept for the next pass, 64 MiB."""


@dataclass(frozen=True)
class Tensor:
    """The basis of a surface: products of the bases of two columns.

    Attributes:
        pair: Numbers of the columns.
        columns: Both, with the knots of this surface.
        sides: Bases of each, shapes (slots, P).
        penalties: Of the P₁ P₂ products.
    """

    pair: tuple[int, int]
    columns: tuple[Column, Column]
    sides: tuple[Matrix, Matrix]
    penalties: tuple[Penalty, ...]

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return int(self.sides[0].shape[1] * self.sides[1].shape[1])

    @property
    def slots(self) -> tuple[int, int]:
        """Of both columns."""
        return len(self.sides[0]), len(self.sides[1])

    def locate(self, data: Sequence[Objects]) -> tuple[Place, Place]:
        """Return where the rows of a table fall in both columns."""
        a, b = (
            locate(data, number, column, clamped=True)
            for column, number in zip(self.columns, self.pair, strict=True)
        )
        return a, b


@dataclass(frozen=True)
class Moments:
    """Sums over rows, which add up over parts of the rows.

    Attributes:
        weight: Σ w.
        x: Σ w x, shape (P,).
        y: Σ w y, shape (O,).
        xx: Σ w x xᵀ, shape (P, P).
        xy: Σ w x yᵀ, shape (P, O).
        yy: Σ w y², shape (O,).
    """

    weight: float
    x: Vector
    y: Vector
    xx: Matrix
    xy: Matrix
    yy: Vector

    def plus(self, other: Moments, sign: float = 1.0) -> Moments:
        """Add the sums of other rows, or take them away with `sign=-1`."""
        return Moments(
            self.weight + sign * other.weight,
            self.x + sign * other.x,
            self.y + sign * other.y,
            self.xx + sign * other.xx,
            self.xy + sign * other.xy,
            self.yy + sign * other.yy,
        )


class Design:
    """The design matrix X, (N, P), of columns and surfaces, built block by block.

    Args:
        rows: Where the rows fall, for each column.
        bases: Of the columns.
        tensors: Of the surfaces.
        tensor_rows: Where the rows fall in the columns of each surface.
    """

    def __init__(
        self,
        rows: Sequence[Place],
        bases: Sequence[Basis],
        tensors: Sequence[Tensor] = (),
        tensor_rows: Sequence[tuple[Place, Place]] = (),
    ) -> None:
        self.rows, self.bases = list(rows), list(bases)
        self.tensors, self.tensor_rows = list(tensors), list(tensor_rows)
        sizes = [basis.size for basis in bases] + [tensor.size for tensor in tensors]
        parts = [b.penalties for b in self.bases] + [t.penalties for t in self.tensors]
        self.penalties = shift(parts, sizes)
        self.bounds = np.cumsum([0, *sizes])
        self._kept: Matrix | None = None

    def __len__(self) -> int:
        return self.rows[0].samples

    @property
    def size(self) -> int:
        """Number of coefficients, P."""
        return int(self.bounds[-1])

    def matrix(self, index: slice | Indices) -> Matrix:
        """Return some rows of X."""
        parts = [
            interpolate(basis.matrix, rows.take(index))
            for basis, rows in zip(self.bases, self.rows, strict=True)
        ]
        for tensor, pair in zip(self.tensors, self.tensor_rows, strict=True):
            a, b = (
                interpolate(side, rows.take(index))
                for side, rows in zip(tensor.sides, pair, strict=True)
            )
            parts.append((a[:, :, None] * b[:, None, :]).reshape(len(a), -1))
        return np.hstack(parts)

    def blocks(self) -> Iterator[tuple[slice, Matrix]]:
        """Yield X in parts."""
        count = len(self)
        if count * self.size <= KEPT:
            if self._kept is None:
                self._kept = self.matrix(slice(0, count))
            yield slice(0, count), self._kept
            return
        step = max(1, gram.DENSE // max(self.size, 1))
        for start in range(0, count, step):
            index = slice(start, min(start + step, count))
            yield index, self.matrix(index)

    def moments(self, weight: Vector, y: Matrix) -> Moments:
        """Return the weighted sums for targets (N, O)."""
        hats = len(self.bases) + 2 * len(self.tensors)
        target = weight[:, None] * y
        if gram.pays(len(self), hats, self.size):
            sums = gram.Sums([len(matrix) for matrix in self._matrices], 1 + y.shape[1])
            for index in self._parts():
                ones = np.ones((len(y[index]), 1))
                sums.add(self._hats(index), weight[index], np.hstack([ones, y[index]]))
            xx, xy = sums.project(self._matrices)
        else:
            xx, xy = self._products(weight, target)
        yy = np.einsum("no,no->o", target, y)
        return Moments(float(weight.sum()), xy[:, 0], target.sum(0), xx, xy[:, 1:], yy)

    def _products(self, weight: Vector, target: Matrix) -> tuple[Matrix, Matrix]:
        """Return XᵀWX, and XᵀW with ones and with the targets, block by block."""
        xx = np.zeros((self.size, self.size))
        xy = np.zeros((self.size, 1 + target.shape[1]))
        for index, x in self.blocks():
            scaled = np.sqrt(weight[index])[:, None] * x
            xx += scaled.T @ scaled
            xy[:, 0] += weight[index] @ x
            xy[:, 1:] += x.T @ target[index]
        return xx, xy

    def times(self, coefficients: Matrix) -> Matrix:
        """Return X β for coefficients (P, O)."""
        if self._kept is not None:
            return self._kept @ coefficients
        result = np.zeros((len(self), coefficients.shape[1]))
        slices = list(pairwise(self.bounds))
        effects = [
            matrix @ coefficients[first:last]
            for matrix, (first, last) in zip(self._matrices, slices, strict=True)
        ]
        for index in self._parts():
            for block, each in zip(self._hats(index), effects, strict=True):
                result[index] += block.times(each)
        return result

    def transposed_times(self, values: Matrix) -> Matrix:
        """Return Xᵀ v for values (N, O), shape (P, O)."""
        if self._kept is not None:
            return self._kept.T @ values
        sums = [np.zeros((len(matrix), values.shape[1])) for matrix in self._matrices]
        for index in self._parts():
            for total, block in zip(sums, self._hats(index), strict=True):
                total += block.transposed_times(values[index])
        return np.vstack([m.T @ s for m, s in zip(self._matrices, sums, strict=True)])

    @cached_property
    def _matrices(self) -> list[Matrix]:
        """Bases over the slots of columns and of pairs."""
        pairs = [np.kron(*tensor.sides).astype(np.float64, copy=False) for tensor in self.tensors]
        return [*(basis.matrix for basis in self.bases), *pairs]

    def _parts(self) -> Iterator[slice]:
        return parts(len(self))

    def _hats(self, index: slice) -> list[gram.Block]:
        columns = [
            gram.Block.of_column(rows.take(index), len(basis.matrix))
            for rows, basis in zip(self.rows, self.bases, strict=True)
        ]
        pairs = [
            gram.Block.of_pair((a.take(index), b.take(index)), tensor.slots)
            for (a, b), tensor in zip(self.tensor_rows, self.tensors, strict=True)
        ]
        return columns + pairs

    def take(self, index: Indices) -> Design:
        """Return the design of some rows, in the same coordinates."""
        pairs = [(a.take(index), b.take(index)) for a, b in self.tensor_rows]
        rows = [each.take(index) for each in self.rows]
        part = Design(rows, self.bases, self.tensors, pairs)
        if self._kept is not None:
            part._kept = self._kept[index]
        return part

    def extend(
        self, tensors: Sequence[Tensor], tensor_rows: Sequence[tuple[Place, Place]]
    ) -> Design:
        """Return the design with more surfaces."""
        pairs = [*self.tensor_rows, *tensor_rows]
        return Design(self.rows, self.bases, [*self.tensors, *tensors], pairs)

    def without(self, pairs: Container[tuple[int, int]]) -> tuple[Design, Indices, Indices]:
        """Leave out some surfaces; also return which coefficients and which penalties stay."""
        stays = [t.pair not in pairs for t in self.tensors]
        blocks = [True] * len(self.bases) + stays
        coefficients = np.flatnonzero(np.repeat(blocks, np.diff(self.bounds)))
        counts = [len(basis.penalties) for basis in self.bases]
        counts += [len(tensor.penalties) for tensor in self.tensors]
        design = Design(
            self.rows, self.bases, list(compress(self.tensors, stays)),
            list(compress(self.tensor_rows, stays)),
        )  # fmt: skip
        return design, coefficients, np.flatnonzero(np.repeat(blocks, counts))
