"""Training: the minimum of mean loss + smoothing · Σ ∫ s''², by Adam.

It is the same for every framework; a `Model` is the network with its optimizer.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from kanditioned_spec import Grid, registry, validate
from kanditioned_spec.refinement import GridChange, nested_change

Array = npt.NDArray[np.floating[Any]]
Vector = npt.NDArray[np.float64]

MODELS = {"torch": "torch_model", "jax": "jax_model"}
LOSSES = ("squared", "logistic", "cross_entropy")


@dataclass(frozen=True)
class ModelSpec:
    """What a model is built from.

    Attributes:
        widths: Number of features before, between and after the layers.
        loss: One of `LOSSES`, of outputs (N, O) and targets: (N, O) for `"squared"`, 0 or 1 of
            shape (N, 1) for `"logistic"`, class indices (N,) for `"cross_entropy"`.
        smoothing: λ, the weight of the penalty, in its continuous scaling.
        seed: Seed of the initial functions.
        dtype: `"float32"` or `"float64"`.
        grid: Of every layer, to begin with.
        coordinates: Returns the arguments of `reparameterize` for a number of control points.
        device: Where the network lives, in the framework's words; by default its own choice.
    """

    widths: tuple[int, ...]
    loss: str
    smoothing: float
    seed: int
    dtype: str
    grid: Grid
    coordinates: Callable[[int], dict[str, Any]]
    device: Any = None


@dataclass(frozen=True)
class Samples:
    """Samples to learn from.

    Attributes:
        x: Inputs (N, I).
        y: Targets as `ModelSpec.loss` says.
        weight: Weights (N,) of mean one.
        offset: What is added to the outputs before the loss, (N, O); None adds nothing.
    """

    x: Array
    y: npt.NDArray[Any]
    weight: Array
    offset: Array | None = None

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: Any) -> Samples:
        offset = None if self.offset is None else self.offset[index]
        return Samples(self.x[index], self.y[index], self.weight[index], offset)


class Model(Protocol):
    """A network in a framework. The last layer starts at zero: no input has an effect yet."""

    network: Any

    def step(self, samples: Samples, learning_rate: float) -> float:
        """Take one Adam step on the objective and return its value before the step."""

    def loss(self, samples: Samples) -> float:
        """Return the mean loss without the penalty."""

    def outputs(self, x: Array) -> Array:
        """Evaluate the network at inputs (N, I)."""

    def refine(self, change: GridChange) -> None:
        """Go on with the same functions on another grid, and with a new optimizer."""

    def objective(self, samples: Samples) -> tuple[float, Vector]:
        """Return the objective and its gradient by the parameters."""

    def parameters(self) -> Vector:
        """Return a copy of all parameters as one vector."""

    def set_parameters(self, vector: Vector) -> None:
        """Set all parameters."""

    def finish(self) -> None:
        """Drop what only training needs."""


@dataclass(frozen=True)
class Schedule:
    """How long and in what steps to train with Adam.

    Attributes:
        stages: Grids, each for an equal part of the passes, beginning with that of the model.
        epochs: Most passes over the samples.
        batch_size: Samples per step.
        learning_rate: At the first step; it falls to zero along a cosine.
        patience: Epochs without a lower validation loss after which training stops.
        tolerance: By how much the validation loss must fall to count.
        progress: Show a progress bar.
    """

    stages: tuple[Grid, ...]
    epochs: int
    batch_size: int
    learning_rate: float
    patience: int
    tolerance: float
    progress: bool


def build(backend: str | None, spec: ModelSpec) -> Model:
    """Build the model of a backend, chosen by the rule of `kanditioned_spec.registry`.

    Raises:
        BackendNotInstalledError: The backend is not installed.
        ValueError: The backend cannot train.
    """
    name, _ = registry.select(backend)
    validate.choice("KAN estimator", "backend", name, MODELS)
    registry.load(name)
    module = importlib.import_module(f".{MODELS[name]}", __package__)
    model: Model = module.Model(spec)
    return model


def train(
    model: Model,
    samples: Samples,
    validation: Samples | None,
    schedule: Schedule,
    rng: np.random.RandomState,
) -> tuple[list[float], list[float]]:
    """Train a model by Adam, from few control points to all.

    With validation samples each stage ends with the parameters of its lowest validation loss.

    Returns:
        The mean objective of every epoch, and the validation losses.
    """
    objectives: list[float] = []
    losses: list[float] = []
    with _progress(schedule) as progress:
        for number, grid in enumerate(schedule.stages):
            first, last = (
                schedule.epochs * n // len(schedule.stages) for n in (number, number + 1)
            )
            if number:
                model.refine(nested_change(schedule.stages[number - 1], grid))
            best = _Best(model, schedule.tolerance)
            for epoch in range(first, last):
                objectives.append(_epoch(model, samples, schedule, epoch, rng))
                progress.update()
                if validation is None:
                    continue
                losses.append(model.loss(validation))
                if best.epochs_since(losses[-1]) >= schedule.patience:
                    break
            best.restore()
    model.finish()
    return objectives, losses


def _epoch(
    model: Model, samples: Samples, schedule: Schedule, epoch: int, rng: np.random.RandomState
) -> float:
    """Pass over the samples once and return the mean objective."""
    batches = -(-len(samples) // schedule.batch_size)
    values = []
    for number, batch in enumerate(_batches(samples, schedule.batch_size, rng)):
        done = (epoch + number / batches) / schedule.epochs
        rate = schedule.learning_rate * (1 + math.cos(math.pi * done)) / 2
        values.append(model.step(batch, rate))
    return float(np.mean(values))


class _Best:
    """The parameters of the lowest validation loss so far."""

    def __init__(self, model: Model, tolerance: float) -> None:
        self.model, self.tolerance = model, tolerance
        self.loss, self.since = math.inf, 0
        self.parameters: Vector | None = None

    def epochs_since(self, loss: float) -> int:
        """Note the loss after an epoch; return how many there were since the lowest."""
        self.since += 1
        if loss < self.loss - self.tolerance:
            self.loss, self.since, self.parameters = loss, 0, self.model.parameters()
        return self.since

    def restore(self) -> None:
        """Give the model these parameters, if a loss was noted."""
        if self.parameters is not None:
            self.model.set_parameters(self.parameters)


def _batches(samples: Samples, size: int, rng: np.random.RandomState) -> Iterator[Samples]:
    """Yield all samples in batches: in random order, or as they are if they fit into one."""
    if len(samples) <= size:
        yield samples
        return
    order = rng.permutation(len(samples))
    for start in range(0, len(samples), size):
        yield samples[order[start : start + size]]


def _progress(schedule: Schedule) -> Any:
    bar = "tqdm.auto" if schedule.progress else "tqdm"
    module = validate.import_optional('fit with solver="adam"', bar, "kanditioned[sklearn]")
    return module.tqdm(
        total=schedule.epochs, desc="fit", unit="epoch", disable=not schedule.progress
    )
