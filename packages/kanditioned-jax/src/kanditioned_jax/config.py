"""The static part of a layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from kanditioned_spec import Parameterization, validate
from kanditioned_spec.checkpoint import LayerConfig

from . import parameterizations, selection
from .parameterizations import Options, specification


@dataclass(frozen=True)
class Config:
    """The static part of a layer, hashable: layers with equal ones share compiled code.

    Attributes:
        num_control_points: K.
        spline_width: w, in input units.
        parameterization: Name of the map from parameters to control points.
        options: Its options.
        impl: See `spline_forward`.
        precision: See `spline_forward`.
    """

    num_control_points: int
    spline_width: float
    parameterization: str
    options: Options
    impl: str
    precision: str | None

    @property
    def spec(self) -> Parameterization:
        """The map from parameters to control points."""
        return specification(self.parameterization, self.num_control_points, self.options)

    @classmethod
    def checked(
        cls,
        where: str,
        num_control_points: int,
        spline_width: float,
        parameterization: str,
        impl: str,
        precision: str | None,
        options: dict[str, Any],
    ) -> Self:
        """Build one from arguments of `where`, which errors name."""
        count = validate.num_control_points(where, num_control_points)
        width = validate.spline_width(where, spline_width)
        spec = parameterizations.checked(where, parameterization, count, width, options)
        return cls(
            count,
            width,
            spec.name,
            tuple(spec.options.items()),
            selection.check(where, impl),
            selection.check_precision(where, precision),
        )

    @classmethod
    def described(cls, layer: LayerConfig, impl: str, precision: str | None = None) -> Self:
        """Build one from what a checkpoint or a problem says of a layer."""
        return cls(
            layer.num_control_points,
            layer.spline_width,
            layer.parameterization,
            tuple(dict(layer.options).items()),
            selection.check("Config", impl),
            selection.check_precision("Config", precision),
        )
