"""Hidden layers: a network that learns what the additive model leaves over."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from kanditioned_spec import Grid, validate
from kanditioned_spec.refinement import nested_grids

from .arrays import Indices, Matrix, Objects, Vector
from .families import Family, Logistic, Softmax, Squared
from .solvers import minimise
from .terms import Additive, Numeric, Term
from .training import Model, ModelSpec, Samples, Schedule, build, train

WIDTH = 6.0
"""Of the domain of every layer; the inputs of the first fill it."""
SMOOTHING = 1e-2
COUNT = 17
"""Knots of every edge: the network is trained from few to all, and 2^m + 1 keep it the same."""
ONE_HOT = 16
"""A category with more levels enters by its effect in the additive model."""
LOSSES: dict[type, str] = {Squared: "squared", Logistic: "logistic", Softmax: "cross_entropy"}


@dataclass(frozen=True)
class Trained:
    """A network with what stands before and behind it.

    Attributes:
        model: The backend's network.
        scale: What its outputs are multiplied by, (O,).
        objectives: Of every pass.
        losses: Of the samples set aside.
    """

    model: Model
    scale: Vector
    objectives: list[float]
    losses: list[float]

    def __call__(self, additive: Additive, table: Sequence[Objects]) -> Matrix:
        """Evaluate at rows of a table, giving (N, O)."""
        outputs = self.model.outputs(encode(additive, table)).astype(np.float64)
        scaled: Matrix = np.asarray(outputs * self.scale)
        return scaled


def encode(additive: Additive, table: Sequence[Objects]) -> Matrix:
    """Return the network's inputs: every number between -WIDTH/2 and WIDTH/2, evenly by its knots.

    A missing number is zero, with an input of its own that says so. A category with few levels
    gives an input of 0 or 1 for each.
    """
    parts = [_encode(term, values) for term, values in zip(additive.terms, table, strict=True)]
    return np.hstack(parts)


def _encode(term: Term, values: Objects) -> Matrix:
    column, rows = term.column, term.column.locate(values)
    if isinstance(column, Numeric):
        last = len(column.knots) - 1
        is_missing = rows.slot == last if last else rows.fraction > 0
        position = (rows.slot + rows.fraction) / max(last, 1)
        x = WIDTH * (np.where(is_missing, 0.5, position).clip(-0.5, 1.5) - 0.5)
        return np.stack([x, is_missing.astype(np.float64)], 1)
    if len(column.labels) > ONE_HOT:
        size = max(float(np.abs(term.effects).max()), float(np.finfo(np.float64).tiny))
        scaled: Matrix = term(values) / size
        return scaled
    is_level = rows.slot[:, None] == np.arange(len(column.labels))
    hot: Matrix = is_level * (1.0 - rows.fraction[:, None])
    return hot


def split(
    where: str, y: Matrix, family: Family, share: float, rng: np.random.RandomState
) -> tuple[Indices, Indices]:
    """Return rows to train on, and rows to validate."""
    constraint, remedy = "a number in (0, 1)", "It is the share of samples set aside."
    fraction = validate.finite_real(where, "validation_fraction", share, constraint, remedy)
    if fraction >= 1:
        raise ValueError(
            validate.message(where, "validation_fraction", constraint, fraction, remedy)
        )
    labels = {Logistic: y[:, 0], Softmax: y.argmax(1)}.get(type(family))
    kept, held = train_test_split(
        np.arange(len(y)), test_size=fraction, random_state=rng, stratify=labels
    )
    return np.sort(kept), np.sort(held)


@dataclass(frozen=True)
class Options:
    """What the user decides of the training, checked."""

    widths: tuple[int, ...]
    solver: str
    schedule: Schedule
    smoothing: float
    backend: str | None
    device: Any
    where: str


def options(estimator: Any, widths: tuple[int, ...], samples: int) -> Options:
    """Check the arguments of an estimator that concern its hidden layers."""
    where = type(estimator).__name__
    size, count = estimator.batch_size, estimator.num_control_points
    if size == "auto":
        size = samples if samples <= 512 else 256
    if count == "auto":
        count = COUNT
    remedy = "It counts passes over the training samples."
    epochs = validate.integer(where, "max_iter", estimator.max_iter, 1, remedy)
    rate, tol = estimator.learning_rate_init, estimator.tol
    schedule = Schedule(
        tuple(nested_grids(Grid(count, WIDTH))[-epochs:]),
        epochs,
        validate.integer(where, "batch_size", size, 1, 'Or "auto".'),
        validate.finite_real(
            where, "learning_rate_init", rate, "a finite number > 0", "It is Adam's step size."
        ),
        validate.integer(where, "n_iter_no_change", estimator.n_iter_no_change, 1, remedy),
        validate.finite_real(
            where, "tol", tol, "a finite number >= 0", "Of the validation loss.", zero=True
        ),
        bool(estimator.verbose),
    )
    solver = "adam" if estimator.solver == "auto" else estimator.solver
    if solver == "lbfgs" and estimator.early_stopping:
        constraint, remedy = 'False with solver="lbfgs"', "It goes to the minimum."
        raise ValueError(validate.message(where, "early_stopping", constraint, True, remedy))
    smoothing = SMOOTHING if estimator.smoothing == "auto" else float(estimator.smoothing)
    return Options(widths, solver, schedule, smoothing, estimator.backend, estimator.device, where)


def fit(
    chosen: Options,
    model: Additive,
    table: Sequence[Objects],
    y: Matrix,
    weight: Vector,
    family: Family,
    parts: tuple[Indices, Indices],
    rng: np.random.RandomState,
) -> Trained:
    """Train on what the additive model leaves over.

    The last layer starts at zero and the parameters of the lowest validation loss are kept, so
    that the whole is never worse on the rows set aside than the additive model.

    Args:
        chosen: The options.
        model: The additive model of the training rows.
        table: All rows, by columns.
        y: Targets (N, O), as the family says.
        weight: Of the rows, (N,).
        family: The loss.
        parts: Numbers of the rows to train on and of those to validate on.
        rng: For the first functions and the order of samples.
    """
    loss, eta = LOSSES[type(family)], model(table)
    kept, held = parts
    scale = np.ones(y.shape[1])
    if loss == "squared":
        middle = np.average(y, axis=0, weights=weight)
        spread = np.sqrt(np.average((y - middle) ** 2, axis=0, weights=weight))
        scale = np.where(spread > 0, spread, 1.0)
    target: Any = y / scale if loss != "cross_entropy" else y.argmax(1)
    samples = Samples(encode(model, table), target, weight, eta / scale)
    spec = ModelSpec(
        (samples.x.shape[1], *chosen.widths, y.shape[1]),
        loss,
        chosen.smoothing,
        int(rng.randint(2**31 - 1)),
        "float64",
        chosen.schedule.stages[0] if chosen.solver == "adam" else chosen.schedule.stages[-1],
        partial(_coordinates, chosen.solver, chosen.smoothing),
        chosen.device,
    )
    trained = build(chosen.backend, spec)
    train_part, validation = _normalise(samples[kept]), None
    if len(held):
        validation = _normalise(samples[held])
    if chosen.solver == "lbfgs":
        objectives = minimise(trained, train_part, chosen.schedule.epochs, chosen.where)
        return Trained(trained, scale, objectives, [])
    objectives, losses = train(trained, train_part, validation, chosen.schedule, rng)
    _warn_unless_settled(chosen, objectives)
    return Trained(trained, scale, objectives, losses)


def _coordinates(solver: str, smoothing: float, count: int) -> dict[str, Any]:
    """Return the parameterization: for L-BFGS the one that is made for the smoothing."""
    if solver == "adam":
        return {"parameterization": "bspline"}
    return {"parameterization": "dct"}


def _normalise(samples: Samples) -> Samples:
    return Samples(samples.x, samples.y, samples.weight / samples.weight.mean(), samples.offset)


def _warn_unless_settled(chosen: Options, objectives: list[float]) -> None:
    """Warn if the objective fell in the second half of all passes by a tenth of its whole fall."""
    epochs = chosen.schedule.epochs
    if len(objectives) < epochs:
        return
    late = objectives[epochs // 2] - objectives[-1] if epochs > 3 else np.inf
    if late > 0.1 * (objectives[0] - objectives[-1]):
        warnings.warn(
            f"{chosen.where}: Adam has not converged after max_iter={epochs} passes. Raise it, "
            "or learning_rate_init.",
            ConvergenceWarning,
            stacklevel=4,
        )
