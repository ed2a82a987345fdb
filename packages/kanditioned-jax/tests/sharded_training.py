"""Compare sharded training steps with those of one device; run by `test_sharding`."""

from __future__ import annotations

import re
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from kanditioned_jax import KAN, KANLayer, spline_forward

CASES = {
    "batch": (P(("data", "model")), P()),
    "outputs": (P(), P(None, None, ("data", "model"))),
    "both": (P("data"), P(None, None, "model")),
}
X = jnp.asarray(np.random.default_rng(0).uniform(-3, 3, (32, 6)), jnp.float32)
COLLECTIVES = r" (all-gather|all-reduce|all-to-all|reduce-scatter|collective-permute)\(?[-(]"


def mesh_with(kind):
    return jax.make_mesh((4, 2), ("data", "model"), axis_types=(kind,) * 2)


def objective(layer, x):
    return (layer(x) ** 2).mean() + 1e-3 * layer.penalty()


def step(layer, x):
    value, (gradient, gx) = jax.value_and_grad(objective, (0, 1))(layer, x)
    return value, jax.tree.map(lambda p, g: p - 0.1 * g, layer, gradient), gx


def assert_equal(got, want):
    for one, other in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(one, other, rtol=3e-5, atol=1e-6)


@cache
def layer_and_step(impl):
    """Return a layer and what one device makes of it in a step."""
    layer = KANLayer(6, 16, parameterization="prefix_sum", impl=impl, key=0)
    return layer, jax.jit(step)(layer, X)


def named_sharding(impl, x_spec, c_spec):
    layer, want = layer_and_step(impl)
    mesh = mesh_with(AxisType.Auto)
    x_at, c_at = NamedSharding(mesh, x_spec), NamedSharding(mesh, c_spec)
    sharded = jax.tree.map(lambda leaf: jax.device_put(leaf, c_at), layer)
    compiled = (
        jax.jit(step, out_shardings=(None, c_at, x_at))
        .lower(sharded, jax.device_put(X, x_at))
        .compile()
    )
    got = compiled(sharded, jax.device_put(X, x_at))
    assert_equal(got, want)
    found = set(re.findall(COLLECTIVES, compiled.as_text()))
    return f"devices={len(got[1].theta.devices())} {' '.join(sorted(found))}"


def training_step(impl, rows):
    """Return what the devices tell each other in a step on a batch that is divided over all."""
    model = KAN([8, 16, 1], impl=impl, residual=True, key=0)
    x = jnp.asarray(np.random.default_rng(0).standard_normal((rows, 8)), jnp.float32)
    gradient = jax.grad(lambda model, x: (model(x) ** 2).mean() + 1e-3 * model.penalty())

    def update(model, x):
        return jax.tree.map(lambda p, g: p - 0.1 * g, model, gradient(model, x))

    mesh = mesh_with(AxisType.Auto)
    placed = [
        jax.device_put(model, NamedSharding(mesh, P())),
        jax.device_put(x, NamedSharding(mesh, P(("data", "model")))),
    ]
    compiled = jax.jit(update).lower(*placed).compile()
    assert_equal(compiled(*placed), jax.jit(update)(model, x))
    entry, loops = re.search(r"^ENTRY .*?^}", compiled.as_text(), re.M | re.S), compiled.as_text()
    found = re.findall(COLLECTIVES, entry[0])
    assert len(re.findall(COLLECTIVES, loops)) == len(found), "a loop talks in every turn"
    return f"tensors={len(jax.tree.leaves(model))} {' '.join(found)}"


@cache
def gradients(evaluate=spline_forward):
    c = KANLayer(6, 16, key=0).control_points()
    return jax.jit(jax.grad(lambda x, c: (evaluate(x, c) ** 2).mean(), (0, 1)))(X, c)


def mapped(x_spec, c_spec, check_vma):
    sharded = jax.shard_map(
        spline_forward,
        mesh=mesh_with(AxisType.Auto),
        in_specs=(x_spec, c_spec),
        out_specs=P(*x_spec, *([None] if not x_spec else []), *c_spec[2:]),
        check_vma=check_vma,
    )
    assert_equal(gradients(sharded), gradients())
    return "equal"


def second_order():
    cs = jnp.stack([KANLayer(6, 6, key=n).control_points() for n in range(3)])

    def network(x, cs):
        def layer(h, c):
            return jnp.tanh(jax.checkpoint(spline_forward)(h, c)), None

        return jax.lax.scan(layer, x, cs)[0]

    def slopes(x, cs):
        return (jax.grad(lambda x: network(x, cs).sum())(x) ** 2).sum()

    def gradients(x, cs):
        return jax.grad(slopes, (0, 1))(x, cs)

    sharded = jax.shard_map(
        gradients,
        mesh=mesh_with(AxisType.Auto),
        in_specs=(P("data"), P()),
        out_specs=(P("data"), P()),
    )
    assert_equal(jax.jit(sharded)(X, cs), jax.jit(gradients)(X, cs))
    return "equal"


def explicit_axes():
    mesh = mesh_with(AxisType.Explicit)
    c = KANLayer(6, 16, key=0).control_points()
    gradients = jax.grad(lambda x, c: (spline_forward(x, c) ** 2).mean(), (0, 1))
    with jax.set_mesh(mesh):
        x_at, c_at = (NamedSharding(mesh, spec) for spec in CASES["both"])
        x, control_points = jax.device_put(X, x_at), jax.device_put(c, c_at)
        y = jax.jit(spline_forward)(x, control_points)
        assert y.sharding.spec == P("data", "model")
        transposed = jax.jit(partial(spline_forward, feature_major=True))(x.T, control_points)
        assert transposed.sharding.spec == P("model", "data")
        got = jax.jit(gradients)(x, control_points)
    assert_equal(got, jax.jit(gradients)(X, c))
    return "equal"


if __name__ == "__main__":
    for impl in ("auto", "lookup", "dense"):
        print(f"step {impl}: {training_step(impl, 4096)}")
    print(f"step pallas: {training_step('pallas', 512)}")
    for case, specs in CASES.items():
        for impl in ("lookup", "dense"):
            print(f"named_sharding {impl} {case}: {named_sharding(impl, *specs)}")
        for check_vma in (True, False):
            print(f"shard_map {check_vma=} {case}: {mapped(*specs, check_vma)}")
    print(f"shard_map second order: {second_order()}")
    try:
        answer = explicit_axes()
    except jax.errors.JaxRuntimeError as error:
        answer = str(error).replace(": ", " ").splitlines()[0]
    print(f"explicit axes: {answer}")
