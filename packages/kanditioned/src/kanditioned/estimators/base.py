"""What the estimators share: the way from a table to a fitted model and to predictions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from . import additive, arguments, ends, networks, weights
from .arrays import Array, Matrix, Vector
from .batches import LeastSquares
from .families import Family, Squared
from .inspection import Inspection, histograms
from .pictures import Histogram
from .posterior import Posterior
from .reading import Table


class KANEstimator(Inspection):
    """A Kolmogorov-Arnold network for tables; see `KANRegressor` for the arguments."""

    def _keep(self, given: dict[str, Any]) -> None:
        """Keep the arguments of a constructor, its local variables, as scikit-learn wants them."""
        for name, value in given.items():
            if name not in ("self", "__class__"):
                setattr(self, name, value)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _fit(self, given: Table, y: Matrix, weight: Vector, family: Family) -> Self:
        """Fit to targets (N, O) as the family says; all weights are positive."""
        rng = check_random_state(0 if self.random_state is None else self.random_state)
        widths, seed = arguments.widths(self), int(rng.randint(2**31 - 1))
        settings = arguments.settings(self, self._names, self._categorical, seed)
        chosen = networks.options(self, widths, len(y)) if widths else None
        split = None
        if chosen is not None and self.early_stopping:
            where = type(self).__name__
            split = networks.split(where, y, family, self.validation_fraction, rng)
        kept = slice(None) if split is None else split[0]
        train, known = given.take(kept), weight[kept]
        columns = additive.describe(self._names, train.columns, known, settings)
        found = additive.fit(columns, train.columns, y[kept], known, family, settings)
        if chosen is None:
            found = replace(found, model=ends.limit_ends(found.model, found.shares))
        self._family, self._found, self._network, self._sums = family, found, None, None
        self.n_iter_ = found.steps
        self._samples = len(train)
        self._histograms = histograms(found.model, train, known)
        if chosen is not None:
            split = split or (np.arange(len(y)), np.zeros(0, np.intp))
            self._network = networks.fit(
                chosen, found.model, given.columns, y, weight, family, split, rng
            )
            self.loss_curve_ = self._network.objectives
            self.validation_losses_ = self._network.losses
            self.n_iter_ = len(self.loss_curve_)
        return self

    def _begin(self, given: Table, weight: Vector, outputs: int) -> None:
        """Take knots and labels from the first batch of `partial_fit`."""
        settings = arguments.settings(self, self._names, self._categorical, 0)
        columns = additive.describe(self._names, given.columns, weight, settings)
        self._sums, self._batch_settings = LeastSquares(columns, outputs), settings
        self._family, self._network = Squared(), None
        self._histograms = [
            Histogram.of(column, values, np.zeros(len(weight)))
            for column, values in zip(columns, given.columns, strict=True)
        ]

    def _add(self, given: Table, y: Matrix, weight: Vector) -> None:
        """Add rows to the sums of `partial_fit`."""
        assert self._sums is not None
        self._sums.add(given.columns, y, weight, "sums" if self.verbose else None)
        self._samples, self._found = self._sums.rows, None
        self._histograms = [
            histogram.plus(column, values, weight)
            for histogram, column, values in zip(
                self._histograms, self._sums.columns, given.columns, strict=True
            )
        ]

    def _outputs(self, given: Table) -> Array:
        """Return the linear predictor (N, O)."""
        eta = self.model_(given.columns)
        if self._network is not None:
            eta = eta + self._network(self._fitted.model, given.columns)
        outputs: Array = eta.astype(given.dtype)
        return outputs

    def _weights(self, sample_weight: Any, samples: int) -> Vector:
        return weights.check(f"{type(self).__name__}.fit", sample_weight, samples)

    def _deviation(self, given: Table) -> Array:
        """Return the posterior standard deviation of the linear predictor, (N, O)."""
        variances = [posterior.variance(given.columns) for posterior in self._posteriors()]
        deviation: Array = np.sqrt(np.mean(variances, axis=0))
        return deviation

    def _draws(self, given: Table, count: int) -> Array:
        """Return draws of the linear predictor from the posterior, (count, N, O)."""
        rng = check_random_state(self.random_state)
        centre = self.model_(given.columns)
        posteriors = self._posteriors()
        each = -(-count // len(posteriors))
        parts = [posterior.draws(given.columns, each, rng) for posterior in posteriors]
        draws: Array = centre + np.concatenate(parts)[:count]
        return draws

    def _posteriors(self) -> tuple[Posterior, ...]:
        """Return those of all fits, if they are all that predicts."""
        check_is_fitted(self)
        self._without_hidden_layers("a prediction with an interval")
        return self._fitted.posteriors
