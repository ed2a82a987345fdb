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
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Primitive
from jax.interpreters import ad, batching, mlir

from kanditioned_spec import Grid
from kanditioned_spec.costs import Sizes

from . import partitioning, selection
from .impls.base import Target

ROLES = ("direction", "control_points", "grad_y")
Operands = dict[str, jax.Array]


@dataclass(frozen=True)
class SplineConfig:
    """What is the same for the layer and all its derivatives.

    Attributes:
        grid: Where the knots are.
        impl: A value of `impl=`.
        precision: As in `impls.base.Target`.
    """

    grid: Grid
    impl: str = "auto"
    precision: str | None = None


class Form(NamedTuple):
    """The static parameter of the primitive.

    Attributes:
        output: The role that is left open.
        roles: Those of the operands behind x.
        config: Grid and implementation.
        divided: See `partitioning.marker`. JAX looks for it in tuples, hence a named one.
    """

    output: str
    roles: tuple[str, ...]
    config: SplineConfig
    divided: ClosedJaxpr | None

    def operands(self, values: Sequence[Any]) -> dict[str, Any]:
        """Return the values by their roles."""
        return dict(zip(self.roles, values, strict=True))


def contraction(output: str, x: jax.Array, operands: Operands, config: SplineConfig) -> jax.Array:
    """Contract the form over all roles but `output`.

    Args:
        output: `"grad_y"` for Σ_i s(x), `"direction"` for the gradient by x, `"control_points"`
            for theirs.
        x: Shape (N, B, I).
        operands: The other roles. Without `"direction"`, F is the layer's, else its derivative
            along it.
        config: The grid and the implementation.
    """
    roles = tuple(role for role in ROLES if role in operands)
    form = Form(output, roles, config, partitioning.marker())
    values = (operands[role] for role in roles)
    result: jax.Array = _contraction_p.bind(x, *values, form=form)  # type: ignore[no-untyped-call]
    return result


def _abstract(x: Any, *values: Any, form: Form) -> Any:
    groups, batch, in_features = x.shape
    outputs = _out_features(form, values)
    rows = {"grad_y": batch, "control_points": in_features * form.config.grid.num_control_points}
    shape = x.shape if form.output == "direction" else (groups, rows[form.output], outputs)
    return x.update(shape=shape, weak_type=False)


def _out_features(form: Form, values: Sequence[Any]) -> Any:
    """Return O, of control points (N, I K, O) or of gy (N, B, O)."""
    return next(v.shape[2] for role, v in form.operands(values).items() if role != "direction")


def _jvp(primals: Any, tangents: Any, *, form: Form) -> tuple[Any, Any]:
    x, *values = primals
    output, roles, config, _ = form
    operands = form.operands(values)
    result = contraction(output, x, operands, config)
    replaced = [
        operands | {role: tangent}
        for role, tangent in zip(roles, tangents[1:], strict=True)
        if type(tangent) is not ad.Zero
    ]
    if type(tangents[0]) is not ad.Zero and "direction" not in (*roles, output):
        replaced.append(operands | {"direction": tangents[0]})
    if not replaced:
        return result, ad.Zero(jax.typeof(result).to_tangent_aval())
    terms = (contraction(output, x, changed, config) for changed in replaced)
    return result, reduce(operator.add, terms)


def _transpose(cotangent: Any, x: Any, *values: Any, form: Form) -> list[Any]:
    wanted = [type(value) is ad.UndefinedPrimal for value in values]
    if type(cotangent) is ad.Zero:
        return [None] * (1 + len(values))
    known = {role: v for role, v, no in zip(form.roles, values, wanted, strict=True) if not no}
    (role,) = (role for role, yes in zip(form.roles, wanted, strict=True) if yes)
    result = contraction(role, x, known | {form.output: cotangent}, form.config)
    return [None, *(result if yes else None for yes in wanted)]


def _batch(arguments: Any, dims: Any, *, form: Form) -> tuple[jax.Array, int]:
    names = ("x", *form.roles)
    mapped = {name for name, dim in zip(names, dims, strict=True) if dim is not None}
    size = next(a.shape[d] for a, d in zip(arguments, dims, strict=True) if d is not None)
    if "control_points" in names and "control_points" not in mapped:
        axis, folded = 1, set(names) - {"control_points"}  # shared splines: more rows of x
    elif mapped <= {"control_points", "grad_y"} and form.output != "direction":
        axis, folded = 2, set(names) & {"control_points", "grad_y"}  # shared x: more outputs
    else:
        axis, folded = 0, set(names)  # nothing is shared: more groups
    values = {
        name: _fold(argument, dim, size, axis) if name in folded else argument
        for name, argument, dim in zip(names, arguments, dims, strict=True)
    }
    result = contraction(form.output, values.pop("x"), values, form.config)
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


def _lower(context: Any, *values: Any, form: Form, on_cpu: bool) -> Any:
    names = ("x", *form.roles, form.output)
    evaluate = partial(_evaluate, form=form, on_cpu=on_cpu)
    count = form.config.grid.num_control_points
    return partitioning.lower(context, evaluate, names, count, *values)


def _evaluate(x: jax.Array, *values: jax.Array, form: Form, on_cpu: bool) -> jax.Array:
    """Evaluate a contraction by the chosen implementation."""
    output, _, config, _ = form
    grid = config.grid
    sizes = Sizes(x.shape[1], x.shape[2], _out_features(form, values), grid.num_control_points)
    impl = selection.implementation(config.impl, on_cpu, sizes)
    target = Target(on_cpu, config.precision)

    def group(x: jax.Array, *values: jax.Array) -> jax.Array:
        operands = form.operands(values)
        direction = operands.get("direction")
        if output == "control_points":
            grad = impl.accumulate(x, direction, operands["grad_y"], grid, target)
            return grad.reshape(-1, grad.shape[2])
        table = operands["control_points"]
        c = table.reshape(x.shape[1], grid.num_control_points, table.shape[1])
        if output == "grad_y":
            return impl.interpolate(x, direction, c, grid, target)
        return impl.contract(x, c, operands["grad_y"], grid, target)

    if any(0 in array.shape for array in (x, *values)):
        result = _abstract(*map(jax.typeof, (x, *values)), form=form)
        return jnp.zeros(result.shape, result.dtype)
    if x.shape[0] == 1:
        return group(x[0], *(value[0] for value in values))[None]
    return jax.vmap(group)(x, *values)


_contraction_p = Primitive("kanditioned_contraction")
_contraction_p.def_impl(  # type: ignore[no-untyped-call]
    jax.jit(_contraction_p.bind, static_argnames="form")
)
_contraction_p.def_abstract_eval(_abstract)  # type: ignore[no-untyped-call]
ad.primitive_jvps[_contraction_p] = _jvp
ad.primitive_transposes[_contraction_p] = _transpose
batching.primitive_batchers[_contraction_p] = _batch
for _platform, _on_cpu in (("cpu", True), (None, False)):
    mlir.register_lowering(_contraction_p, partial(_lower, on_cpu=_on_cpu), platform=_platform)
