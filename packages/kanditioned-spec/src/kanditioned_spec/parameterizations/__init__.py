"""How trainable parameters become control points: c = T θ along the knot axis.

- `bspline`: the control points themselves
- `prefix_sum`: first value, first slope, second differences
- `parallel_scan`: two-sided ReLU ramps, for checkpoints of the 1.x package
- `dct`: cosine coefficients with the rank-2 correction
- `legendre`: orthonormal polynomials on the knots
- `demmler_reinsch`: modes that diagonalise data term and penalty together
"""

from __future__ import annotations

import inspect
from typing import Any

from .. import validate
from .base import Parameterization
from .bspline import BSpline
from .dct import DCT
from .demmler_reinsch import DemmlerReinsch
from .legendre import Legendre
from .parallel_scan import ParallelScan
from .prefix_sum import PrefixSum

PARAMETERIZATIONS: dict[str, type[Parameterization]] = {
    kind.name: kind for kind in (BSpline, PrefixSum, ParallelScan, DCT, Legendre, DemmlerReinsch)
}

__all__ = [
    "DCT",
    "PARAMETERIZATIONS",
    "BSpline",
    "DemmlerReinsch",
    "Legendre",
    "ParallelScan",
    "Parameterization",
    "PrefixSum",
    "curvature_coordinates",
    "option_names",
    "parameterization",
]


def option_names(name: str) -> tuple[str, ...]:
    """Return the options that `parameterization(name, ...)` takes."""
    parameters = inspect.signature(PARAMETERIZATIONS[name].__init__).parameters.values()
    return tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)


def curvature_coordinates(where: str, argument: str, spec: Parameterization) -> slice:
    """Return the coordinates that hold nothing but curvature.

    Raises:
        ValueError: The parameterization does not separate them; the message lists those that do.
    """
    if spec.curvature_coordinates is not None:
        return spec.curvature_coordinates
    separating = [
        f'"{name}"'
        for name, kind in PARAMETERIZATIONS.items()
        if kind.curvature_coordinates is not None
    ]
    raise ValueError(
        validate.message(
            where,
            argument,
            f"of layers whose parameterization is one of {', '.join(separating)}",
            repr(spec.name),
            "Build or `reparameterize` the layers so, or add `model.penalty()` to the loss.",
        )
    )


def parameterization(name: str, num_control_points: int, **options: Any) -> Parameterization:
    """Build a parameterization by name.

    Args:
        name: One of `PARAMETERIZATIONS`.
        num_control_points: Number of control points of each function, K >= 2.
        **options: `transform=` for `dct`, `degree=` for `legendre`, `smoothing=`, `density=` and
            `spline_width=` for `demmler_reinsch`.

    Raises:
        ValueError: Unknown name, or a value out of range.
        TypeError: Unknown option, or a value of the wrong type.

    Example:
        >>> p = parameterization("prefix_sum", 4)
        >>> (p.matrix() / p.scale).astype(int).tolist()
        [[1, 0, 0, 0], [1, 1, 0, 0], [1, 2, 1, 0], [1, 3, 2, 1]]
    """
    where = "parameterization"
    validate.choice(where, "name", name, PARAMETERIZATIONS)
    count = validate.num_control_points(where, num_control_points)
    valid = option_names(name)
    for option in options:
        if option not in valid:
            known = f"one of {', '.join(valid)}" if valid else "absent: it has no options"
            raise TypeError(
                f'`{where}("{name}", ...)` option must be {known}, got {option}=. Remove it.'
            )
    return PARAMETERIZATIONS[name](count, **options)
