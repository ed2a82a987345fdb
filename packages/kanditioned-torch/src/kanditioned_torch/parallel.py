"""Tensor parallelism by output features, on PyTorch's own engine."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor
from torch.distributed.tensor.parallel import ParallelStyle

from kanditioned_spec import validate

from .layer import KANLayer


class OutputParallel(ParallelStyle):
    """Split a `KANLayer` over the processes of a mesh: each holds some output features.

    Inputs and outputs are plain tensors, the same on each process. Forward gathers the outputs,
    backward adds up the gradients of the inputs: one collective each, of B·O and B·I numbers.
    Any number of outputs can be split. A checkpoint of PyTorch's `distributed.checkpoint`, or
    `save` on every process, is that of the whole layer.

    Example::

        mesh = init_device_mesh("cuda", (torch.cuda.device_count(),))
        parallelize_module(model, mesh, {"layers.*": OutputParallel()})
    """

    def _apply(self, module: nn.Module, device_mesh: DeviceMesh) -> nn.Module:
        if not isinstance(module, KANLayer):
            remedy = 'Name the layers, for example {"layers.*": OutputParallel()} for a KAN.'
            got = type(module).__name__
            raise TypeError(
                validate.message("parallelize_module", "module", "a KANLayer", got, remedy)
            )
        theta = distribute_tensor(module.theta.detach(), device_mesh, [Shard(2)])
        module.theta = nn.Parameter(theta, requires_grad=module.theta.requires_grad)

        def adding_gradients(_: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            x = DTensor.from_local(args[0], device_mesh, [Replicate()])
            return (x.to_local(grad_placements=[Partial()]), *args[1:])

        def gathered(layer: KANLayer, _: Any, y: Tensor) -> Tensor:
            shape = torch.Size((*y.shape[:-1], layer.out_features))
            strides = y.new_empty(shape, device="meta").stride()
            last = [Shard(y.ndim - 1)]
            spread = DTensor.from_local(y, device_mesh, last, shape=shape, stride=strides)
            return spread.redistribute(placements=[Replicate()]).to_local()

        module.register_forward_pre_hook(adding_gradients)
        module.register_forward_hook(gathered)
        return module
