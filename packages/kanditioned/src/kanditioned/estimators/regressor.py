"""The regressor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.utils.metaestimators import available_if

from kanditioned_spec import validate

from . import arguments, reading, weights
from .arrays import Array, Matrix
from .base import KANEstimator
from .families import Family, Gamma, Poisson, Squared

FAMILIES: dict[str, type[Family]] = {
    "squared_error": Squared,
    "poisson": Poisson,
    "gamma": Gamma,
}
SMALLEST_TARGET, LARGEST_TARGET = 1e-140, 1e140
"""Of the largest target: the sums of their squares are float64."""


class KANRegressor(MultiOutputMixin, RegressorMixin, KANEstimator):  # type: ignore[misc]
    """Regression with an additive model of learned curves, or with a network on top of it.

    Without hidden layers the prediction is a sum of one curve per column, a linear spline whose
    smoothness is learned: the objective is solved, and the weight of each curve's curvature
    penalty maximises the restricted likelihood (`estimators.reml`). Knots follow the data, straight
    lines are free of the penalty, and a second learned weight shrinks columns that do not matter.
    Columns may hold labels and missing values. Beyond its data a curve goes on with a limited slope
    and is constant after three times their range (`estimators.ends`).

    Args:
        hidden_layer_sizes: Number of features between the layers; none for an additive model. With
            hidden layers a network learns what the additive model leaves over.
        loss: `"squared_error"`, `"poisson"` for counts or `"gamma"` for positive amounts, both with
            the logarithm as link. Another than the first needs an additive model of one target.
        num_control_points: K, knots of a curve. `"auto"` is 24, or 32 above 10⁴ samples, up to 64
            in tables of less than 10 columns, and fewer in those of more than 100; one at every
            value of a column whose values repeat and act one by one (`estimators.values`); 17 for
            the edges of a network.
        smoothing: λ, in the objective mean loss + λ Σ ‖D c‖², the same for all curves, or `"auto"`,
            which learns one for each. Large values make every curve a straight line.
        categorical_features: Columns of labels, by names, by numbers or as a mask; `"from_dtype"`
            takes the columns of DataFrames that hold no numbers; None takes none.
        interactions: Pairs of columns that act together: `"auto"` looks for up to 16 and keeps them
            if they pay on held-out rows, 0 has none, and a list of pairs (names or numbers) has
            those. A pair that uses much of its basis gets finer knots. With hidden layers there are
            no pairs by default.
        monotone: 1 for columns whose curve must not fall, -1 for those whose curve must not rise: a
            dict by names or numbers of columns, or one number for each. It holds everywhere,
            exactly; the columns are in no pair, and the bands are those of the free fit.
        convex: The same for curves that must be convex (1) or concave (-1); both go together.
        n_bags: Number of folds that decide about pairs. If they pay, the model is the average of
            the folds' fits (above 20,000 samples one fit of all).
        solver: `"auto"`; `"reml"`, the method above; or, for hidden layers, `"adam"` (the default)
            in batches, with a step size that falls to zero along a cosine, and in equal parts on
            4, 8 and so on intervals up to all, or `"lbfgs"` on all samples at once.
        learning_rate_init: Step size of Adam at the start.
        batch_size: Samples per step of Adam. `"auto"` takes all of up to 512, else 256.
        max_iter: Most passes over the samples for hidden layers.
        early_stopping: With hidden layers, set samples aside, end when their loss no longer falls,
            on each number of intervals, and keep the parameters of its minimum.
        validation_fraction: Share of samples to set aside.
        n_iter_no_change: Passes without improvement before stopping.
        tol: What counts as improvement.
        random_state: Seed or generator, for folds and hidden layers; None is 0.
        verbose: Show a progress bar, for hidden layers and for a table that is read in parts.
        backend: `"torch"` or `"jax"`; by default the first that is installed.
        device: Where to train hidden layers, in the backend's words.

    Attributes:
        model_: The fitted additive model: intercept, terms and surfaces.
        intercept_: Its intercept, (O,).
        edf_: Effective degrees of freedom of each column's curve.
        smoothing_: λ of each curve.
        term_names_: Names of the terms.
        n_iter_: Number of steps of the search, or of passes.
        loss_curve_: With hidden layers, the objective of each pass.
        validation_losses_: Loss of the samples set aside.

    Numerics:
        Sums are float64. A float32 array of inputs gives float32 predictions. Without hidden layers
        a whole-number weight is the same as repeating the sample, to rounding.

    Example:
        >>> import numpy as np
        >>> x = np.linspace(-1, 1, 200)[:, None]
        >>> model = KANRegressor().fit(x, np.sin(3 * x[:, 0]))
        >>> bool(model.score(x, np.sin(3 * x[:, 0])) > 0.999)
        True
    """

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] | int = (),
        *,
        loss: str = "squared_error",
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
        """Train on inputs (N, I) and targets (N,) or (N, O).

        Args:
            X: An array, or a DataFrame of pandas or polars. NaN and None are missing values. An
                array of more than 2²⁴ numbers is read in parts and where it is, so it may be a
                `numpy.memmap` that does not fit in memory; its knots follow a sketch of the data.
            y: Targets.
            sample_weight: Weights (N,) >= 0. Whole numbers without a common divisor count
                repetitions; others are scaled to a mean of one.
        """
        where = type(self).__name__
        validate.choice(where, "loss", self.loss, FAMILIES)
        given, y = reading.training(self, X, y, multi_output=True, y_numeric=True)
        weight = self._weights(sample_weight, len(y))
        self._is_vector = y.ndim == 1
        targets = y.reshape(len(y), -1).astype(np.float64, copy=False)
        self._check_loss(targets)
        used = weights.rows_in_use(weight)
        weight = weights.count_samples(weight[used])
        return self._fit(given.take(used), targets[used], weight, FAMILIES[self.loss]())

    @available_if(arguments.takes_batches)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Add a batch of rows to those of earlier calls, and train on all of them.

        The first batch decides about knots, labels and the width of histograms, so it should hold
        the values to come: beyond its range curves are straight. After that nothing is forgotten or
        approximated: the model is that of `fit` on all rows with the knots of the first batch. It
        is solved when something is asked of it. Memory does not grow with the rows. The first call
        after `fit` begins anew.

        Pairs of columns, hidden layers and other losses need all rows at once: `interactions` must
        be 0 or `"auto"`, which is the same here.

        Args:
            X: Inputs of the batch, as for `fit`.
            y: Its targets.
            sample_weight: Its weights, as for `fit`; all batches count for their scale.
        """
        where = f"{type(self).__name__}.partial_fit"
        arguments.check_batches(self)
        first = self._sums is None
        given, y = reading.training(self, X, y, first, multi_output=True, y_numeric=True)
        weight = self._weights(sample_weight, len(y))
        targets = y.reshape(len(y), -1).astype(np.float64, copy=False)
        self._check_size(where, targets)
        used = weights.rows_in_use(weight)
        given, targets, weight = given.take(used), targets[used], weight[used]
        if self._sums is None:
            self._is_vector = y.ndim == 1
            self._begin(given, weight, targets.shape[1])
        elif self._is_vector != (y.ndim == 1) or targets.shape[1] != self._sums.outputs:
            constraint = f"of {self._sums.outputs} targets, as in the first batch"
            remedy = "Begin anew with a new estimator."
            raise ValueError(validate.message(where, "y", constraint, f"shape {y.shape}", remedy))
        self._add(given, targets, weight)
        return self

    def _check_loss(self, targets: Matrix) -> None:
        where, loss = type(self).__name__, self.loss
        if loss == "squared_error":
            self._check_size(f"{where}.fit", targets)
            return
        if targets.shape[1] > 1 or (
            np.ndim(self.hidden_layer_sizes) and len(self.hidden_layer_sizes)
        ):
            constraint, remedy = (
                '"squared_error" here',
                "Others are for an additive model of one target.",
            )
            raise ValueError(validate.message(where, "loss", constraint, repr(loss), remedy))
        is_wrong = targets <= 0 if loss == "gamma" else targets < 0
        if is_wrong.any() or not targets.any():
            constraint = "> 0" if loss == "gamma" else ">= 0, at least one above 0"
            got, remedy = f"{targets.min():g}", f'Or use another loss than "{loss}".'
            raise ValueError(validate.message(f"{where}.fit", "y", constraint, got, remedy))

    @staticmethod
    def _check_size(where: str, targets: Matrix) -> None:
        largest = np.abs(targets).max()
        if largest and not SMALLEST_TARGET < largest < LARGEST_TARGET:
            constraint = f"between {SMALLEST_TARGET:g} and {LARGEST_TARGET:g} in size, or all zero"
            got, remedy = f"at most {largest:g}", "Take another unit: squares must be numbers."
            raise ValueError(validate.message(where, "y", constraint, got, remedy))

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Return the predicted targets, shaped as those of `fit`.

        Args:
            X: Inputs (N, I).
            return_std: Also return the standard deviation of each prediction, which says how well
                the curve is known there. It is not that of a new observation.

        Raises:
            ValueError: `return_std` with hidden layers.
        """
        given = self._read(X)
        mean = self._shape(self._family.mean(self._outputs(given)))
        if not return_std:
            return mean
        deviation = self._deviation(given)
        if not isinstance(self._family, Squared):
            deviation = deviation * mean.reshape(deviation.shape)
        return mean, self._shape(deviation.astype(given.dtype))

    def _shape(self, outputs: Array) -> Array:
        return outputs[:, 0] if self._is_vector else outputs
