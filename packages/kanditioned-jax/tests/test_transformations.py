"""Everything that JAX does to a function, it does to the layer."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from kanditioned_jax import KANLayer, spline_forward
from kanditioned_spec import reference

IMPLS = ("lookup", "dense", "pallas")
layer = partial(spline_forward, spline_width=4.0)
pytestmark = pytest.mark.usefixtures("x64")


def close(got, want):
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-9), got, want)


def objective(x, c, impl="auto"):
    return (layer(x, c, impl=impl) ** 2).sum()


@pytest.mark.parametrize("impl", ["lookup", "dense"])
def test_derivatives_of_both_modes_to_second_order(impl, arrays):
    a = arrays()
    check_grads(partial(layer, impl=impl), (a.x, a.c), order=2, modes=("fwd", "rev"))


def test_third_order(arrays):
    a = arrays(3, 2, 2, 4)
    check_grads(layer, (a.x, a.c), order=3, modes=("fwd", "rev"))


@pytest.mark.parametrize("impl", IMPLS)
def test_forward_mode_is_the_reference(impl, arrays):
    a = arrays()
    v, V = np.ones_like(a.x), np.cos(a.c)
    _, tangent = jax.jvp(partial(layer, impl=impl), (a.x, a.c), (v, V))
    close(tangent, reference.jvp(a.x, a.c, 4.0, v) + reference.forward(a.x, V, 4.0))


def test_mixed_terms_of_the_hessian(arrays):
    a = arrays(2, 2, 2, 3)
    hessian = jax.jit(jax.hessian(objective, (0, 1)))(a.x, a.c)
    by_reverse = jax.jit(jax.jacrev(jax.jacrev(objective, (0, 1)), (0, 1)))(a.x, a.c)
    close(hessian, by_reverse)
    assert np.abs(hessian[0][1]).max() > 0.1
    close(hessian[0][1], np.moveaxis(hessian[1][0], (-2, -1), (0, 1)))


@pytest.mark.parametrize(
    ("in_axes", "impl"),
    [
        *(((x, c), "lookup") for x, c in [(0, None), (None, 0), (0, 0), (1, None), (1, 2)]),
        ((0, 0), "dense"),
        ((0, 0), "pallas"),
    ],
)
@pytest.mark.parametrize("of", [layer, jax.grad(objective, (0, 1)), jax.jacfwd(layer)])
def test_vmap_over_any_argument(impl, in_axes, of, arrays):
    a, size = arrays(4, 3, 2, 5), 2
    function = partial(of, impl=impl)
    given = [
        v if axis is None else np.stack([v, 0.5 * v], axis)
        for v, axis in zip((a.x, a.c), in_axes, strict=True)
    ]
    one_by_one = [
        function(
            *(
                v if axis is None else np.take(v, n, axis)
                for v, axis in zip(given, in_axes, strict=True)
            )
        )
        for n in range(size)
    ]
    want = jax.tree.map(lambda *parts: jnp.stack(parts), *one_by_one)
    close(jax.vmap(function, in_axes)(*given), want)


def test_gradient_through_nested_vmap(arrays):
    a = arrays()
    xs = np.stack([a.x, a.x + 0.1])
    cs = np.stack([a.c, -a.c, 2 * a.c])

    def mapped(xs, cs):
        rows = jax.vmap(jax.vmap(layer, (0, None)), (None, 0))(xs, cs)
        return (rows**2).sum()

    got = jax.grad(mapped, (0, 1))(xs, cs)
    want = [jax.grad(objective, (0, 1))(x, c) for c in cs for x in xs]
    close(got[0], np.stack([sum(g[0] for g in want[n::2]) for n in range(2)]))
    close(got[1], np.stack([want[2 * n][1] + want[2 * n + 1][1] for n in range(3)]))


def test_scan_and_checkpoint(arrays):
    a = arrays(4, 3, 3, 5)
    cs = np.stack([a.c, 0.5 * a.c, -a.c])

    def looped(cs):
        return sum_of(jax.lax.scan(lambda h, c: (jax.checkpoint(layer)(h, c), None), a.x, cs)[0])

    def unrolled(cs):
        h = a.x
        for c in cs:
            h = layer(h, c)
        return sum_of(h)

    def sum_of(y):
        return jnp.tanh(y).sum()

    close(jax.jit(jax.grad(looped))(cs), jax.grad(unrolled)(cs))


def test_linearize_saves_only_the_inputs(arrays):
    a = arrays(7, 3, 2, 6)
    _, pull = jax.vjp(layer, a.x, a.c)
    sizes = sorted(leaf.size for leaf in jax.tree.leaves(pull) if leaf.size > 1)
    assert set(sizes) <= {a.x.size, a.c.size}


def test_no_gradient_that_is_not_asked_for(arrays):
    a = arrays()
    text = str(jax.make_jaxpr(jax.grad(lambda c: layer(a.x, c).sum()))(a.c))
    assert "output='control_points'" in text
    assert "output='direction'" not in text
    assert text.count("kanditioned_contraction") == 2


def test_gradient_of_an_infinite_or_nan_row_stays_there(arrays):
    a = arrays()
    a.x[1, 2] = np.nan
    gx = jax.grad(lambda x: layer(x, a.c)[jnp.array([0, 2, 3, 4])].sum())(a.x)
    assert np.isnan(gx[1, 2])
    assert np.isnan(gx).sum() == 1


def test_donated_parameters_are_updated_in_place(arrays):
    a = arrays()

    @partial(jax.jit, donate_argnums=0)
    def step(c, x):
        return c - 0.1 * jax.grad(objective, 1)(x, c)

    c = jnp.asarray(a.c)
    updated = step(c, a.x)
    assert c.is_deleted()
    close(updated, a.c - 0.1 * jax.grad(objective, 1)(a.x, a.c))


def test_equal_static_configurations_compile_once():
    traced = []

    @jax.jit
    def evaluate(layer, x):
        traced.append(layer)
        return layer(x)

    for seed in range(3):
        evaluate(KANLayer(3, 2, key=seed), jnp.ones((4, 3)))
    assert len(traced) == 1
    evaluate(KANLayer(3, 2, key=0, spline_width=5.0), jnp.ones((4, 3)))
    assert len(traced) == 2


def test_lookup_and_dense_bound_their_workspace():
    shape = (4096, 64, 64, 16)
    x = jax.ShapeDtypeStruct(shape[:2], jnp.float32)
    c = jax.ShapeDtypeStruct((shape[1], shape[3], shape[2]), jnp.float32)
    for impl in ("lookup", "dense"):
        step = jax.jit(jax.grad(partial(objective, impl=impl), (0, 1)))
        temporary = step.lower(x, c).compile().memory_analysis().temp_size_in_bytes
        assert temporary < 24 * 2**20  # B·I·K or B·I·O floats would be 16 or 64 MiB at once
