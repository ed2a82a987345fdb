"""The layers as Flax NNX modules: state that `nnx` tracks, around the pure layers of this package.

Needs flax: `pip install "kanditioned-jax[nnx]"`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Self

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike, DTypeLike

import kanditioned_spec as spec
from kanditioned_spec import validate
from kanditioned_spec.network import EPSILON, NORMS, layer_shapes
from kanditioned_spec.shapes import Signs

from . import layer, network
from .arguments import flag, floating_dtype
from .grid import compute_dtype
from .input_map import InputMap, make_input_map

validate.import_optional("kanditioned_jax.nnx", "flax", "kanditioned-jax[nnx]")

from flax import nnx  # noqa: E402


class KANLayer(nnx.Module):
    """`kanditioned_jax.KANLayer` as a module; its arguments are those, with `rngs` for `key`.

    Attributes:
        theta: The parameters, an `nnx.Param` of shape (I, P, O).
        config: Everything else.

    Example:
        >>> from flax import nnx
        >>> import jax.numpy as jnp
        >>> KANLayer(3, 2, num_control_points=8, rngs=nnx.Rngs(0))(jnp.ones((5, 3))).shape
        (5, 2)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        init: str = "random_normal",
        num_control_points: int = 32,
        spline_width: float = 4.0,
        parameterization: str = "bspline",
        impl: str = "auto",
        *,
        rngs: nnx.Rngs,
        **options: Any,
    ) -> None:
        made = layer.KANLayer(
            in_features,
            out_features,
            init,
            num_control_points,
            spline_width,
            parameterization,
            impl,
            key=rngs.params(),
            **options,
        )
        self.theta = nnx.Param(made.theta)
        self.config = made.config

    @classmethod
    def of(cls, pure: layer.KANLayer) -> Self:
        """Make a module of a pure layer, such as one that was refined or loaded."""
        module = cls(pure.in_features, pure.out_features, "zero", rngs=nnx.Rngs(0))
        module.theta, module.config = nnx.Param(pure.theta), pure.config
        return module

    def pure(self) -> layer.KANLayer:
        """Return the layer as a pytree, which has `refine`, `reparameterize`, `save` and more."""
        return layer.KANLayer.of(self.theta[...], self.config)

    def __call__(self, x: ArrayLike) -> jax.Array:
        """Evaluate the layer at `x` of shape (..., I), giving (..., O)."""
        return self.pure()(x)

    def control_points(self) -> jax.Array:
        """Return the control points T θ, shape (I, K, O)."""
        return self.pure().control_points()

    def penalty(self, scaling: str = "knots") -> jax.Array:
        """Return the smoothness penalty, see `kanditioned_jax.KANLayer.penalty`."""
        return self.pure().penalty(scaling)

    def infeasibility(self) -> jax.Array:
        """Return what to add to the loss, see `kanditioned_jax.KANLayer.infeasibility`."""
        return self.pure().infeasibility()


class KAN(nnx.Module):
    """A Kolmogorov-Arnold network: normalisation, then a `KANLayer`, for each pair of widths.

    Args:
        widths: Number of features before, between and after the layers, at least two numbers.
        norm: What stands before each layer, without scale or shift: `"layer"` (needs three
            features or more), `"batch"` or `"none"`.
        residual: Add a bias-free linear map of the normalised input to each layer.
        dropout: Probability of dropping each hidden feature in training, in [0, 1).
        input_map: What the inputs go through first, see `kanditioned_jax.KAN`.
        monotone: Signs of inputs, see there.
        convex: The same.
        dtype: Dtype of the parameters.
        rngs: Source of initial values and of dropout.
        **layer_options: Passed to every `KANLayer`.

    Raises:
        ValueError: `widths` is too short, `norm` is unknown or does not suit a width, `dropout` is
            out of range, or the network could not keep the shape that is asked for.
    """

    def __init__(
        self,
        widths: Sequence[int],
        *,
        norm: str = "layer",
        residual: bool = False,
        dropout: float = 0.0,
        input_map: InputMap | spec.InputMap | None = None,
        monotone: Signs = None,
        convex: Signs = None,
        dtype: DTypeLike = jnp.float32,
        rngs: nnx.Rngs,
        **layer_options: Any,
    ) -> None:
        widths = validate.widths("KAN", widths)
        validate.norm("KAN", norm, widths, NORMS)
        dtype = floating_dtype("KAN", dtype)
        residual = flag("KAN", "residual", residual)
        pairs = list(pairwise(widths))
        self.norms = nnx.List([_norm(norm, i, dtype, rngs) for i, _ in pairs])
        self.input_map = make_input_map("KAN", input_map, widths[0], dtype)
        numbers = None if self.input_map is None else self.input_map.numbers
        signs = (monotone, convex)
        shapes = layer_shapes(
            "KAN", widths, *signs, norm=norm, residual=residual, input_map=numbers
        )
        self.layers = nnx.List(
            KANLayer(i, o, rngs=rngs, dtype=dtype, **each._asdict(), **layer_options)
            for (i, o), each in zip(pairs, shapes, strict=True)
        )
        self.residuals = nnx.List(
            nnx.Linear(i, o, use_bias=False, param_dtype=dtype, rngs=rngs)
            for i, o in pairs
            if residual
        )
        self.dropout = nnx.Dropout(validate.dropout("KAN", dropout), rngs=rngs)

    def __call__(self, x: ArrayLike) -> jax.Array:
        """Evaluate the network at `x` of shape (..., widths[0])."""
        y = jnp.asarray(x if self.input_map is None else self.input_map(x))
        for index, (norm, module) in enumerate(zip(self.norms, self.layers, strict=True)):
            normalised = norm(y if index == 0 else self.dropout(y))
            y = module(normalised)
            if self.residuals:
                y = y + self.residuals[index](normalised)
        return y

    def penalty(self, scaling: str = "knots") -> jax.Array:
        """Return the sum of the layers' smoothness penalties."""
        return jnp.stack([module.penalty(scaling) for module in self.layers]).sum()

    def infeasibility(self) -> jax.Array:
        """Return the sum of `kanditioned_jax.KANLayer.infeasibility` over the layers."""
        return jnp.stack([module.infeasibility() for module in self.layers]).sum()


class _LayerNorm(nnx.Module):
    def __call__(self, x: jax.Array) -> jax.Array:
        return network.layer_norm(x)


class _Identity(nnx.Module):
    def __call__(self, x: jax.Array) -> jax.Array:
        return x


class _BatchNorm(nnx.BatchNorm):
    """Batch normalisation in float32 or wider, of the input's dtype."""

    def __call__(self, x: jax.Array, *arguments: Any, **options: Any) -> jax.Array:
        wide: jax.Array = super().__call__(x, *arguments, **options)
        return wide.astype(x.dtype)


def _norm(norm: str, features: int, dtype: DTypeLike, rngs: nnx.Rngs) -> nnx.Module:
    if norm == "layer":
        return _LayerNorm()
    if norm == "none":
        return _Identity()
    return _BatchNorm(
        features,
        momentum=0.9,
        epsilon=EPSILON,
        use_bias=False,
        use_scale=False,
        dtype=compute_dtype(dtype),
        rngs=rngs,
    )
