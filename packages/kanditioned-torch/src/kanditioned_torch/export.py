"""Networks for torch.export, AOTInductor and ONNX."""

from __future__ import annotations

import copy

from torch import nn

from .layer import KANLayer


def exportable(model: nn.Module, impl: str = "embedding") -> nn.Module:
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
    if isinstance(model, KANLayer):
        layer = model.reparameterize("bspline")
        layer.impl = impl
        return layer.eval()
    model = copy.deepcopy(model)
    replaced: dict[KANLayer, nn.Module] = {}
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, KANLayer):
                if child not in replaced:
                    replaced[child] = exportable(child, impl)
                setattr(parent, name, replaced[child])
    return model.eval()
