"""Kolmogorov-Arnold networks as scikit-learn estimators.

`regressor` and `classifier` are the estimators, `base` what they share, `training` the training
loop, and `torch_model` and `jax_model` the network, its loss and its optimizer in each framework.
"""

from __future__ import annotations

from .classifier import KANClassifier
from .regressor import KANRegressor

__all__ = ["KANClassifier", "KANRegressor"]
