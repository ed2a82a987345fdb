"""Kolmogorov-Arnold networks as scikit-learn estimators.

`regressor` and `classifier` are the estimators, `base` what they share: `reading` takes tables,
`additive` fits their terms, `networks` hidden layers, and `inspection` shows what was learned.
"""

from __future__ import annotations

from kanditioned_spec import validate

validate.import_optional("kanditioned.estimators", "sklearn", "kanditioned[sklearn]")

from .classifier import KANClassifier  # noqa: E402
from .regressor import KANRegressor  # noqa: E402

__all__ = ["KANClassifier", "KANRegressor"]
