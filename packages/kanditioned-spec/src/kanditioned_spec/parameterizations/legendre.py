"""Discrete Legendre (Gram) polynomials, orthonormal on the knots."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from .. import validate
from ..grid import Array
from .base import WRITTEN_OUT, Parameterization


class Legendre(Parameterization):
    """θ holds coefficients of polynomials of degree 0 … `degree`, orthonormal over the knots.

    The data term is conditioned for inputs spread evenly over the knots; the penalty is not.

    Args:
        degree: Highest degree, 1 … K - 1 (the default, for which T is square).
    """

    name = "legendre"

    def __init__(self, num_control_points: int, *, degree: int | None = None) -> None:
        super().__init__(num_control_points)
        highest = num_control_points - 1
        remedy = f"Degrees 1 to {highest} are independent on {num_control_points} knots."
        self.degree = validate.integer(
            "Legendre", "degree", highest if degree is None else degree, 1, remedy
        )
        if self.degree > highest:
            raise ValueError(
                validate.message("Legendre", "degree", f"<= {highest}", self.degree, remedy)
            )

    @property
    def options(self) -> dict[str, Any]:
        return {"degree": self.degree}

    @property
    def num_parameters(self) -> int:
        return self.degree + 1

    @property
    def build_bytes(self) -> int:
        full = 32 * self.num_control_points**2
        return 16 * self.num_control_points * self.num_parameters if self._is_low else full

    @property
    def _is_low(self) -> bool:
        return (
            self.num_control_points > WRITTEN_OUT
            and self.num_parameters**2 <= 4 * self.num_control_points
        )

    def _squared_norm(self) -> float:
        return float(self.num_parameters)

    def _synthesis(self, theta: Array) -> Array:
        return self._basis() @ theta

    def _adjoint(self, grad: Array) -> Array:
        return self._basis().T @ grad

    def _analysis(self, control_points: Array) -> Array:
        return self._basis().T @ control_points

    def _basis(self) -> Array:
        if self._is_low:
            return low_gram_polynomials(self.num_control_points, self.num_parameters)
        return gram_polynomials(self.num_control_points)[:, : self.num_parameters]


@lru_cache(maxsize=32)
def low_gram_polynomials(count: int, size: int) -> Array:
    """Return the first `size` columns of `gram_polynomials`, in memory and time K · size.

    By the recurrence, which keeps all digits up to degrees near 2√K.
    """
    x = np.arange(count) - (count - 1) / 2
    basis = np.empty((count, size))
    basis[:, 0] = 1 / np.sqrt(count)
    before = 0.0
    for j in range(1, size):
        beta = j * np.sqrt((count**2 - j**2) / (4 * (4 * j**2 - 1)))
        column = x * basis[:, j - 1] - before * basis[:, max(j - 2, 0)]
        basis[:, j], before = column / beta, beta
    basis.setflags(write=False)
    return basis


@lru_cache(maxsize=32)
def gram_polynomials(count: int) -> Array:
    """Return the K × K orthonormal matrix whose column j is the Gram polynomial of degree j.

    The polynomials satisfy x p_j = β_{j+1} p_{j+1} + β_j p_{j-1} on the centred knots, with
    β_j² = j² (K² - j²) / (4 (4 j² - 1)); so row n is the eigenvector of that Jacobi matrix for its
    eigenvalue, the n-th knot (G. Golub and J. Welsch, Math. Comp. 23, 1969). Running the recurrence
    forward would lose all digits for degrees beyond about 2√K; the eigenvectors keep them.

    The matrix leads from odd degrees to even ones by a block B, and back by Bᵀ. So it has the
    eigenvectors (u, ±v)/√2 at ±σ for every singular triple B = Σ u σ vᵀ, of half the size, and one
    with v = 0 at the middle knot of an odd number.
    """
    j = np.arange(1, count, dtype=np.float64)
    beta = j * np.sqrt((count**2 - j**2) / (4 * (4 * j**2 - 1)))
    half = count // 2
    block = np.zeros((count - half, half))
    np.fill_diagonal(block, beta[::2])
    np.fill_diagonal(block[1:], beta[1::2])
    even, _, odd = np.linalg.svd(block)  # σ falls: the outermost knots come first
    sign = np.sign(even[0])  # degree 0 is a positive constant
    even, odd = even * sign, odd * sign[:half, None]
    basis = np.zeros((count, count))
    basis[:half, ::2] = even[:, :half].T / np.sqrt(2)
    basis[:half, 1::2] = -odd / np.sqrt(2)
    basis[count - half :, ::2] = basis[:half, ::2][::-1]
    basis[count - half :, 1::2] = -basis[:half, 1::2][::-1]
    if count % 2:
        basis[half, ::2] = even[:, half]
    basis.setflags(write=False)
    return basis
