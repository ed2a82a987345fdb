"""One of two processes that train the same network in each way of spreading it.

Run by `test_distributed` with the rank and a folder. Rank 0 writes what each way arrived at.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import get_model_state_dict
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor.parallel import parallelize_module
from torch.nn.parallel import DistributedDataParallel

from kanditioned_torch import KAN, param_groups
from kanditioned_torch.distributed import whole
from kanditioned_torch.parallel import OutputParallel

WORLD, STEPS = 2, 10


def network() -> KAN:
    """Three layers, with fewer inputs than processes among the counts and odd output counts."""
    torch.manual_seed(0)
    return KAN(
        [3, 7, 5, 1],
        residual=True,
        num_control_points=9,
        parameterization="demmler_reinsch",
        smoothing=1e-2,
        dtype=torch.float64,
    )


def data() -> tuple[Tensor, Tensor]:
    x = torch.randn(32, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return x, x.sin().prod(1, keepdim=True)


def train(model: nn.Module, penalty: Callable[[], Tensor], part: slice) -> dict[str, Tensor]:
    """Take ten steps on a part of the batch, and return all parameters, and their penalty."""
    x, y = (tensor[part] for tensor in data())
    optimizer = torch.optim.AdamW(param_groups(model, 1e-3), lr=1e-2)
    for _ in range(STEPS):
        optimizer.zero_grad()
        ((model(x) - y).square().mean() + 1e-4 * penalty()).backward()
        optimizer.step()
    parameters = {
        name.removeprefix("module."): whole(parameter.detach()).clone()
        for name, parameter in model.named_parameters()
    }
    return parameters | {"penalty": penalty().detach()}


def sharded(model: KAN, mesh: DeviceMesh) -> KAN:
    for layer in model.kan_layers():
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    return model


def initialised_in_place(mesh: DeviceMesh) -> dict[str, Tensor]:
    """Shard a network that has no numbers yet, then draw them, as is done for large ones."""
    model = KAN([3, 7, 5, 1], num_control_points=9, parameterization="dct", device="meta")
    sharded(model, mesh).to_empty(device="cpu")
    torch.manual_seed(0)
    for layer in model.kan_layers():
        layer.reset_parameters()
    return {name: whole(value.detach()) for name, value in model.named_parameters()}


def main(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=WORLD
    )
    mesh = init_device_mesh("cpu", (WORLD,))
    everything, mine = slice(None), slice(16 * rank, 16 * (rank + 1))
    alone, model = network(), network()
    found = {"alone": train(alone, alone.penalty, everything)}
    found["ddp"] = train(DistributedDataParallel(model), model.penalty, mine)
    fsdp = sharded(network(), mesh)
    found["fsdp"] = train(fsdp, fsdp.penalty, mine)
    tensor = network()
    parallelize_module(tensor, mesh, {"layers.*": OutputParallel()})
    found["tensor"] = train(tensor, tensor.penalty, everything)
    dcp.save(get_model_state_dict(fsdp), checkpoint_id=folder / "sharded")
    for name, spread in (("fsdp", fsdp), ("tensor", tensor)):
        spread.save(folder / f"{name}-{rank}.safetensors")
        assert whole(spread.layers[0].control_points()).shape == (3, 9, 7)
    found["meta"] = initialised_in_place(mesh)
    if rank == 0:
        torch.save(found, folder / "found.pt")
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
