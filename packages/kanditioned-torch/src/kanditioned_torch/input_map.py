"""What may stand before a layer, as a module (see `kanditioned_spec.input_map`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.fx import Proxy

import kanditioned_spec as spec
from kanditioned_spec import validate
from kanditioned_spec.sketch import each_batch

from .arguments import check_tensor
from .batches import Data, inputs_of


class InputMap(nn.Module):
    """A fixed, strictly increasing, piecewise linear map of every input feature.

    It is not trained. Make it from data, by `standardise`, `domain` or `quantiles`, or from the
    numbers of a `kanditioned_spec.InputMap`.

    Args:
        numbers: Breakpoints and their images.
        device: Where they are kept.
        dtype: Of the result, float32 by default. `double()`, `bfloat16()` and the like change it.

    Attributes:
        breakpoints: In input units, shape (I, M), float64 whatever `dtype` is.
        images: In units of the layer's domain, of the same shape and dtype.

    Shape:
        Input (..., I), output (..., I).

    Numerics:
        In float64 until the last rounding, so that a time of 1.7e9 seconds keeps its minutes if it
        comes as float64. The result of a float64 x has `dtype`, since the offset is gone; that of
        others the promoted dtype of `dtype` and x. NaN gives NaN, in the gradient too.

    Example:
        >>> import torch
        >>> hours = 1.7e9 + 3600 * torch.arange(24, dtype=torch.float64)[:, None]
        >>> z = InputMap.domain(hours, coverage=1.0)(hours)
        >>> z.dtype, z.flatten()[[0, -1]].tolist()
        (torch.float32, [-2.0, 2.0])
    """

    breakpoints: Tensor
    images: Tensor
    _result: Tensor

    def __init__(
        self,
        numbers: spec.InputMap,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        for name in ("breakpoints", "images"):
            array = torch.tensor(getattr(numbers, name), dtype=torch.float64, device=device)
            self.register_buffer(name, array)
        self._last = numbers.num_breakpoints - 2  # the shape of a traced tensor is no number
        empty = torch.empty(0, dtype=dtype or torch.float32, device=device)
        self.register_buffer("_result", empty, persistent=False)

    @classmethod
    def affine(cls, offset: Any, scale: Any) -> Self:
        """Return z = (x - offset) / scale, see `kanditioned_spec.InputMap.affine`."""
        return cls(spec.InputMap.affine(offset, scale))

    @classmethod
    def standardise(cls, data: Data) -> Self:
        """Return the map to mean 0 and variance 1, see `kanditioned_spec.InputMap.standardise`.

        Args:
            data: Inputs (..., I), or an iterable of batches of them: tensors, or tuples whose first
                entry they are, as from a `DataLoader`.
        """
        return cls(spec.InputMap.standardise(_arrays("InputMap.standardise", data)))

    @classmethod
    def domain(cls, data: Data, coverage: float = 0.99, spline_width: float = 4.0) -> Self:
        """Return straight lines onto the domain, see `kanditioned_spec.InputMap.domain`."""
        arrays = _arrays("InputMap.domain", data)
        return cls(spec.InputMap.domain(arrays, coverage, spline_width))

    @classmethod
    def quantiles(cls, data: Data, num_breakpoints: int = 32, **options: Any) -> Self:
        """Return the map by ranks, see `kanditioned_spec.InputMap.quantiles`."""
        arrays = _arrays("InputMap.quantiles", data)
        return cls(spec.InputMap.quantiles(arrays, num_breakpoints, **options))

    @property
    def in_features(self) -> int:
        """The number of inputs, I."""
        return self.breakpoints.shape[0]

    def numbers(self) -> spec.InputMap:
        """Return the map as the spec has it, in NumPy."""
        return spec.InputMap(self.breakpoints.cpu().numpy(), self.images.cpu().numpy())

    def forward(self, x: Any) -> Tensor:
        """Return z(x) for x of shape (..., I)."""
        if isinstance(x, Proxy):
            return self._symbolic(x)
        points, dtype = self._check(x), self._result.dtype
        if x.dtype != torch.float64:
            dtype = torch.promote_types(dtype, x.dtype)
        return _interpolate(points, self.breakpoints, self.images, self._last).to(dtype)

    def inverse(self, z: Tensor) -> Tensor:
        """Return the x with z(x) = z, for z of shape (..., I), in float64."""
        return _interpolate(self._check(z), self.images, self.breakpoints, self._last)

    def _symbolic(self, x: Proxy) -> Tensor:
        """Return what stands for z(x) in a program of `torch.fx`: a call of this module."""
        tracer: Any = x.tracer
        path = tracer.path_of_module(self)
        if not path:
            remedy = "Trace the network that it is a part of."
            got = "a map that is traced itself"
            raise TypeError(validate.message("InputMap", "x", "a tensor", got, remedy))
        z: Tensor = tracer.create_proxy("call_module", path, (x,), {})
        return z

    def _check(self, x: Tensor) -> Tensor:
        check_tensor("InputMap", "x", x)
        validate.last_dimension("InputMap", "x", tuple(x.shape), self.in_features)
        return x.double()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move as any module, but keep the numbers in float64."""
        kept = {name: getattr(self, name) for name in ("breakpoints", "images")}
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, old in kept.items():
            new = getattr(self, name)
            if new.dtype != old.dtype:
                setattr(self, name, old.to(new.device))
        return self

    def extra_repr(self) -> str:
        """Summarise the map."""
        return f"in_features={self.in_features}, num_breakpoints={self.breakpoints.shape[1]}"


def _interpolate(x: Tensor, points: Tensor, images: Tensor, last: int) -> Tensor:
    """Return the map of x (..., I), all in float64."""
    flat = x.reshape(-1, x.shape[-1]).t()  # (I, B)
    piece = _piece(flat.detach(), points, last)
    p, v = points.gather(1, piece), images.gather(1, piece)
    p_next, v_next = points.gather(1, piece + 1), images.gather(1, piece + 1)
    slope = torch.where(flat.isnan(), torch.nan, (v_next - v) / (p_next - p))
    line = v + slope * (flat - p)
    passes = (line > v_next) & (piece < last)  # by rounding, at the right end of a piece
    z = torch.where(passes, v_next + (line - line.detach()), line)
    return z.t().reshape(x.shape)


def _piece(x: Tensor, points: Tensor, last: int) -> Tensor:
    """Return the largest j <= last with p_j <= x, or 0, by bisection: one bit of j at a time.

    Gathers alone, which every transformation, compiler and exporter knows.
    """
    piece = torch.zeros(x.shape, dtype=torch.int64, device=x.device)
    for bit in reversed(range(last.bit_length())):
        further = piece + 2**bit
        reached = x >= points.gather(1, further.clamp(max=last))
        piece = torch.where(reached & (further <= last), further, piece)
    return piece


def _arrays(where: str, data: Data) -> Iterator[Any]:
    """Iterate over data as NumPy arrays in float64."""
    for batch in each_batch(where, data):
        yield inputs_of(where, batch).detach().double().cpu().numpy()
