"""The layer with its parameters."""

from __future__ import annotations

from typing import Any

from tinygrad import Tensor, dtypes

from kanditioned_spec import PARAMETERIZATIONS, Grid, initializers, validate
from kanditioned_spec import parameterization as build

from .functional import along_knots, spline_forward


class KANLayer:
    """A Kolmogorov-Arnold layer: y[..., o] = Σ_i s_io(x[..., i]), each s_io a linear spline.

    The arguments are those of every backend, with a seed for `init="random_normal"`.

    Attributes:
        theta: The parameters, shape (I, P, O).
        map: The parameterization.

    Raises:
        ValueError: A value is out of range or a name unknown.
        TypeError: A value has the wrong type, or an option is unknown.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        init: str = "random_normal",
        num_control_points: int = 32,
        spline_width: float = 4.0,
        parameterization: str = "bspline",
        *,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        where = type(self).__name__
        inputs = validate.feature_count(where, "in_features", in_features)
        outputs = validate.feature_count(where, "out_features", out_features)
        grid = Grid.from_arguments(where, num_control_points, spline_width)
        self.spline_width = grid.spline_width
        validate.choice(where, "init", init, initializers.INITIALIZERS)
        validate.choice(where, "parameterization", parameterization, PARAMETERIZATIONS)
        if init == "identity":
            validate.square(where, inputs, outputs)
        self.map = build(parameterization, grid.num_control_points, **options)
        c = initializers.control_points(init, inputs, outputs, grid, seed)
        self.theta = Tensor(self.map.parameters_from(c), dtype=dtypes.float32)

    def control_points(self) -> Tensor:
        """Return T θ, shape (I, K, O)."""
        return along_knots(Tensor(self.map.matrix()), self.theta)

    def __call__(self, x: Tensor) -> Tensor:
        """Evaluate the layer at x (..., I), giving (..., O)."""
        return spline_forward(x, self.control_points(), self.spline_width)
