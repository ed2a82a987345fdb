"""How a contraction is divided over the devices of a mesh: as a whole, with one sum at its end.

XLA divides a program operation by operation. The loops over features and blocks that an
implementation consists of would be divided too, with a sum over all devices in every turn. Instead,
the axes of the mesh go to groups N, rows B, features I and outputs O as the arrays have them, every
device evaluates its part as if it were alone, and one `psum` adds what is contracted over. Knots
are not divided, since an input may read any two of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from math import prod
from typing import Any

import jax
from jax.experimental.custom_partitioning import custom_partitioning
from jax.extend.core import ClosedJaxpr
from jax.interpreters import mlir
from jax.sharding import NamedSharding, PartitionSpec

FACTORS = {
    "x": ("n", "b", "i"),
    "direction": ("n", "b", "i"),
    "control_points": ("n", "i", "o"),
    "grad_y": ("n", "b", "o"),
}
"""What the axes of an array count; a row of control points is one of K of its feature."""

Evaluate = Callable[..., jax.Array]
Axes = dict[str, tuple[str, ...]]
"""The axes of the mesh that a factor is divided over."""


def lower(
    context: Any, evaluate: Evaluate, names: Sequence[str], num_control_points: int, *values: Any
) -> Any:
    """Lower a contraction, divided where its program is one for several devices.

    Args:
        context: The context that JAX gives a lowering rule.
        evaluate: Maps arrays to the result.
        names: Those of the arrays in `FACTORS`, and at last that of the result.
        num_control_points: Number of control points of each function, K.
        values: The arrays, as values of the program.
    """
    module = context.module_context
    # Within `shard_map` the parts are given, and an exported program cannot call back here.
    devices = getattr(module.axis_context, "device_assignment", None) or ()
    if len(devices) > 1 and not module.lowering_parameters.for_export:
        shapes = [aval.shape for aval in (*context.avals_in, *context.avals_out)]
        sizes = {
            factor: size // num_control_points
            if (name, factor) == ("control_points", "i")
            else size
            for name, shape in zip(names, shapes, strict=True)
            for factor, size in zip(FACTORS[name], shape, strict=True)
        }
        evaluate = _divide(evaluate, names, sizes, num_control_points)
    return mlir.lower_fun(evaluate, multiple_results=False)(context, *values)


def marker() -> ClosedJaxpr | None:
    """Return what makes JAX tell `lower` the devices of a program, if there may be several.

    It keeps them from a program, which is then the same for all devices, unless a primitive in it
    or in the parameters of another is known to need them: as that of `custom_partitioning` is.
    """
    return _needs_devices() if jax.device_count() > 1 else None


@cache
def _needs_devices() -> ClosedJaxpr:
    identity: Any = custom_partitioning(lambda x: x)  # type: ignore[no-untyped-call]
    identity.def_partition(None)
    return jax.make_jaxpr(identity)(0.0)


def _divide(
    evaluate: Evaluate, names: Sequence[str], sizes: dict[str, int], num_control_points: int
) -> Evaluate:
    output = FACTORS[names[-1]]
    contracted = tuple(factor for factor in sizes if factor not in output)

    def partition(mesh: Any, arrays: Any, result: Any) -> Any:
        axes = _agree(mesh, sizes, names, [array.sharding.spec for array in (*arrays, result)])
        summed = [axis for factor in contracted for axis in axes.get(factor, ())]

        def part(*values: jax.Array) -> jax.Array:
            local = evaluate(*values)
            total: jax.Array = jax.lax.psum(local, tuple(summed))  # type: ignore[no-untyped-call]
            return total

        placed = [_sharding(mesh, axes, name) for name in names]
        return mesh, part, placed[-1], tuple(placed[:-1])

    def rule(*_: Any) -> Any:
        rows = {name: " ".join(FACTORS[name]) for name in names}
        rows["control_points"] = "n (i k) o"
        text = ", ".join(rows[name] for name in names[:-1]) + " -> " + rows[names[-1]]
        knots = {"need_replication_factors": ("k",), "k": num_control_points}
        return text, {
            "reduction_factors": contracted,
            **(knots if "control_points" in names else {}),
        }

    def positional(*values: jax.Array) -> jax.Array:  # as `custom_partitioning` wants it
        return evaluate(*values)

    whole: Any = custom_partitioning(positional)  # type: ignore[no-untyped-call]
    whole.def_partition(partition, sharding_rule=rule)
    result: Evaluate = whole
    return result


def _sharding(mesh: Any, axes: Axes, name: str) -> NamedSharding:
    entries = (axes.get(factor) for factor in FACTORS[name])
    return NamedSharding(mesh, PartitionSpec(*entries))  # type: ignore[no-untyped-call]


def _agree(
    mesh: Any, sizes: dict[str, int], names: Sequence[str], specs: Sequence[PartitionSpec]
) -> Axes:
    """Give each factor the axes of the first array that divides it, evenly, and no axis twice."""
    axes: Axes = {}
    free = set(mesh.axis_names)
    for name, spec in zip(names, specs, strict=True):
        for factor, entry in zip(FACTORS[name], spec, strict=False):
            wanted = (entry,) if isinstance(entry, str) else entry or ()
            parts = prod(mesh.shape[axis] for axis in wanted)
            is_free = factor not in axes and free.issuperset(wanted)
            if wanted and is_free and sizes[factor] % parts == 0:
                axes[factor] = tuple(wanted)
                free -= set(wanted)
    return axes
