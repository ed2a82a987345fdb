"""What is predicted: the loss of each kind of target, and its quadratic model for a step.

Fisher scoring: at the linear predictor η the loss is, up to a constant, Σ w W (z - η)² with the
weights W and the working response z of McCullagh and Nelder (Generalized Linear Models, 1989).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from scipy.special import expit, log_expit, softmax, xlogy

from .arrays import Array, Matrix, Vector

SMALLEST_WEIGHT = 1e-6
"""Of a working weight, so that a certain prediction leaves a finite response."""
LARGEST_ETA = 500.0
"""|η| of a log link is bounded by this, far from overflow."""


class Family(Protocol):
    """A kind of target; η and the targets have shape (N, O)."""

    @property
    def dispersion(self) -> float | None:
        """φ where it is known, else None."""

    def start(self, y: Matrix, weight: Vector) -> Vector:
        """Return the η of the best constant, (O,)."""

    def given_others(self, eta: Matrix, output: int) -> tuple[SingleFamily, Vector | float]:
        """Return the family of one output where all others stay, and what its η is relative to."""

    def deviance(self, eta: Matrix, y: Matrix) -> Vector:
        """Return the deviance of each row, (N,)."""

    def mean(self, eta: Array) -> Array:
        """Return the expected target."""


class SingleFamily(Protocol):
    """The loss of one output."""

    def step(self, eta: Vector, y: Vector) -> tuple[Vector, Vector]:
        """Return working weights and responses, (N,) each."""

    def deviance(self, eta: Matrix, y: Matrix) -> Vector:
        """Return the deviance of each row, (N,), for η and targets (N, 1)."""


class _Independent:
    """Outputs of which none depends on the others."""

    def given_others(self, eta: Matrix, output: int) -> tuple[Self, float]:
        return self, 0.0


@dataclass(frozen=True)
class Squared(_Independent):
    """Normal targets."""

    dispersion: float | None = None

    def start(self, y: Matrix, weight: Vector) -> Vector:
        mean: Vector = np.average(y, axis=0, weights=weight)
        return mean

    def step(self, eta: Vector, y: Vector) -> tuple[Vector, Vector]:
        return np.ones(len(y)), y

    def deviance(self, eta: Matrix, y: Matrix) -> Vector:
        total: Vector = ((y - eta) ** 2).sum(1)
        return total

    def mean(self, eta: Array) -> Array:
        return eta


@dataclass(frozen=True)
class Logistic(_Independent):
    """Targets 0 and 1; η is the log-odds of 1."""

    dispersion: float | None = 1.0

    def start(self, y: Matrix, weight: Vector) -> Vector:
        mean = _shares(y, weight)
        odds: Vector = np.log(mean) - np.log1p(-mean)
        return odds

    def step(self, eta: Vector, y: Vector) -> tuple[Vector, Vector]:
        probability = expit(eta)
        weight = np.maximum(probability * (1 - probability), SMALLEST_WEIGHT)
        return weight, eta + (y - probability) / weight

    def deviance(self, eta: Matrix, y: Matrix) -> Vector:
        total: Vector = -2 * (y * log_expit(eta) + (1 - y) * log_expit(-eta)).sum(1)
        return total

    def mean(self, eta: Array) -> Array:
        probability: Array = expit(eta)
        return probability


@dataclass(frozen=True)
class Softmax:
    """Targets with a one in the column of the class; η are unnormalised log-probabilities."""

    dispersion: float | None = 1.0

    def start(self, y: Matrix, weight: Vector) -> Vector:
        logarithms = np.log(_shares(y, weight))
        centred: Vector = logarithms - logarithms.mean()
        return centred

    def given_others(self, eta: Matrix, output: int) -> tuple[SingleFamily, Vector | float]:
        """A class against all others is logistic: its log-odds are η less their log Σ exp η."""
        return Logistic(), _log_sum(np.delete(eta, output, axis=1))

    def deviance(self, eta: Matrix, y: Matrix) -> Vector:
        total: Vector = 2 * (_log_sum(eta) - (y * eta).sum(1))
        return total

    def mean(self, eta: Array) -> Array:
        probabilities: Array = softmax(eta, axis=1)
        return probabilities


@dataclass(frozen=True)
class Poisson(_Independent):
    """Counts; η is the logarithm of their mean."""

    dispersion: float | None = 1.0

    def start(self, y: Matrix, weight: Vector) -> Vector:
        return _log_mean(y, weight)

    def step(self, eta: Vector, y: Vector) -> tuple[Vector, Vector]:
        mean = self.mean(eta)
        weight = np.maximum(mean, SMALLEST_WEIGHT)
        return weight, eta + (y - mean) / weight

    def deviance(self, eta: Matrix, y: Matrix) -> Vector:
        mean = self.mean(eta)
        total: Vector = 2 * (xlogy(y, y) - y * _bound(eta) - y + mean).sum(1)
        return total

    def mean(self, eta: Array) -> Array:
        counts: Array = np.exp(_bound(eta))
        return counts


@dataclass(frozen=True)
class Gamma(_Independent):
    """Positive amounts whose spread is proportional to their mean; η is its logarithm."""

    dispersion: float | None = None

    def start(self, y: Matrix, weight: Vector) -> Vector:
        return _log_mean(y, weight)

    def step(self, eta: Vector, y: Vector) -> tuple[Vector, Vector]:
        column = _bound(eta)
        return np.ones(len(y)), column + y * np.exp(-column) - 1

    def deviance(self, eta: Matrix, y: Matrix) -> Vector:
        ratio = np.log(y) - _bound(eta)
        total: Vector = 2 * (np.expm1(ratio.clip(max=LARGEST_ETA)) - ratio).sum(1)
        return total

    def mean(self, eta: Array) -> Array:
        amounts: Array = np.exp(_bound(eta))
        return amounts


def _shares(y: Matrix, weight: Vector) -> Vector:
    """Return the share of each class; of one that no row of a fold has, that of half a row."""
    least = 0.5 / len(y)
    shares: Vector = np.average(y, axis=0, weights=weight).clip(least, 1 - least)
    return shares


def _log_sum(eta: Matrix) -> Vector:
    """Return log Σ exp η of every row; scipy's takes five times as long."""
    largest = eta.max(1)
    total: Vector = largest + np.log(np.exp(eta - largest[:, None]).sum(1))
    return total


def _log_mean(y: Matrix, weight: Vector) -> Vector:
    logarithm: Vector = np.log(np.average(y, axis=0, weights=weight))
    return logarithm


def _bound(eta: Array) -> Array:
    return eta.clip(-LARGEST_ETA, LARGEST_ETA)
