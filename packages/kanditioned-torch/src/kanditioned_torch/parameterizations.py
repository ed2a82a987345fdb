"""The spec's parameterizations as modules: c = T θ along the knot axis, differentiable.

The numbers of T come from `kanditioned_spec`, in float64; this module only evaluates. Transposes
are autograd's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kanditioned_spec import PARAMETERIZATIONS, Grid, Parameterization, parameterization, validate
from kanditioned_spec.parameterizations import DCT, DemmlerReinsch, option_names

from .precision import compute_dtype

Constants = dict[str, Any]


class Map(nn.Module):
    """T of one parameterization, and the curvature map D T.

    Constants are buffers outside the state dict. They follow the parameters' device and the width
    of their dtype, but are never rounded to half precision: T is exact to float32 or float64.

    Shapes: θ is (I, P, O), control points are (I, K, O); both in float32 or wider.

    Args:
        spec: The parameterization that is evaluated.
        like: A tensor on the device and with the dtype of the parameters.
    """

    def __init__(self, spec: Parameterization, like: Tensor) -> None:
        super().__init__()
        self.spec = spec
        self._register(like)

    def constants(self) -> Constants:
        """Return the arrays that `forward` and `curvature` need, by name."""
        return {}

    def forward(self, theta: Tensor) -> Tensor:
        """Return T θ."""
        raise NotImplementedError

    def curvature(self, theta: Tensor) -> Tensor:
        """Return coordinates of D T θ in an orthonormal basis, shape (I, ≥ K - 2, O)."""
        control_points: Tensor = self(theta)
        return control_points.diff(n=2, dim=1)

    def follow(self, theta: Tensor) -> None:
        """Make the constants anew where they are not of the kind of θ, in float32 or wider.

        Parameters may be put in the place of others without the module being told: by assignment,
        by `load_state_dict(assign=True)`, for a single call, or after the layer was made without
        numbers (on the meta device, or of fake tensors).
        """
        constant = next(iter(self._buffers.values()), theta)
        if (
            constant is None
            or (constant.device, constant.dtype) != (theta.device, theta.dtype)
            or (type(constant) is not Tensor and type(theta) in (Tensor, nn.Parameter))
        ):
            self._register(theta)

    def _register(self, like: Tensor) -> None:
        dtype = compute_dtype(like.dtype)
        for name, array in self.constants().items():
            constant = torch.as_tensor(np.asarray(array), dtype=dtype, device=like.device)
            self.register_buffer(name, constant, persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Map:
        for buffer in list(self.buffers()):
            moved = fn(buffer)
            if (moved.device, moved.dtype) != (buffer.device, buffer.dtype):
                self._register(moved)  # exact again, where a cast or `to_empty` would not be
                break
        return self


class Identity(Map):
    """`bspline`: θ is the control points."""

    def forward(self, theta: Tensor) -> Tensor:
        return theta


class PrefixSum(Map):
    """`prefix_sum`: two cumulative sums from first value, first slope and second differences."""

    def forward(self, theta: Tensor) -> Tensor:
        first, slopes = theta[:, :1], theta[:, 1:].cumsum(1)
        return self.spec.scale * torch.cat((first, first + slopes.cumsum(1)), 1)

    def curvature(self, theta: Tensor) -> Tensor:
        return self.spec.scale * theta[:, 2:]


class ParallelScan(Map):
    """`parallel_scan`: ramps that rise to the right, and ramps that rise to the left."""

    def forward(self, theta: Tensor) -> Tensor:
        right, left = theta.chunk(2, 1)
        return self.spec.scale * (_ramps(right) + _ramps(left.flip(1)).flip(1))

    def curvature(self, theta: Tensor) -> Tensor:
        right, left = theta.chunk(2, 1)
        return self.spec.scale * (right + left)[:, 1:-1]


class Product(Map):
    """Any parameterization as a product with T."""

    matrix: Tensor

    def constants(self) -> Constants:
        return {"matrix": self.spec.matrix()}

    def forward(self, theta: Tensor) -> Tensor:
        return self.matrix @ theta


class DCTProduct(Product):
    """`dct` with `transform="matmul"`."""

    def curvature(self, theta: Tensor) -> Tensor:
        return self.spec.scale * theta[:, 2:]


class ModesProduct(Product):
    """`demmler_reinsch`."""

    gains: Tensor

    def constants(self) -> Constants:
        assert isinstance(self.spec, DemmlerReinsch)
        gains = self.spec.scale * self.spec.curvature_gains[:, None]
        return {**super().constants(), "gains": gains}

    def curvature(self, theta: Tensor) -> Tensor:
        return self.gains * theta[:, 2:]


class DCTByFFT(Map):
    """`dct` with `transform="fft"`: the steps of the spec's `_synthesis`, with a real FFT."""

    reflector: Tensor
    corrected_axis: Tensor
    gains: Tensor
    linear_coefficients: Tensor
    mean_gain: Tensor
    twiddle: Tensor

    def constants(self) -> Constants:
        spec = self.spec
        assert isinstance(spec, DCT)
        count = spec.num_control_points
        norm = np.sqrt(2 / count)
        angles = np.pi * np.arange(count // 2 + 1) / (2 * count)
        mean_gain = spec.affine_gain / np.sqrt(1 / count)
        return {
            "reflector": spec.reflector,
            "corrected_axis": spec.corrected_axis,
            "gains": spec.scale / (spec.eigenvalues[:, None] * norm),
            "linear_coefficients": spec.scale * spec.linear_coefficients[:, None] / norm,
            "mean_gain": spec.scale * mean_gain,
            "twiddle": np.stack([np.cos(angles), np.sin(angles)], -1)[:, None],
        }

    def forward(self, theta: Tensor) -> Tensor:
        assert isinstance(self.spec, DCT)
        scaled = F.pad(theta[:, 2:], (0, 0, 1, 0))
        scaled = _stretch(scaled, self.reflector, -2.0)
        scaled = _stretch(scaled, self.corrected_axis, float(self.spec.correction))
        rising = self.gains * scaled + self.linear_coefficients * theta[:, 1:2]
        coefficients = torch.cat((self.mean_gain * theta[:, :1], rising), 1)
        return _inverse_dct(coefficients, self.twiddle)

    def curvature(self, theta: Tensor) -> Tensor:
        return self.spec.scale * theta[:, 2:]


def build_spec(where: str, name: str, grid: Grid, options: dict[str, Any]) -> Parameterization:
    """Build the parameterization of a layer, whose width is the layer's.

    Args:
        where: The callable that name and options are arguments of, for errors.
        name: One of `PARAMETERIZATIONS`.
        grid: The layer's.
        options: Those of the parameterization, without its width.
    """
    validate.choice(where, "parameterization", name, PARAMETERIZATIONS)
    width = {"spline_width": grid.spline_width} if "spline_width" in option_names(name) else {}
    return parameterization(name, grid.num_control_points, **{**options, **width})


def map_of(spec: Parameterization, like: Tensor) -> Map:
    """Return the map that evaluates `spec`, with constants on the device of `like`."""
    if isinstance(spec, DCT):
        return (DCTByFFT if spec.uses_fft else DCTProduct)(spec, like)
    return _MAPS[spec.name](spec, like)


_MAPS: dict[str, type[Map]] = {
    "bspline": Identity,
    "prefix_sum": PrefixSum,
    "parallel_scan": ParallelScan,
    "legendre": Product,
    "demmler_reinsch": ModesProduct,
}


def _ramps(jumps: Tensor) -> Tensor:
    """Return Σ_{l < k} (k - l) r_l at every knot k."""
    return F.pad(jumps.cumsum(1).cumsum(1)[:, :-1], (0, 0, 1, 0))


def _stretch(values: Tensor, axis: Tensor, amount: float) -> Tensor:
    """Add `amount` times the component along the unit vector `axis`."""
    return values + amount * axis[:, None] * (axis @ values)[:, None]


def _inverse_dct(coefficients: Tensor, twiddle: Tensor) -> Tensor:
    """Return the inverse DCT-II along dim 1 of coefficients over their norms.

    The spectrum of the reordered signal (even samples, then odd ones backwards) is
    (C_k - i C_{K-k}) exp(iπk/2K) (J. Makhoul, IEEE Trans. ASSP 28, 1980).
    """
    count = coefficients.shape[1]
    half = count // 2 + 1
    real = coefficients[:, :half]
    mirrored = F.pad(coefficients.flip(1), (0, 0, 1, 0))[:, :half]
    spectrum = torch.complex(real, -mirrored) * torch.view_as_complex(twiddle)
    reordered = torch.fft.irfft(spectrum, n=count, dim=1)
    evens = (count + 1) // 2
    first, second = reordered[:, :evens], reordered[:, evens:].flip(1)
    pairs = torch.stack((first, F.pad(second, (0, 0, 0, evens - (count - evens)))), 2)
    return pairs.flatten(1, 2)[:, :count]
