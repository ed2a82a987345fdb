"""jaxkan's `BaseLayer` of order 1, without residual and weights."""

from __future__ import annotations

import jax
from jaxkan.layers.Spline import BaseLayer

from kanditioned_conformance.adapters.jax import JaxAdapter
from kanditioned_spec import Problem


def evaluate(p: Problem, x: jax.Array, c: jax.Array) -> jax.Array:
    """Return the sum over the inputs of its basis times the control points."""
    layer = BaseLayer(
        p.in_features, p.out_features, k=1, G=p.num_control_points - 1,
        grid_range=(-p.spline_width / 2, p.spline_width / 2), grid_e=1.0, residual=None,
        external_weights=False, add_bias=False,
    )  # fmt: skip
    layer.c_basis[...] = c.transpose(2, 0, 1).reshape(-1, p.num_control_points)
    return layer(x.reshape(-1, p.in_features)).reshape(*x.shape[:-1], p.out_features)


jaxkan = JaxAdapter(
    evaluate, "jaxkan", "jaxkan", extrapolation=None, stored_knots=True, spreads_non_finite=True
)
