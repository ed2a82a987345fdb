"""The classifier."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from .base import KANEstimator
from .training import Array


class KANClassifier(ClassifierMixin, KANEstimator):  # type: ignore[misc]
    """Logistic regression with a Kolmogorov-Arnold network.

    The network gives one log-odds for two classes, or one unnormalised log-probability for each of
    more. The objective is the mean cross-entropy + smoothing · Σ ∫ s''² over all edges. Arguments
    and attributes are those of `KANRegressor`; labels may be of any kind.

    Attributes:
        classes_: The labels, sorted.

    Example:
        >>> import numpy as np
        >>> x = np.linspace(-1, 1, 200)[:, None]
        >>> inside = np.where(abs(x[:, 0]) < 0.5, "inside", "outside")
        >>> model = KANClassifier(smoothing=1e-4, random_state=0).fit(x, inside)
        >>> model.predict([[0.0], [0.9]]).tolist()
        ['inside', 'outside']
    """

    _is_quadratic = False

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on inputs (N, I) and labels (N,)."""
        X, y = validate_data(self, X, y, dtype=(np.float64, np.float32))
        check_classification_targets(y)
        self.classes_, indices = np.unique(y, return_inverse=True)
        count = len(self.classes_)
        if count < 2:
            raise ValueError(
                f"`{type(self).__name__}.fit(y=...)` must have labels of two classes or more, got "
                f"one class, {self.classes_[0]!r}. Add samples of another."
            )
        if count == 2:
            return self._fit(X, indices[:, None].astype(X.dtype), sample_weight, "logistic", 1)
        return self._fit(X, indices, sample_weight, "cross_entropy", count)

    def decision_function(self, X: Any) -> Array:
        """Return log-odds of the second class (N,), or of more, unnormalised log-probabilities."""
        outputs = self._outputs(X)
        return outputs.ravel() if len(self.classes_) == 2 else outputs

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, shape (N, C)."""
        outputs = self.decision_function(X)
        if outputs.ndim == 1:
            second: Array = expit(outputs)
            return np.stack([expit(-outputs), second], 1)
        probabilities: Array = softmax(outputs, axis=1)
        return probabilities

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the most probable label of each row."""
        outputs = self.decision_function(X)
        best = (outputs > 0).astype(int) if outputs.ndim == 1 else outputs.argmax(1)
        labels: npt.NDArray[Any] = self.classes_[best]
        return labels
