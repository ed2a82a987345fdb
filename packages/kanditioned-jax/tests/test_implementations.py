"""What the implementations owe to each other, beyond the conformance kit."""

from __future__ import annotations

import importlib
from dataclasses import fields

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractDevice, AbstractMesh

from kanditioned_jax import IMPL_NAMES, spline_forward
from kanditioned_jax.impls import IMPLS as TABLE
from kanditioned_jax.impls.base import Target, add_blocks, join_blocks
from kanditioned_jax.selection import choose, implementation
from kanditioned_spec import Grid, reference
from kanditioned_spec.costs import Sizes

IMPLS = ("lookup", "dense", "pallas")
dense_module = importlib.import_module("kanditioned_jax.impls.dense")
CPU = Target(on_cpu=True, precision=None)
GRID = Grid(6, 4.0)


def test_names():
    assert IMPL_NAMES == ("auto", *IMPLS) == ("auto", *TABLE)


@pytest.mark.parametrize("length", [1, 2, 5, 6, 7])
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_blocks_cover_the_axis(length, size):
    values = jnp.arange(2.0 * length).reshape(length, 2)

    def block(start, size):
        return jax.lax.dynamic_slice_in_dim(values, start, size)

    np.testing.assert_array_equal(join_blocks(block, length, size, 0), values)
    summed = add_blocks(lambda start, size: block(start, size).sum(0), length, size)
    np.testing.assert_array_equal(summed, values.sum(0))


@pytest.mark.parametrize("tile", [(1, 1), (3, 1), (4, 2), (10, 3)])
def test_dense_in_tiles_of_rows_and_features(tile, monkeypatch, x64, arrays):
    monkeypatch.setattr(dense_module, "_tile", lambda *_: dense_module._Tile(*tile))
    a = arrays(10, 3, 2, 6)
    a.x[3, 1] = np.inf
    got = dense_module.interpolate(jnp.asarray(a.x), None, jnp.asarray(a.c), GRID, CPU)
    np.testing.assert_allclose(got, reference.forward(a.x, a.c, 4.0), atol=1e-12)
    a.x[3, 1] = 9.0
    want = reference.vjp(a.x, a.c, 4.0, a.gy)
    gx = dense_module.contract(jnp.asarray(a.x), jnp.asarray(a.c), jnp.asarray(a.gy), GRID, CPU)
    gc = dense_module.accumulate(jnp.asarray(a.x), None, jnp.asarray(a.gy), GRID, CPU)
    np.testing.assert_allclose(gx, want.x, atol=1e-12)
    np.testing.assert_allclose(gc, want.control_points, atol=1e-12)


def test_tile_of_a_huge_batch_stays_within_the_workspace():
    for on_cpu, limit in dense_module.WORKSPACE_BYTES.items():
        x = jax.ShapeDtypeStruct((10**6, 100), jnp.float32)
        tile = dense_module._tile(x, 1024, Target(on_cpu, None))
        assert 0 < tile.rows * tile.features * 1024 * 4 <= limit


@pytest.mark.parametrize("count", [2, 8, 32, 33, 1000])
@pytest.mark.parametrize("kind", ["cpu", "other"])
@pytest.mark.parametrize("batch", [1, 10**6])
def test_table_names_an_implementation_for_every_size(kind, count, batch):
    sizes = Sizes(batch, 64, 32, count)
    names = choose(kind, sizes)
    assert set(names) == {"interpolate", "contract", "accumulate"}
    impl = implementation("auto", kind == "cpu", sizes)
    for contraction, name in names.items():
        assert getattr(impl, contraction) is getattr(TABLE[name], contraction)


def test_a_symbolic_batch_counts_as_many_rows():
    (batch,) = jax.export.symbolic_shape("b")
    many = implementation("auto", True, Sizes(1024, 64, 32, 8))
    assert implementation("auto", True, Sizes(batch, 64, 32, 8)) == many


def test_no_atomics_where_they_are_not_in_order(arrays):
    """Only a CPU adds rows in order, so elsewhere no gradient may be a scatter."""
    a = arrays()

    def gradients(x, c, impl):
        return jax.grad(lambda x, c: (spline_forward(x, c, impl=impl) ** 2).sum(), (0, 1))(x, c)

    for impl in ("auto", "lookup", "dense"):
        traced = jax.jit(gradients, static_argnums=2).trace(
            jnp.float32(a.x), jnp.float32(a.c), impl
        )
        assert "scatter" not in traced.lower(lowering_platforms=("cuda",)).as_text()


H100 = {"device_kind": "NVIDIA H100", "num_cores": None, "platform": "gpu"}
GPU = AbstractDevice(**{field.name: H100[field.name] for field in fields(AbstractDevice)})
"""None is there to ask; the oldest JAX does not ask for its platform."""


@pytest.mark.filterwarnings("ignore:The Pallas Triton backend is deprecated")
@pytest.mark.parametrize("count", [5, 32, 100])
@pytest.mark.parametrize("precision", [None, "highest", "high", "medium"])
def test_pallas_kernels_lower_for_cuda(count, precision):
    def gradients(x, c):
        def loss(x, c):
            return (spline_forward(x, c, impl="pallas", precision=precision) ** 2).sum()

        return jax.grad(loss, (0, 1))(x, c)

    x = jax.ShapeDtypeStruct((100, 30), jnp.float32)
    c = jax.ShapeDtypeStruct((30, count, 20), jnp.float32)
    with jax.sharding.use_abstract_mesh(AbstractMesh((), (), abstract_device=GPU)):
        lowered = jax.jit(gradients).trace(x, c).lower(lowering_platforms=("cuda",))
    assert lowered.as_text().count("__gpu$xla.gpu.triton") == 3


@pytest.mark.parametrize("precision", ["highest", "high", "medium"])
@pytest.mark.parametrize("impl", IMPLS)
def test_a_cpu_never_rounds_factors(impl, precision, arrays):
    a = arrays(9, 4, 3, 8)
    got = spline_forward(jnp.float32(a.x), jnp.float32(a.c), impl=impl, precision=precision)
    np.testing.assert_allclose(got, reference.forward(a.x, a.c, 4.0), atol=2e-5)


def test_bfloat16_operands_on_an_accelerator():
    x, c = jnp.ones((4, 3)), jnp.ones((3, 5, 2))
    for precision, narrow in (("medium", True), ("high", False), ("highest", False)):
        evaluate = jax.jit(
            lambda x, c, p: spline_forward(x, c, impl="dense", precision=p), static_argnums=2
        )
        text = evaluate.trace(x, c, precision).lower(lowering_platforms=("cuda",)).as_text()
        assert ("bf16" in text) == narrow
