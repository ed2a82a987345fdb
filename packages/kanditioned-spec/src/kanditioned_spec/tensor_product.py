r"""A function of two inputs: the term of a pair in an additive model, beside its layer.

With knots a_0 < ... < a_{J-1} of the first input, b_0 < ... < b_{K-1} of the second, and the hat
functions φ_j and ψ_k of these,

    f_o(x, y) = Σ_{j,k} c_{jko} φ_j(x') ψ_k(y'),   x' = clip(x, a_0, a_{J-1}), y' alike.

So f is bilinear in every cell between knots, continuous, has the value c_jk at the knot (a_j, b_k),
and is constant along an input beyond its ends: a bilinear function that went on there would grow as
the product of both distances. A knot belongs to the cell on its right, the last knot to the last.

**Numerics.** float64. NaN in an input gives NaN in all outputs of its row, ±inf the value at the
end. `TensorProduct.condition` bounds what other arithmetic may make of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np
import numpy.typing as npt

from . import validate
from .grid import Array, Indices
from .sketch import real_numbers

NAMES = ("first_knots", "second_knots", "values")


class TensorProduct:
    """The bilinear interpolation of values on a grid of knots.

    Args:
        first_knots: a, strictly increasing, in units of the first input, shape (J,), J >= 2.
        second_knots: b, likewise of the second, shape (K,), K >= 2.
        values: c, in units of the outputs, shape (J, K, O).

    Attributes:
        knots: Both arrays of knots, float64.
        values: As given, float64.

    Raises:
        TypeError: Something is no array of real numbers.
        ValueError: Knots do not increase, a shape does not fit, or a number is not finite.

    Example:
        >>> f = TensorProduct([0.0, 1.0], [0.0, 10.0], [[[0.0], [0.0]], [[0.0], [4.0]]])
        >>> f([[0.5, 5.0], [1.0, 99.0]]).ravel()
        array([1., 4.])
    """

    def __init__(
        self, first_knots: npt.ArrayLike, second_knots: npt.ArrayLike, values: npt.ArrayLike
    ) -> None:
        knots = first_knots, second_knots
        a, b = (_increasing(name, k) for name, k in zip(NAMES, knots, strict=False))
        self.knots: tuple[Array, Array] = a, b
        self.values: Array = real_numbers("TensorProduct", "values", values)
        shape, want = self.values.shape, (len(a), len(b))
        if self.values.ndim != 3 or shape[:2] != want:
            constraint, remedy = f"of shape {(*want, 'O')}", "There is one value for each knot."
            raise ValueError(_message("values", constraint, f"shape {shape}", remedy))
        if not np.isfinite(self.values).all():
            remedy = "Leave the term out if it is unknown."
            raise ValueError(_message("values", "finite numbers", "NaN or infinity", remedy))
        for array in (a, b, self.values):
            array.setflags(write=False)

    @property
    def out_features(self) -> int:
        """The number of outputs, O."""
        return int(self.values.shape[2])

    def __repr__(self) -> str:
        sizes = "x".join(map(str, self.values.shape[:2]))
        return f"TensorProduct(knots={sizes}, out_features={self.out_features})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TensorProduct):
            return NotImplemented
        mine, theirs = self.arrays(), other.arrays()
        return all(np.array_equal(mine[name], theirs[name]) for name in NAMES)

    def __hash__(self) -> int:
        return hash(tuple(array.tobytes() for array in self.arrays().values()))

    def __call__(self, x: npt.ArrayLike) -> Array:
        """Return f, shape (..., O), at pairs of inputs (..., 2)."""
        (j, s), (k, t) = self._locate(x)
        s, t = s[..., None], t[..., None]
        c = self.values
        total: Array = (1 - s) * (1 - t) * c[j, k] + (1 - s) * t * c[j, k + 1]
        total += s * (1 - t) * c[j + 1, k] + s * t * c[j + 1, k + 1]
        return total

    def gradient(self, x: npt.ArrayLike) -> Array:
        """Return ∂f/∂x and ∂f/∂y, shape (..., O, 2), at pairs of inputs (..., 2).

        The right-hand ones at an inner knot; zero beyond the ends, NaN where an input is.
        """
        pairs = self._check(x)
        (j, s), (k, t) = self._locate(pairs)
        s, t = s[..., None], t[..., None]
        c, (a, b) = self.values, self.knots
        along_first = (1 - t) * (c[j + 1, k] - c[j, k]) + t * (c[j + 1, k + 1] - c[j, k + 1])
        along_second = (1 - s) * (c[j, k + 1] - c[j, k]) + s * (c[j + 1, k + 1] - c[j + 1, k])
        widths = np.stack([np.diff(a)[j], np.diff(b)[k]], axis=-1)[..., None, :]
        gradient = np.stack([along_first, along_second], axis=-1) / widths
        low, high = (np.array([each[end] for each in self.knots]) for end in (0, -1))
        outside = ((pairs < low) | (pairs > high))[..., None, :]
        gradient = np.where(outside, 0.0, gradient)
        gradient[np.isnan(pairs).any(-1)] = np.nan
        return gradient

    def condition(self, x: npt.ArrayLike) -> Array:
        """Return the sum of |c| over the four knots of the cell, shape (..., O).

        An evaluation in another arithmetic, at inputs and knots that it holds exactly, is off by at
        most C · eps of that, with the C of `numerics.tolerance`: s and t have an error of eps each,
        their products with c and the sum of these one of eps per operation.
        """
        (j, _), (k, _) = self._locate(x)
        c = np.abs(self.values)
        total: Array = c[j, k] + c[j, k + 1] + c[j + 1, k] + c[j + 1, k + 1]
        return total

    def arrays(self) -> dict[str, Array]:
        """Return what a file stores of it, by name; `of_arrays` reads it back, bit for bit.

        Any container of named arrays will do: `numpy.savez(path, **term.arrays())`, or
        `safetensors.numpy.save_file(term.arrays(), path)`.
        """
        return dict(zip(NAMES, (*self.knots, self.values), strict=True))

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, npt.ArrayLike]) -> Self:
        """Build the value that `arrays` describes; others than these three are an error.

        Raises:
            ValueError: An array is absent or unknown, or as for the constructor.
        """
        if sorted(arrays) != sorted(NAMES):
            constraint, remedy = f"the arrays {', '.join(NAMES)}", "Pass what `arrays` returned."
            where = "TensorProduct.of_arrays"
            got = ", ".join(sorted(map(str, arrays)))[:200] or "none"
            raise ValueError(validate.message(where, "arrays", constraint, got, remedy))
        return cls(*(arrays[name] for name in NAMES))

    def _check(self, x: npt.ArrayLike) -> Array:
        pairs = real_numbers("TensorProduct", "x", x)
        validate.last_dimension("TensorProduct", "x", pairs.shape, 2)
        return pairs

    def _locate(self, x: npt.ArrayLike) -> tuple[tuple[Indices, Array], tuple[Indices, Array]]:
        pairs = self._check(x)
        first, second = (_place(pairs[..., side], k) for side, k in enumerate(self.knots))
        return first, second


def _place(x: Array, knots: Array) -> tuple[Indices, Array]:
    """Return the interval of every number, and how far it lies on the way to the right knot."""
    inside = np.clip(x, knots[0], knots[-1])
    j: Indices = np.searchsorted(knots[1:-1], inside, side="right")
    with np.errstate(over="ignore"):
        way: Array = (inside - knots[j]) / np.diff(knots)[j]
    return j, way


def _increasing(argument: str, values: npt.ArrayLike) -> Array:
    array = real_numbers("TensorProduct", argument, values)
    if array.ndim != 1 or len(array) < 2:
        constraint, remedy = "of shape (K,) with K >= 2", "A constant input needs no pair."
        raise ValueError(_message(argument, constraint, f"shape {array.shape}", remedy))
    if not (np.isfinite(array).all() and (array[1:] > array[:-1]).all()):
        remedy = "Sort them, and leave out what is there twice."
        raise ValueError(_message(argument, "finite and strictly increasing", "others", remedy))
    return array


def _message(argument: str, constraint: str, got: str, remedy: str) -> str:
    return validate.message("TensorProduct", argument, constraint, got, remedy)
