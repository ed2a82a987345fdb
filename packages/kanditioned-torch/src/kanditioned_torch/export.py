"""Networks for torch.export, AOTInductor and ONNX."""

from __future__ import annotations

from torch import nn

from kanditioned_spec import Shapes, validate

from . import selection
from .layer import KANLayer
from .replace import Model, replace_layers


def exportable(model: Model, impl: str = "embedding") -> Model:
    """Return a copy of a model, in eval mode, whose layers consist of PyTorch's own operations.

    Layers hold plain control points, so that no parameterization is evaluated at inference, and
    use one implementation wherever the program is to run. The default gathers two rows per input
    feature: each ONNX runtime has these operations (also those of `"strided"` and `"dense"`, but
    not of the others), and AOTInductor fuses them into one loop.
    `impl="auto"` would record the kernels of this machine, `impl="cpu"` or `"triton"` operators
    that the program needs `kanditioned_cpu` or `kanditioned_triton` for.

    Args:
        model: A layer, a network, or any module that holds some.
        impl: How the splines are evaluated, see `spline_forward`.

    Numerics:
        As the model in eval mode, to the rounding of its control points. NaN, infinite and far
        inputs included.

    Example:
        >>> import torch
        >>> from kanditioned_torch import KAN
        >>> model = exportable(KAN([4, 8, 2], parameterization="dct"))
        >>> batch = torch.export.Dim("batch", min=2)
        >>> inputs = (torch.randn(5, 4),)
        >>> program = torch.export.export(model, inputs, dynamic_shapes=({0: batch},))
        >>> program.module()(torch.randn(9, 4)).shape
        torch.Size([9, 2])
    """
    remedy = "It may hold layers anywhere."
    validate.instance("exportable", "model", model, nn.Module, "a module", remedy)
    selection.check("exportable", impl)

    def deploy(layer: KANLayer) -> KANLayer:
        plain = layer.reparameterize("bspline")
        plain.impl = impl
        plain.shapes = Shapes((0,) * plain.in_features, (0,) * plain.in_features)
        return plain

    return replace_layers(model, deploy).eval()
