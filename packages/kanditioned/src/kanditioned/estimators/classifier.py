"""The classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets

from kanditioned_spec import validate

from . import reading, weights
from .arrays import Array
from .base import KANEstimator
from .families import Logistic, Softmax

DRAWS = 1000
"""From the posterior, for intervals."""


class KANClassifier(ClassifierMixin, KANEstimator):  # type: ignore[misc]
    """Logistic regression with an additive model of learned curves, or a network on top of it.

    The model gives one log-odds for two classes, or one unnormalised log-probability for each of
    more. Arguments and attributes are those of `KANRegressor`, but for `loss`; labels may be of
    any kind. `monotone` and `convex` are for the log-odds of two classes.

    There is no `partial_fit`: unlike squares, the likelihood of labels is not a function of some
    sums over rows, and each step reads all of them. `fit` reads a large array in parts, though.

    Args:
        class_weight: Weights of the classes, a dict, or `"balanced"` for classes that weigh as much
            as each other.

    Attributes:
        classes_: The labels, sorted.

    Example:
        >>> import numpy as np
        >>> x = np.linspace(-1, 1, 200)[:, None]
        >>> inside = np.where(abs(x[:, 0]) < 0.5, "inside", "outside")
        >>> model = KANClassifier().fit(x, inside)
        >>> model.predict([[0.0], [0.9]]).tolist()
        ['inside', 'outside']
    """

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] | int = (),
        *,
        class_weight: Any = None,
        num_control_points: int | str = "auto",
        smoothing: float | str = "auto",
        categorical_features: Any = "from_dtype",
        interactions: Any = "auto",
        monotone: Any = None,
        convex: Any = None,
        n_bags: int = 4,
        solver: str = "auto",
        learning_rate_init: float = 0.02,
        batch_size: int | str = "auto",
        max_iter: int = 200,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 20,
        tol: float = 1e-4,
        random_state: Any = None,
        verbose: bool = False,
        backend: str | None = None,
        device: Any = None,
    ) -> None:
        self._keep(locals())

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on inputs (N, I) and labels (N,), see `KANRegressor.fit`."""
        given, y = reading.training(self, X, y)
        check_classification_targets(y)
        weight = self._weights(sample_weight, len(y))
        used = weights.rows_in_use(weight)
        self.classes_, indices = np.unique(y, return_inverse=True)
        indices, weight = indices[used], weights.count_samples(weight[used])
        if len(np.unique(indices)) < max(2, len(self.classes_)):
            constraint = "labels of two classes or more, each with a row of weight above 0"
            got, remedy = f"one class, {self.classes_[indices[0]]!r}", "Add samples of another."
            if len(np.unique(indices)) > 1:
                got, remedy = "a class of weight 0", "Leave its rows out."
            where = f"{type(self).__name__}.fit"
            raise ValueError(validate.message(where, "y", constraint, got, remedy))
        if self.class_weight is not None:
            weight = weight * compute_sample_weight(self.class_weight, self.classes_[indices])
        count = len(self.classes_)
        if count == 2:
            targets = indices[:, None].astype(np.float64)
            return self._fit(given.take(used), targets, weight, Logistic())
        for argument in ("monotone", "convex"):
            if getattr(self, argument) is not None:
                where, got = type(self).__name__, f"{count} classes"
                constraint, remedy = "None for more than two classes", "They share no order."
                raise ValueError(validate.message(where, argument, constraint, got, remedy))
        return self._fit(given.take(used), np.eye(count)[indices], weight, Softmax())

    def decision_function(self, X: Any) -> Array:
        """Return log-odds of the second class (N,), or of more, unnormalised log-probabilities."""
        outputs = self._outputs(self._read(X))
        return outputs[:, 0] if len(self.classes_) == 2 else outputs

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, shape (N, C)."""
        return self._probabilities(self._outputs(self._read(X)))

    def predict_interval(self, X: Any, coverage: float = 0.95) -> tuple[Array, Array]:
        """Return lower and upper ends of an interval for the probability of each class.

        They are quantiles over draws from the posterior of the curves.

        Args:
            X: Inputs (N, I).
            coverage: Probability that the interval covers, in (0, 1).

        Returns:
            Two arrays (N, C).
        """
        where = f"{type(self).__name__}.predict_interval"
        constraint, remedy = "a number in (0, 1)", "It is the probability to cover."
        share = validate.finite_real(where, "coverage", coverage, constraint, remedy)
        if share >= 1:
            raise ValueError(validate.message(where, "coverage", constraint, share, remedy))
        given = self._read(X)
        drawn = self._probabilities(self._draws(given, DRAWS))
        ends = [(1 - share) / 2, (1 + share) / 2]
        low, high = np.quantile(drawn, ends, axis=0).astype(given.dtype)
        return low, high

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the most probable label of each row."""
        outputs = self.decision_function(X)
        best = (outputs > 0).astype(int) if outputs.ndim == 1 else outputs.argmax(1)
        labels: npt.NDArray[Any] = self.classes_[best]
        return labels

    def _probabilities(self, eta: Array) -> Array:
        """Return probabilities (..., C) for linear predictors (..., O)."""
        if len(self.classes_) > 2:
            probabilities: Array = softmax(eta, axis=-1)
            return probabilities
        second = expit(eta[..., 0])
        return np.stack([expit(-eta[..., 0]), second], -1)
