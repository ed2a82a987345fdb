"""The layer as a primitive of JAX that closes over its own derivatives.

All derivatives are contractions of one form F(v, c, gy) at the positions of x (see `impls.base`):
over all but one of three roles, direction v, control points c and output cotangent gy. `output`
names the role that is left open; without a direction, the layer itself is meant. Then

    forward mode   replace an operand by its tangent; a tangent of x becomes the direction
    transposition  swap roles: the cotangent takes the place of the output, and the operand that
                   is asked for becomes the output

so one primitive serves every order and mode, and each contraction is evaluated by the
implementation that is fastest for it instead of by the transpose of another. Only x is saved,
never a temporary. The second derivative by x is zero.

Operands have a leading axis of N groups: x and v (N, B, I), c (N, I K, O), gy (N, B, O), all of one
dtype. vmap folds its axis into the batch where control points are shared, into the outputs where
inputs are, and into the groups otherwise.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from kanditioned_spec.costs import Sizes

from . import selection
from .impls.base import Target

ROLES = ("direction", "control_points", "grad_y")
Operands = dict[str, jax.Array]


@dataclass(frozen=True)
class Setting:
    """What is the same for the layer and all its derivatives.

    Attributes:
        num_control_points: K.
        spline_width: w, in input units.
        impl: A value of `impl=`.
        precision: As in `impls.base.Target`.
    """

    num_control_points: int
    spline_width: float
    impl: str = "auto"
    precision: str | None = None


def contraction(output: str, x: jax.Array, operands: Operands, setting: Setting) -> jax.Array:
    """Contract the form over all roles but `output`.

    Args:
        output: `"grad_y"` for Σ_i s(x), `"direction"` for the gradient by x, `"control_points"`
            for theirs.
        x: Shape (N, B, I).
        operands: The other roles. Without `"direction"`, F is the layer's, else its derivative
            along it.
        setting: The grid and the implementation.
    """
    roles = tuple(role for role in ROLES if role in operands)
    values = (operands[role] for role in roles)
    result: jax.Array = _contraction_p.bind(  # type: ignore[no-untyped-call]
        x, *values, output=output, roles=roles, setting=setting
    )
    return result


def _abstract(x: Any, *values: Any, output: str, roles: tuple[str, ...], setting: Setting) -> Any:
    groups, batch, in_features = x.shape
    outputs = _out_features(roles, values)
    rows = {"grad_y": batch, "control_points": in_features * setting.num_control_points}
    shape = x.shape if output == "direction" else (groups, rows[output], outputs)
    return x.update(shape=shape, weak_type=False)


def _out_features(roles: tuple[str, ...], values: Sequence[Any]) -> Any:
    """Return O, of control points (N, I K, O) or of gy (N, B, O)."""
    return next(v.shape[2] for role, v in zip(roles, values, strict=True) if role != "direction")


def _jvp(
    primals: Any, tangents: Any, *, output: str, roles: tuple[str, ...], setting: Setting
) -> tuple[Any, Any]:
    x, *values = primals
    operands = dict(zip(roles, values, strict=True))
    result = contraction(output, x, operands, setting)
    replaced = [
        operands | {role: tangent}
        for role, tangent in zip(roles, tangents[1:], strict=True)
        if type(tangent) is not ad.Zero
    ]
    if type(tangents[0]) is not ad.Zero and "direction" not in (*roles, output):
        replaced.append(operands | {"direction": tangents[0]})
    if not replaced:
        return result, ad.Zero(jax.typeof(result).to_tangent_aval())
    terms = (contraction(output, x, changed, setting) for changed in replaced)
    return result, reduce(operator.add, terms)


def _transpose(
    cotangent: Any, x: Any, *values: Any, output: str, roles: tuple[str, ...], setting: Setting
) -> list[Any]:
    wanted = [type(value) is ad.UndefinedPrimal for value in values]
    if type(cotangent) is ad.Zero:
        return [None] * (1 + len(values))
    known = {role: v for role, v, no in zip(roles, values, wanted, strict=True) if not no}
    (role,) = (role for role, yes in zip(roles, wanted, strict=True) if yes)
    result = contraction(role, x, known | {output: cotangent}, setting)
    return [None, *(result if yes else None for yes in wanted)]


def _batch(
    arguments: Any, dims: Any, *, output: str, roles: tuple[str, ...], setting: Setting
) -> tuple[jax.Array, int]:
    names = ("x", *roles)
    mapped = {name for name, dim in zip(names, dims, strict=True) if dim is not None}
    size = next(a.shape[d] for a, d in zip(arguments, dims, strict=True) if d is not None)
    if "control_points" in roles and "control_points" not in mapped:
        axis, folded = 1, set(names) - {"control_points"}
    elif mapped <= {"control_points", "grad_y"} and output != "direction":
        axis, folded = 2, set(names) & {"control_points", "grad_y"}
    else:
        axis, folded = 0, set(names)
    values = {
        name: _fold(argument, dim, size, axis) if name in folded else argument
        for name, argument, dim in zip(names, arguments, dims, strict=True)
    }
    result = contraction(output, values.pop("x"), values, setting)
    shape = result.shape
    split = result.reshape(*shape[:axis], size, shape[axis] // size, *shape[axis + 1 :])
    return split, axis


def _fold(argument: jax.Array, dim: int | None, size: int, axis: int) -> jax.Array:
    """Merge a mapped axis, or copies where there is none, into `axis` as its major part."""
    if dim is None:
        argument = jnp.repeat(jnp.expand_dims(argument, axis), size, axis)
    else:
        argument = jnp.moveaxis(argument, dim, axis)
    shape = argument.shape
    return argument.reshape(*shape[:axis], size * shape[axis + 1], *shape[axis + 2 :])


def _evaluate(
    x: jax.Array,
    *values: jax.Array,
    output: str,
    roles: tuple[str, ...],
    setting: Setting,
    on_cpu: bool,
) -> jax.Array:
    """Evaluate a contraction by the chosen implementation."""
    count, width = setting.num_control_points, setting.spline_width
    sizes = Sizes(x.shape[1], x.shape[2], _out_features(roles, values), count)
    impl = selection.implementation(setting.impl, on_cpu, sizes)
    target = Target(on_cpu, setting.precision)

    def group(x: jax.Array, *values: jax.Array) -> jax.Array:
        operands = dict(zip(roles, values, strict=True))
        direction = operands.get("direction")
        if output == "control_points":
            grad = impl.accumulate(x, direction, operands["grad_y"], count, width, target)
            return grad.reshape(-1, grad.shape[2])
        table = operands["control_points"]
        c = table.reshape(x.shape[1], count, table.shape[1])
        if output == "grad_y":
            return impl.interpolate(x, direction, c, width, target)
        return impl.contract(x, c, operands["grad_y"], width, target)

    if any(0 in array.shape for array in (x, *values)):
        types = map(jax.typeof, (x, *values))
        result = _abstract(*types, output=output, roles=roles, setting=setting)
        return jnp.zeros(result.shape, result.dtype)
    if x.shape[0] == 1:
        return group(x[0], *(value[0] for value in values))[None]
    return jax.vmap(group)(x, *values)


_contraction_p = Primitive("kanditioned_contraction")
_contraction_p.def_impl(  # type: ignore[no-untyped-call]
    jax.jit(_contraction_p.bind, static_argnames=("output", "roles", "setting"))
)
_contraction_p.def_abstract_eval(_abstract)  # type: ignore[no-untyped-call]
ad.primitive_jvps[_contraction_p] = _jvp
ad.primitive_transposes[_contraction_p] = _transpose
batching.primitive_batchers[_contraction_p] = _batch
for _platform, _on_cpu in (("cpu", True), (None, False)):
    mlir.register_lowering(
        _contraction_p,
        mlir.lower_fun(partial(_evaluate, on_cpu=_on_cpu), multiple_results=False),
        platform=_platform,
    )
