r"""Cosine coefficients, corrected so that the second-difference penalty is their squared norm.

Let Q be the orthonormal DCT-II matrix and L the second difference with reflecting ends
(c_{-1} = c_0, c_K = c_{K-1}). Q diagonalises it: L = -Qᵀ Λ Q with λ_k = 2 - 2 cos(πk/K)
(G. Strang, The Discrete Cosine Transform, SIAM Review 41, 1999). D has the rows of L without the
first and the last, r₀ and r₁, hence

    DᵀD = LᵀL - r₀r₀ᵀ - r₁r₁ᵀ.

In the scaled coefficients b_k = λ_k (Q c)_k, k ≥ 1, this Hessian is I - uuᵀ - vvᵀ, with u and v the
first and last columns of Q without k = 0. Since v_k = (-1)^k u_k, |u|² = |v|² = 1 - 1/K and
u·v = -1/K, its eigenvectors are

    e₋ ∝ u - v   (odd k)    eigenvalue 0      the linear function
    e₊ ∝ u + v   (even k)   eigenvalue 2/K    what a plain scaled DCT leaves badly conditioned

and everything orthogonal to both has eigenvalue 1. So: stretch e₊ by √(K/2), and give the linear
function a coordinate of its own. A Householder reflection that carries the first axis to e₋ turns
the K - 2 remaining coordinates into an orthonormal basis of the complement of e₋. Then
D T = scale · [0 0 W] with WᵀW = I: condition exactly 1, at O(K) beyond the transform itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import validate
from ..grid import Array
from .base import Parameterization

TRANSFORMS = ("auto", "fft", "matmul")
MATMUL_UP_TO = 256
"""`transform="auto"` multiplies by the matrix up to this K and uses the FFT above."""


class DCT(Parameterization):
    """θ holds the mean, the linear function and K - 2 corrected cosine coefficients.

    The two affine coordinates, which the penalty leaves free, are given the gain 1/λ_1 of the
    smoothest cosine, so that one learning rate suits them and the low frequencies.

    Args:
        transform: `"fft"` for O(K log K), `"matmul"` for O(K²) as one matrix product, faster for
            small K; `"auto"` chooses by K. The two agree to rounding.
    """

    name = "dct"
    affine = slice(0, 2)
    curvature_coordinates = slice(2, None)

    def __init__(self, num_control_points: int, *, transform: str = "auto") -> None:
        super().__init__(num_control_points)
        self.transform = validate.choice("DCT", "transform", transform, TRANSFORMS)
        count = num_control_points
        frequencies = np.arange(1, count)
        self.eigenvalues = 2 - 2 * np.cos(np.pi * frequencies / count)
        u = np.sqrt(2 / count) * np.cos(np.pi * frequencies / (2 * count))
        odd = frequencies % 2 == 1
        self.linear_axis = _unit(np.where(odd, u, 0))
        self.corrected_axis = _unit(np.where(odd, 0, u))
        self.correction = np.sqrt(count / 2) - 1
        # Reflects the first axis to -e₋; their sum never cancels, since e₋ starts positive.
        self.reflector = _unit(self.linear_axis + np.eye(1, count - 1)[0])
        self.affine_gain = 1 / self.eigenvalues[0]
        linear = self.linear_axis / self.eigenvalues
        self.linear_norm = float(np.linalg.norm(linear))
        self.linear_coefficients = self.affine_gain * linear / self.linear_norm

    @property
    def options(self) -> dict[str, Any]:
        return {"transform": self.transform}

    @property
    def uses_fft(self) -> bool:
        """Whether this object evaluates by FFT rather than by a matrix product."""
        return self.transform == "fft" or (
            self.transform == "auto" and self.num_control_points > MATMUL_UP_TO
        )

    @property
    def build_bytes(self) -> int:
        return 0 if self.uses_fft else 24 * self.num_control_points**2

    def _squared_norm(self) -> float:
        """Add up rows of Λ⁻¹ (I + α e₊e₊ᵀ), which the reflection turns, but for that of e₋."""
        stretched = 1 + ((1 + self.correction) ** 2 - 1) * self.corrected_axis**2
        curved = (stretched / self.eigenvalues**2).sum() - self.linear_norm**2
        return float(curved + 2 * self.affine_gain**2)

    def _curvature(self, theta: Array) -> Array:
        return theta[..., 2:, :]

    def _synthesis(self, theta: Array) -> Array:
        scaled = self._reflect(_pad_front(theta[..., 2:, :]))
        scaled = _stretch(scaled, self.corrected_axis, self.correction)
        coefficients = scaled / self.eigenvalues[:, None]
        coefficients += self.linear_coefficients[:, None] * theta[..., 1:2, :]
        mean = self.affine_gain * theta[..., :1, :]
        return self._inverse_transform(np.concatenate([mean, coefficients], axis=-2))

    def _adjoint(self, grad: Array) -> Array:
        coefficients = self._transform(grad)
        mean = self.affine_gain * coefficients[..., :1, :]
        linear = self.linear_coefficients @ coefficients[..., 1:, :]
        scaled = coefficients[..., 1:, :] / self.eigenvalues[:, None]
        scaled = _stretch(scaled, self.corrected_axis, self.correction)
        return np.concatenate(
            [mean, linear[..., None, :], self._reflect(scaled)[..., 1:, :]], axis=-2
        )

    def _analysis(self, control_points: Array) -> Array:
        coefficients = self._transform(control_points)
        mean = coefficients[..., :1, :] / self.affine_gain
        scaled = coefficients[..., 1:, :] * self.eigenvalues[:, None]
        linear = self.linear_axis @ scaled
        linear = linear[..., None, :] * (self.linear_norm / self.affine_gain)
        shrink = 1 / (1 + self.correction) - 1
        scaled = _stretch(scaled, self.corrected_axis, shrink)
        return np.concatenate([mean, linear, self._reflect(scaled)[..., 1:, :]], axis=-2)

    def _reflect(self, values: Array) -> Array:
        return _stretch(values, self.reflector, -2.0)

    def _transform(self, values: Array) -> Array:
        """Orthonormal DCT-II along the knot axis."""
        if self.uses_fft:
            return _dct_by_fft(values)
        return dct_matrix(self.num_control_points) @ values

    def _inverse_transform(self, coefficients: Array) -> Array:
        if self.uses_fft:
            return _inverse_dct_by_fft(coefficients)
        return dct_matrix(self.num_control_points).T @ coefficients


def dct_matrix(count: int) -> Array:
    """Return Q, the orthonormal DCT-II matrix: Q[k, n] = s_k cos(π(n + 1/2)k/K)."""
    k, n = np.ogrid[:count, :count]
    q = np.sqrt(2 / count) * np.cos(np.pi * (n + 0.5) * k / count)
    q[0] = np.sqrt(1 / count)
    return np.asarray(q, dtype=np.float64)


def _dct_by_fft(values: Array) -> Array:
    """Q @ values from one complex FFT of length K (J. Makhoul, IEEE Trans. ASSP 28, 1980)."""
    count = values.shape[-2]
    reordered = np.concatenate([values[..., ::2, :], values[..., 1::2, :][..., ::-1, :]], axis=-2)
    spectrum = np.fft.fft(reordered, axis=-2) * _twiddle(count)[:, None]
    return spectrum.real * _norms(count)[:, None]


def _inverse_dct_by_fft(coefficients: Array) -> Array:
    """Qᵀ @ coefficients: the steps of `_dct_by_fft` undone in reverse order."""
    count = coefficients.shape[-2]
    real = coefficients / _norms(count)[:, None]
    imaginary = np.zeros_like(real)
    imaginary[..., 1:, :] = -real[..., :0:-1, :]
    spectrum = (real + 1j * imaginary) * np.conj(_twiddle(count))[:, None]
    reordered = np.fft.ifft(spectrum, axis=-2).real
    values = np.empty_like(reordered)
    half = (count + 1) // 2
    values[..., ::2, :] = reordered[..., :half, :]
    values[..., 1::2, :] = reordered[..., half:, :][..., ::-1, :]
    return values


def _twiddle(count: int) -> np.ndarray[Any, np.dtype[np.complex128]]:
    angles = np.pi * np.arange(count) / (2 * count)
    return np.cos(angles) - 1j * np.sin(angles)


def _norms(count: int) -> Array:
    norms = np.full(count, np.sqrt(2 / count))
    norms[0] = np.sqrt(1 / count)
    return norms


def _stretch(values: Array, axis: Array, amount: float) -> Array:
    """Add `amount` times the component of `values` along the unit vector `axis`."""
    return values + amount * axis[:, None] * (axis @ values)[..., None, :]


def _pad_front(values: Array) -> Array:
    """Put a zero before the first entry of the knot axis."""
    return np.pad(values, [(0, 0)] * (values.ndim - 2) + [(1, 0), (0, 0)])


def _unit(vector: Array) -> Array:
    """Normalise, leaving zero (no even frequency exists at K = 2) as it is."""
    norm = np.linalg.norm(vector)
    return vector / norm if norm > 0 else vector
