"""Train one network on several processes, in one of PyTorch's ways of spreading it.

    torchrun --nproc-per-node 2 distributed.py --way ddp      # every process a part of the batch
    torchrun --nproc-per-node 2 distributed.py --way fsdp     # and a part of the parameters
    torchrun --nproc-per-node 2 distributed.py --way tensor   # some output features of each layer

Writes the trained network to one file, which any number of processes, and every backend, reads.
"""

from __future__ import annotations

import argparse
import os

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor.parallel import parallelize_module
from torch.nn.parallel import DistributedDataParallel

from kanditioned_torch import KAN, param_groups
from kanditioned_torch.parallel import OutputParallel


def spread(model: KAN, way: str, device: torch.device) -> nn.Module:
    """Spread a network over all processes, in place; return what to call."""
    mesh = init_device_mesh(device.type, (dist.get_world_size(),))
    if way == "fsdp":
        for layer in model.kan_layers():
            fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)
        return model
    if way == "tensor":
        return parallelize_module(model, mesh, {"layers.*": OutputParallel()})
    return DistributedDataParallel(model)


def batch(seed: int, size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Draw inputs, and what to learn of them."""
    x = torch.randn(size, 4, generator=torch.Generator().manual_seed(seed)).to(device)
    return x, (x[:, :2].sin().prod(1) + x[:, 2:].square().mean(1))[:, None]


def main() -> None:
    """Train and save."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--way", choices=("ddp", "fsdp", "tensor"), default="ddp")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--save", default="model.safetensors")
    arguments = parser.parse_args()
    rank = int(os.environ["LOCAL_RANK"])
    device = torch.device("cuda", rank) if torch.cuda.is_available() else torch.device("cpu")
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")

    torch.manual_seed(0)  # the same first parameters everywhere
    model = KAN(
        [4, 16, 1], norm="none", num_control_points=17, parameterization="dct", device=device
    )
    spreading = spread(model, arguments.way, device)
    optimizer = torch.optim.AdamW(param_groups(model, 1e-3), lr=1e-2)
    for step in range(arguments.steps):
        # With tensor parallelism all processes work on the same samples.
        part = 0 if arguments.way == "tensor" else dist.get_rank()
        x, y = batch(step * dist.get_world_size() + part, 256, device)
        loss = (spreading(x) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if dist.get_rank() == 0 and (step + 1) % 100 == 0:
            print(f"step {step + 1}: loss {loss.item():.4f}")
    model.save(arguments.save)  # by every process, since each holds a part; all write the same
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
