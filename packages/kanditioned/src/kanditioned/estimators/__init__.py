"""Kolmogorov-Arnold networks as scikit-learn estimators.

`regressor` and `classifier` are the estimators, `base` what they share, `training` the training
loop, and `torch_model` and `jax_model` the network, its loss and its optimizer in each framework.
"""

from __future__ import annotations

from kanditioned_spec import validate

validate.installed("kanditioned.estimators", "sklearn", "kanditioned[sklearn]")

from .classifier import KANClassifier  # noqa: E402
from .regressor import KANRegressor  # noqa: E402

__all__ = ["KANClassifier", "KANRegressor"]
