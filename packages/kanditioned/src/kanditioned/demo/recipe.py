"""A network step by step: its domain fitted to data, trained from coarse to fine, pruned, drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from kanditioned_spec import registry, validate

from .. import backends
from ..plot import plot_network
from ..plot.curves import to_numpy
from .tasks import hours

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTHS = (3, 5, 1)
COUNTS = (5, 9, 17)
"""Control points of each stage: every one keeps the functions of the one before."""
STEPS = 400
"""Of Adam in each stage."""
SMOOTHNESS = 1e-2
TOLERANCE = 0.2
"""How far pruning may move an output, in standard deviations."""


def network() -> tuple[Figure, str]:
    """Learn the temperature in Seattle from hour and day; return a picture, and how it went.

    It trains on every other day of the year and is judged on the days between. A third input is
    drawn by chance and says nothing: pruning finds that out.
    """
    hour, day, temperature = hours()
    chance = np.random.default_rng(0).uniform(-1, 1, len(hour))
    x = np.stack([hour / 11.5 - 1, (day - 183) / 182, chance], axis=1).astype(np.float32)
    is_training = day % 2 == 1
    mean, deviation = temperature[is_training].mean(), temperature[is_training].std()
    scaled = ((temperature - mean) / deviation)[:, None].astype(np.float32)
    x, x_test, y, y_test = (
        x[is_training],
        x[~is_training],
        scaled[is_training],
        scaled[~is_training],
    )
    name, _ = registry.select()
    framework = TRAINING[name]
    x, x_test, y = map(framework.array, (x, x_test, y))

    def error(model: Any) -> str:
        return (
            f"error {deviation * np.sqrt(np.mean((to_numpy(model(x_test)) - y_test) ** 2)):.2f} °F"
        )

    options = {"num_control_points": COUNTS[0], "parameterization": "dct", **framework.seeded()}
    model = backends.package(name).KAN(WIDTHS, norm="none", **options)
    model = model.fit_domain(x, keep="num_control_points")
    lines = [
        "temperature from hour, day and a number drawn by chance, by a network [3, 5, 1], from few",
        "control points to many (root mean square error on days that it has not seen)",
    ]
    for count in COUNTS:
        model = framework.train(model.refine(count), x, y)
        lines.append(f"  {count:2} control points: {error(model)}")
    model, edges, _ = backends.package(name).prune(model, x, TOLERANCE)
    kept = [to_numpy(layer) for layer in edges]
    left, total = sum(int(each.sum()) for each in kept), sum(each.size for each in kept)
    pruned = f"pruned to {left} of {total} edges, {int(kept[0][2].sum())} of them from chance"
    lines.append(f"  {pruned}: {error(model)}")
    names: Any = {"input_names": ["hour", "day", "chance"], "output_names": ["temperature"]}
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

    optax = validate.import_optional("kanditioned.demo", "optax", "kanditioned[jax]")
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
