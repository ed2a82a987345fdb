"""Train coarse to fine: few control points first, then the same functions on finer grids.

    python coarse_to_fine.py

A coarse grid is quick to train and smooths by itself; each refinement starts from where the last
stage ended, with the loss unchanged, and adds detail. Parameters are new after a refinement, so
each stage has its own optimizer, and its own fresh start of the learning rate.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from kanditioned_torch import KAN, param_groups


class Stage(NamedTuple):
    """One grid, and the loss on the training data before and after training on it."""

    num_control_points: int
    before: float
    after: float


def coarse_to_fine(
    model: KAN,
    x: Tensor,
    y: Tensor,
    *,
    grids: tuple[int, ...] = (9, 17, 33),
    steps: int = 300,
    learning_rate: float = 2e-2,
    smoothness: float = 0.0,
) -> tuple[KAN, list[Stage]]:
    """Train a network on one grid after another.

    Args:
        model: A network with as many control points as the first grid.
        x: Inputs (B, I).
        y: Targets (B, O).
        grids: Numbers of control points. Refinement is exact where each is m(K - 1) + 1 of the one
            before, as for 9, 17, 33.
        steps: Steps of AdamW on each grid, under a cosine schedule.
        learning_rate: Of the first step on each grid.
        smoothness: See `param_groups`; it means the same on every grid.

    Returns:
        The network on the last grid, and what each stage did.
    """
    stages = []
    for count in grids:
        model = model.refine(count)
        optimizer = torch.optim.AdamW(param_groups(model, smoothness), lr=learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        losses = []
        for _ in range(steps):
            loss = (model(x) - y).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        with torch.no_grad():
            stages.append(Stage(count, losses[0], (model(x) - y).square().mean().item()))
    return model, stages


def main() -> None:
    """Fit a function with detail that the first grid cannot hold."""
    torch.manual_seed(0)
    x = 4 * torch.rand(2000, 2) - 2
    y = ((6 * x[:, 0]).sin() * x[:, 1] + x[:, 0].square())[:, None]
    model = KAN([2, 8, 1], norm="none", num_control_points=9, parameterization="dct")
    for stage in coarse_to_fine(model, x, y)[1]:
        print(
            f"{stage.num_control_points} control points: loss {stage.before:.4f} "
            f"-> {stage.after:.4f}"
        )


if __name__ == "__main__":
    main()
