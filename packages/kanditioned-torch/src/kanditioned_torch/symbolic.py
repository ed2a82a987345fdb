"""A layer in a program that `torch.fx.symbolic_trace` records."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.fx import Proxy

from .functional import spline_forward
from .splines import Splines


def call_symbolically(layer: Splines, impl: str, precision: str | None, x: Proxy) -> Tensor:
    """Return what stands for the layer's output: a call of it, for its checks look at numbers.

    The module that is traced itself cannot be called by its program, so there it is the function
    that the program calls, with control points made of the module's parameters.
    """
    tracer: Any = x.tracer
    path = tracer.path_of_module(layer)
    y: Tensor
    if path:
        y = tracer.create_proxy("call_module", path, (x,), {})
    else:
        theta = tracer.create_proxy("get_attr", "theta", (), {})
        points = tracer.create_proxy("call_module", "parameterization_map", (theta,), {})
        call = (spline_forward, (x, points, layer.spline_width, impl), {"precision": precision})
        y = tracer.create_proxy("call_function", *call)
    return y
