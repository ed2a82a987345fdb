"""Second derivatives of a loss on average over what the coefficients may be.

A certain prediction has a working weight near zero, so the second derivatives at the estimate say
next to nothing about a slope that separates two classes: its variance would be that of the prior,
and intervals of probabilities would reach from 0 to 1. The normal distribution N(β, V) nearest to
the posterior for a given β (in Kullback-Leibler divergence) has instead

    V⁻¹ = Xᵀ diag(E w(η + s z)) X + D,   s² = diag(X V Xᵀ), z standard normal

(Opper and Archambeau, The variational Gaussian approximation revisited, 2009). It is found by
iteration; weights go to the geometric mean of old and new ones, since they would swing otherwise.
"""

from __future__ import annotations

import numpy as np

from .arrays import Matrix, Vector
from .design import Design
from .families import Logistic
from .reml import Quadratic, inverse_root

NODES = np.linspace(-5.0, 5.0, 41)
SHARES = np.exp(-(NODES**2) / 2) / np.exp(-(NODES**2) / 2).sum()
"""Of z, for the mean over it."""
MOST_STEPS, TOLERANCE = 20, 0.02
"""Steps end when the weights move by less than that share of them."""
ACTIVE = 1e3
"""See `posterior.ACTIVE`."""


def mean_quadratic(
    design: Design,
    at_estimate: Quadratic,
    d: Vector,
    family: Logistic,
    eta: Vector,
    y: Vector,
    weight: Vector,
) -> Quadratic:
    """Return the quadratic model of one output with weights w averaged over the posterior.

    Args:
        design: Of N rows.
        at_estimate: The model with the weights at the estimate.
        d: Diagonal of the penalty D, (P,).
        family: Of the output where all others stay.
        eta: Its linear predictor, (N,).
        y: Its targets, (N,).
        weight: Of the rows, (N,).
    """
    found, nothing = at_estimate, np.zeros((len(y), 1))
    working = family.step(eta, y)[0]
    for _ in range(MOST_STEPS):
        s = np.sqrt(_row_variance(design, found, d))
        nodes = zip(NODES, SHARES, strict=True)
        mean: Vector = np.sum(
            [share * family.step(eta + z * s, y)[0] for z, share in nodes], axis=0
        )
        if weight @ np.abs(mean - working) <= TOLERANCE * (weight @ working):
            break
        working = np.sqrt(working * mean)
        found = Quadratic.of(design.moments(weight * working, nothing), at_estimate.samples)
    return found


def _row_variance(design: Design, quadratic: Quadratic, d: Vector) -> Vector:
    active = np.flatnonzero(d < ACTIVE * np.diag(quadratic.a))
    root: Matrix = inverse_root(quadratic.a, d, active)
    variance = np.empty(len(design))
    for index, x in design.blocks():
        variance[index] = (((x[:, active] - quadratic.mean[active]) @ root) ** 2).sum(1)
    return variance + 1.0 / quadratic.weight
