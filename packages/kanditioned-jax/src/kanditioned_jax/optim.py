"""Smoothing by weight decay: an optax transformation that decays the curvature of every spline.

Where a parameterization splits θ into affine and curvature coordinates, the penalty is a weighted
sum of squares, R(θ) = Σ_p g_p² θ_p², with g_p = 0 for the affine ones. Its gradient λ ∇R is then a
decay of each coordinate by its own rate, λ 2 g_p² θ_p. As `optax.add_decayed_weights` does for
AdamW, it is added behind the moments of the optimizer and before the learning rate.

optax is imported when the transformation is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike, DTypeLike

from kanditioned_spec import penalty, validate
from kanditioned_spec.parameterizations import curvature_coordinates

from .config import Config
from .grid import compute_dtype
from .layer import KANLayer
from .parameterizations import curvature

if TYPE_CHECKING:
    import optax


def add_curvature_decay(
    smoothness: ArrayLike, *, scaling: str = "continuous"
) -> optax.GradientTransformation:
    """Add smoothness · ∇R to the updates of every `KANLayer` in the parameters, R its penalty.

    Affine functions are not shrunk, and all other parameters are left alone. Put it where
    `optax.add_decayed_weights` stands in `optax.adamw`. With the learning rate alone behind it,
    the step is the same as with `smoothness * model.penalty(scaling)` in the loss. Behind Adam it
    is to that penalty what AdamW is to an L2 penalty: not divided by the gradients' second
    moments, and so scaled by the learning rate alone.

    Args:
        smoothness: λ >= 0. To let it follow a schedule, wrap this function by
            `optax.inject_hyperparams`.
        scaling: As in `KANLayer.penalty`. `"continuous"` approximates ∫ s''² for functions that
            are smooth at the scale of the grid, so the best fit under a λ is nearly the same on a
            finer grid, and so are the rates.

    Returns:
        A transformation without state, which needs the parameters: `update(gradients, state,
        model)`. The parameters may be any pytree that holds layers.

    Raises:
        ValueError: `smoothness` is negative, or, from `init`, a layer's parameterization has no
            curvature coordinates.
        ImportError: optax is not installed.

    Numerics:
        Products are in float32 or wider, and rounded to the dtype of the updates. The decay is a
        step like any other: it overshoots where learning rate · λ · 2 g² > 1.

    Example:
        >>> import jax.numpy as jnp, optax
        >>> from kanditioned_jax import KAN
        >>> model = KAN([4, 8, 1], parameterization="dct", key=0)
        >>> optimizer = optax.chain(
        ...     optax.scale_by_adam(), add_curvature_decay(1e-2), optax.scale_by_learning_rate(1e-3)
        ... )
        >>> state = optimizer.init(model)
    """
    validate.import_optional("add_curvature_decay()", "optax", "kanditioned[jax]")
    import optax

    where = "add_curvature_decay"
    validate.choice(where, "scaling", scaling, penalty.SCALINGS)
    if not isinstance(smoothness, jax.Array):  # of which a traced one has no value to check
        remedy = "It is the weight of the smoothness penalty; 0 turns smoothing off."
        constraint = "a finite number >= 0"
        validate.finite_real(where, "smoothness", smoothness, constraint, remedy, zero=True)
        if smoothness == 0:
            return optax.identity()

    def init(params: Any) -> optax.EmptyState:
        for node in jax.tree.leaves(params, is_leaf=_is_layer):
            if _is_layer(node):
                curvature_rates(node.config, jnp.float32, scaling)
        return optax.EmptyState()

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        if params is None:
            remedy = "Call `update(gradients, state, model)`."
            raise ValueError(validate.message(where, "params", "the parameters", None, remedy))

        def decay(update: Any, param: Any) -> Any:
            if not _is_layer(param):
                return update

            def step(u: jax.Array, theta: jax.Array) -> jax.Array:
                wide = theta.astype(compute_dtype(theta.dtype))
                rates = curvature_rates(param.config, wide.dtype, scaling)[None]
                return u + (jnp.asarray(smoothness, wide.dtype) * rates * wide).astype(u.dtype)

            return jax.tree.map(step, update, param)  # of nothing, where `optax.masked` hides it

        return jax.tree.map(decay, updates, params, is_leaf=_is_layer), state

    return optax.GradientTransformation(init, update)


def curvature_rates(config: Config, dtype: DTypeLike, scaling: str = "continuous") -> jax.Array:
    """Return 2 g² of every parameter of an edge, shape (P, 1), zero for the affine ones.

    Raises:
        ValueError: The parameterization has no curvature coordinates.
    """
    spec = config.spec
    factor = penalty.scaling_factor(scaling, config.grid)
    coordinates = curvature_coordinates("add_curvature_decay", "params", spec)
    gains = curvature(spec, jnp.ones((1, spec.num_parameters, 1), dtype))
    rates = jnp.zeros((spec.num_parameters, 1), dtype)
    return rates.at[coordinates].set(2 * factor * gains[0] ** 2)


def _is_layer(node: object) -> bool:
    return isinstance(node, KANLayer)
