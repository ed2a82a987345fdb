"""Weighted sums of products of sparse rows: the normal equations of sums of linear splines.

A row of the design matrix of an additive model has two entries for each feature, those of the two
hat functions around the value, and four for a bilinear function of two features. The products of
these are all that has to be added up, whatever the number of columns, and the matrix of all rows is
never made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kanditioned_spec import validate

from . import native
from .functional import check_threads, pack

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Hats:
    """Two neighbouring entries of every row: scale · (1 - fraction) and scale · fraction.

    Attributes:
        index: Column of the first entry within the block, integers (N,).
        fraction: Shape (N,).
        scale: Shape (N,), or None for 1.
    """

    index: npt.NDArray[Any]
    fraction: Array
    scale: Array | None = None


@dataclass(frozen=True)
class Block:
    """Neighbouring columns of the design matrix.

    Attributes:
        size: How many, two or more.
        hats: Their entries: one for a spline, two for a bilinear function.
    """

    size: int
    hats: tuple[Hats, ...]


def gram(
    blocks: Sequence[Block],
    weight: npt.ArrayLike,
    targets: npt.ArrayLike,
    num_threads: int | None = None,
) -> tuple[Array, Array]:
    """Return XᵀWX (P, P) and XᵀWY (P, O) for the design matrix X of blocks.

    Args:
        blocks: The columns of X, P in all.
        weight: The diagonal of W, shape (N,).
        targets: Y, shape (N, O).
        num_threads: How many threads may work on it, 1 ... 1024; by default those of
            `OMP_NUM_THREADS`, or else one for each processor.

    Raises:
        ValueError: Shapes do not fit, or an index lies outside its block.
        MemoryError: There is no room for the scratch memory, less than 1 MiB for each thread.

    Numerics:
        Sums are float64, in the order of the rows: the same bits with any number of threads. The
        first result is exactly symmetric. Memory beside the results does not grow with N.

    Example:
        >>> line = Block(3, (Hats(np.array([0, 1]), np.array([0.5, 0.0])),))
        >>> products, sums = gram([line], np.ones(2), np.array([[2.0], [3.0]]))
        >>> products.tolist(), sums.ravel().tolist()
        ([[0.25, 0.25, 0.0], [0.25, 1.25, 0.0], [0.0, 0.0, 0.0]], [1.0, 4.0, 0.0])
    """
    threads = check_threads("gram", num_threads)
    w, y = pack(weight, np.float64), pack(targets, np.float64)
    _check_shape("weight", w, (len(w),))
    if y.ndim != 2 or len(y) != len(w):
        _refuse(
            "targets", f"of shape ({len(w)}, O)", f"shape {y.shape}", "One row for each weight."
        )
    kept: list[npt.NDArray[Any]] = []
    hats: list[native.Hat] = []
    first, start = [0], 0
    for block in blocks:
        for each in block.hats:
            arrays = _check(each, block.size, len(w))
            kept += arrays
            hats.append(native.Hat(start, *(array.ctypes.data for array in arrays)))
        first.append(len(hats))
        start += block.size
    bounds = np.array(first, np.int64)
    stride = (start + 7) // 8 * 8 + 8 * (1 - (start + 7) // 8 % 2)
    products, sums = np.zeros((start, stride)), np.zeros((start, y.shape[1]))
    call = native.Gram(
        len(w), len(first) - 1, y.shape[1], stride, (native.Hat * len(hats))(*hats),
        bounds.ctypes.data, w.ctypes.data, y.ctypes.data, products.ctypes.data, sums.ctypes.data,
    )  # fmt: skip
    native.gram(call, threads)
    upper = np.triu(products[:, :start])
    return upper + np.triu(upper, 1).T, sums


def _check(hats: Hats, size: int, rows: int) -> list[npt.NDArray[Any]]:
    """Return the arrays of hats; an absent scale has no address."""
    index = pack(hats.index, np.int64)
    arrays = [index, pack(hats.fraction, np.float64)]
    if hats.scale is not None:
        arrays.append(pack(hats.scale, np.float64))
    for name, array in zip(("index", "fraction", "scale"), arrays, strict=False):
        _check_shape(name, array, (rows,))
    if rows and not 0 <= int(index.min()) <= int(index.max()) <= size - 2:
        got = f"{index.min()} ... {index.max()}"
        _refuse("index", f"0 ... {size - 2} in a block of {size}", got, "The next is used too.")
    return arrays


def _check_shape(argument: str, array: npt.NDArray[Any], shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        _refuse(argument, f"of shape {shape}", f"shape {array.shape}", "One for each row.")


def _refuse(argument: str, constraint: str, got: str, remedy: str) -> None:
    raise ValueError(validate.message("gram", argument, constraint, got, remedy))
