"""The regressor."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import _check_sample_weight, validate_data

from .base import KANEstimator
from .training import Array


class KANRegressor(MultiOutputMixin, RegressorMixin, KANEstimator):  # type: ignore[misc]
    """Least squares with a Kolmogorov-Arnold network.

    Without hidden layers it is an additive model: a learned function per input, smoothed by a
    penalty on curvature. Inputs and targets are standardised first. The objective is the mean
    squared error of the standardised targets + smoothing · Σ ∫ s''² over all edges.

    Args:
        hidden_layer_sizes: Number of features between the layers; none for an additive model.
        num_control_points: K, per edge.
        spline_width: Width of the domain of each function, in standard deviations of its input.
        parameterization: One of `kanditioned_spec.PARAMETERIZATIONS`. `"auto"` is
            `"bspline"` for Adam and `"demmler_reinsch"` for the others, whose Hessian it brings
            near the identity.
        smoothing: λ >= 0. Large values make every function a straight line.
        solver: On all samples at once `"cg"`, conjugate gradients for the linear equations of a
            regressor without hidden layers, or `"lbfgs"`; or `"adam"` in batches, with a step size
            that falls to zero along a cosine, and in equal parts on 3 to 5 intervals, twice as many
            and so on up to all (`kanditioned_spec.refinement.coarse_to_fine`). `"auto"` is
            conjugate gradients where they can be used, but for early stopping, and Adam elsewhere.
        learning_rate_init: Step size of Adam at the start.
        batch_size: Samples per step of Adam. `"auto"` takes all of up to 512, else 256.
        max_iter: Most passes over the samples.
        early_stopping: Set samples aside, end when their loss no longer falls, on each number of
            intervals, and keep the parameters of its minimum.
        validation_fraction: Share of samples to set aside.
        n_iter_no_change: Passes without improvement before stopping.
        tol: What counts as improvement.
        random_state: Seed, generator or None, for initial functions and the order of samples.
        verbose: Show a progress bar.
        backend: `"torch"` or `"jax"`; by default the first that is installed.
        device: Where to train, in the backend's words; by default the CPU for PyTorch.

    Attributes:
        network_: The trained network of standardised inputs.
        num_parameters_: Number of trained parameters.
        loss_curve_: Objective of each pass.
        validation_losses_: Loss of the samples set aside, with early stopping.
        n_iter_: Number of passes.

    Numerics:
        float32 inputs are fitted in float32, all others in float64. With one batch for all samples
        and no early stopping, an integer weight is the same as repeating the sample, to rounding.

    Example:
        >>> import numpy as np
        >>> x = np.linspace(-1, 1, 200)[:, None]
        >>> model = KANRegressor(smoothing=1e-4, random_state=0).fit(x, np.sin(3 * x[:, 0]))
        >>> bool(model.score(x, np.sin(3 * x[:, 0])) > 0.99)
        True
    """

    _is_quadratic = True

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on inputs (N, I) and targets (N,) or (N, O)."""
        X, y = validate_data(
            self, X, y, dtype=(np.float64, np.float32), multi_output=True, y_numeric=True
        )
        self._is_vector = y.ndim == 1
        targets = y.reshape(len(y), -1).astype(X.dtype)
        weight = _check_sample_weight(sample_weight, X, dtype=X.dtype)
        self._target_scaler = StandardScaler().fit(targets, sample_weight=weight)
        scaled = self._target_scaler.transform(targets)
        return self._fit(X, scaled, weight, "squared", targets.shape[1])

    def predict(self, X: Any) -> Array:
        """Return the predicted targets, shaped as those of `fit`."""
        scaled = self._outputs(X)
        outputs: Array = self._target_scaler.inverse_transform(scaled)
        return outputs.ravel() if self._is_vector else outputs

    def _output_scale(self) -> Any:
        return self._target_scaler.scale_
