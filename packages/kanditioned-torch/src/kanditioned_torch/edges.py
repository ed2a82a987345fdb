"""The edges of a layer one by one: their values, their functions, how much each matters."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from kanditioned_spec import validate
from kanditioned_spec.grid import Array, knots

from .grid import locate
from .observation import Data, batches


class Spread(NamedTuple):
    """Mean and standard deviation of the output of every edge, each (I, O), float64."""

    mean: Tensor
    std: Tensor


class Moments:
    """Where inputs lie in each interval: count, Σ t and Σ t², each (I, K - 1), in float64.

    The first two moments of every edge follow from these, so no array of B·I·O numbers is made.

    Args:
        in_features: I.
        num_control_points: K.
        spline_width: Width of the domain.
    """

    def __init__(self, in_features: int, num_control_points: int, spline_width: float) -> None:
        self.num_control_points, self.spline_width = num_control_points, spline_width
        self.sums = torch.zeros(3, in_features, num_control_points - 1, dtype=torch.float64)

    @classmethod
    def of(cls, layer: Edges) -> Moments:
        """Return the moments of no inputs, for the grid of a layer."""
        return cls(layer.in_features, layer.num_control_points, layer.spline_width)

    @classmethod
    def uniform(cls, layer: Edges) -> Moments:
        """Return the moments of inputs that are spread evenly over the domain of a layer."""
        moments = cls.of(layer)
        moments.sums += torch.tensor([1, 1 / 2, 1 / 3], dtype=torch.float64)[:, None, None]
        return moments

    def add(self, x: Tensor) -> None:
        """Take in the inputs `x` of shape (B, I), on the CPU, where sums keep their order."""
        x = x.detach().cpu().double()
        interval, t = locate(x, self.num_control_points, self.spline_width)
        intervals = self.num_control_points - 1
        place = (interval + intervals * torch.arange(x.shape[1])).flatten()
        for total, values in zip(self.sums, (torch.ones_like(t), t, t * t), strict=True):
            total.view(-1).index_add_(0, place, values.flatten())

    def spread(self, control_points: Tensor) -> Spread:
        """Return mean and standard deviation of every edge with control points (I, K, O)."""
        c = control_points.detach().cpu().double()
        left, slope = c[:, :-1], c.diff(dim=1)
        count, t, tt = self.sums[..., None]
        number = count.sum(1)
        mean = (count * left + t * slope).sum(1) / number
        left = left - mean[:, None]
        variance = (count * left**2 + 2 * t * left * slope + tt * slope**2).sum(1) / number
        return Spread(mean, variance.clamp(min=0).sqrt())


class Edges:
    """What `KANLayer` says about its edges."""

    in_features: int
    out_features: int
    num_control_points: int
    spline_width: float

    def control_points(self) -> Tensor:
        """Return the control points, shape (I, K, O)."""
        raise NotImplementedError

    def to_numpy(
        self, in_feature: int | None = None, out_feature: int | None = None
    ) -> tuple[Array, Array]:
        """Return knots and values, with which `numpy.interp` evaluates an edge in the domain.

        Args:
            in_feature: i. By default all.
            out_feature: o. By default all.

        Returns:
            The knots (K,), and the values at them in float64: (I, K, O), without the axes of the
            features that are given.
        """
        where = f"{type(self).__name__}.to_numpy"
        i = _feature(where, "in_feature", in_feature, self.in_features)
        o = _feature(where, "out_feature", out_feature, self.out_features)
        values: Array = self.control_points().detach().double().cpu().numpy()
        return knots(self.num_control_points, self.spline_width), values[i, :, o].copy()

    def to_scipy(self, in_feature: int | None = None, out_feature: int | None = None) -> Any:
        """Return an edge as a `scipy.interpolate.BSpline` of degree 1.

        It goes on in straight lines beyond the domain, as the layer does, and has SciPy's
        derivatives, integrals and roots.

        Args:
            in_feature: i. By default all.
            out_feature: o. By default all; x of shape (...) then gives (..., I, O).

        Raises:
            ImportError: SciPy is not installed.
        """
        try:
            interpolate = import_module("scipy.interpolate")
        except ImportError as error:
            raise ImportError(
                f"`{type(self).__name__}.to_scipy()` must have SciPy installed, got {error}. "
                "Install it: pip install scipy, or use to_numpy()."
            ) from error
        at, values = self.to_numpy(in_feature, out_feature)
        axis = 0 if in_feature is not None else 1
        return interpolate.BSpline(np.pad(at, 1, mode="edge"), np.moveaxis(values, axis, 0), 1)

    def importance(self, data: Data | None = None) -> Tensor:
        """Return how much each edge contributes: the standard deviation of its output, (I, O).

        Args:
            data: Inputs (..., I) of this layer, or an iterable of batches of them. By default
                inputs are spread evenly over the domain.

        Numerics:
            Evaluated in float64 from the moments of the inputs, extrapolation included. NaN in a
            feature makes its edges NaN.
        """
        moments = Moments.uniform(self) if data is None else Moments.of(self)
        if data is not None:
            for x in batches(f"{type(self).__name__}.importance", data, self.in_features):
                moments.add(x)
        return moments.spread(self.control_points()).std


def _feature(where: str, argument: str, value: int | None, count: int) -> int | slice:
    if value is None:
        return slice(None)
    remedy = f"Features are numbered from 0 to {count - 1}."
    index = validate.integer(where, argument, value, 0, remedy)
    if index >= count:
        raise ValueError(validate.message(where, argument, f"below {count}", index, remedy))
    return index
