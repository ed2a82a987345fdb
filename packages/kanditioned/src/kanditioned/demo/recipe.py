"""A network step by step: its domain fitted to data, trained from coarse to fine, pruned, drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from kanditioned_spec import registry, validate

from .. import backends
from ..plot import plot_network
from ..plot.curves import to_numpy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTHS = (2, 5, 1)
COUNTS = (5, 9, 17)
"""Control points of each stage: every one keeps the functions of the one before."""
STEPS = 400
"""Of Adam in each stage."""
SMOOTHNESS = 1e-2
TOLERANCE = 0.5
"""How far pruning may move an output."""


def target(x: Any) -> Any:
    """Return exp(sin πx₀ + x₁²), a function that additions and curves of one variable make up."""
    return np.exp(np.sin(np.pi * x[:, :1]) + x[:, 1:] ** 2)


def network() -> tuple[Figure, str]:
    """Learn `target` on the square [-1, 1]²; return a picture of the network, and how it went."""
    rng = np.random.default_rng(0)
    x, x_test = (rng.uniform(-1, 1, (count, 2)).astype(np.float32) for count in (2000, 1000))
    y, y_test = target(x), target(x_test)
    name, _ = registry.selected()
    framework = TRAINING[name]
    x, x_test, y = map(framework.array, (x, x_test, y))

    def error(model: Any) -> str:
        ratio = np.mean((to_numpy(model(x_test)) - y_test) ** 2) / y_test.var()
        return f"error {100 * np.sqrt(ratio):.1f} % of the standard deviation"

    options = {"num_control_points": COUNTS[0], "parameterization": "dct", **framework.seeded()}
    model = backends.package(name).KAN(WIDTHS, norm="none", **options)
    model = model.fit_domain(x, keep="num_control_points")
    lines = ["exp(sin πx + y²) by a network [2, 5, 1], from coarse to fine"]
    for count in COUNTS:
        model = framework.train(model.refine(count), x, y)
        lines.append(f"  {count:2} control points: {error(model)}")
    prune = getattr(backends.package(name), "prune", None)
    if prune:
        model, edges, moved = prune(model, x, TOLERANCE)
        left, total = sum(int(e.sum()) for e in edges), sum(e.numel() for e in edges)
        lines.append(f"  pruned to {left} of {total} edges, moved by {moved:.2f}: {error(model)}")
    names: Any = {"input_names": ["x", "y"], "output_names": ["exp(sin πx + y²)"]}
    return plot_network(model, x, **names), "\n".join(lines)


def _torch_tensor(array: Any) -> Any:
    import torch

    return torch.from_numpy(array)


def _torch_generator() -> dict[str, Any]:
    import torch

    return {"generator": torch.Generator().manual_seed(0)}


def _by_torch(model: Any, x: Any, y: Any) -> Any:
    """Train by AdamW, smoothing by decay of the curvature."""
    import torch

    from kanditioned_torch import param_groups

    optimizer = torch.optim.AdamW(param_groups(model, SMOOTHNESS), lr=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = (model(x) - y).square().mean()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model


def _by_jax(model: Any, x: Any, y: Any) -> Any:
    """Do the same with optax."""
    import jax

    from kanditioned_jax import add_curvature_decay

    optax = validate.installed("kanditioned.demo", "optax", "kanditioned[jax]")
    rate = optax.cosine_decay_schedule(0.02, STEPS)
    decay, scale = add_curvature_decay(SMOOTHNESS), optax.scale_by_learning_rate(rate)
    optimizer = optax.chain(optax.scale_by_adam(), decay, scale)

    @jax.jit
    def step(model: Any, state: Any) -> tuple[Any, Any]:
        gradients = jax.grad(lambda model: ((model(x) - y) ** 2).mean())(model)
        updates, state = optimizer.update(gradients, state, model)
        return optax.apply_updates(model, updates), state

    state = optimizer.init(model)
    for _ in range(STEPS):
        model, state = step(model, state)
    return model


class Framework(NamedTuple):
    """What the recipe does in the words of a framework.

    Attributes:
        array: Takes a NumPy array over.
        seeded: Returns the option of `KAN` that decides its initial functions.
        train: Trains a network on inputs and targets, and returns it.
    """

    array: Callable[[Any], Any]
    seeded: Callable[[], dict[str, Any]]
    train: Callable[[Any, Any, Any], Any]


TRAINING = {
    "torch": Framework(_torch_tensor, _torch_generator, _by_torch),
    "jax": Framework(np.asarray, lambda: {"key": 0}, _by_jax),
}
