"""Programs that run where this package is not: StableHLO through `jax.export`."""

from __future__ import annotations

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from kanditioned_jax import KAN

X = 3 * np.random.default_rng(0).standard_normal((37, 4)).astype(np.float32)
ALONE = """
import sys
import numpy as np
from jax import export

program, inputs, outputs = sys.argv[1:]
run = export.deserialize(bytearray(open(program, "rb").read())).call
np.save(outputs, run(np.load(inputs)))
assert not any(name.startswith("kanditioned") for name in sys.modules)
"""


@pytest.fixture(params=["lookup", "dense", "auto"])
def model(request):
    model = KAN([4, 6, 2], residual=True, parameterization="dct", impl=request.param, key=0)
    return jax.tree.map(jnp.sin, model)


def close(got, want):
    """Compare to the order of sums, which `dense` chooses by the size of the batch."""
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def exported(model, batch):
    shape = export.symbolic_shape(f"{batch}, 4")
    return export.export(jax.jit(model))(jax.ShapeDtypeStruct(shape, jnp.float32))


def test_any_batch_is_one_program(model):
    program = exported(model, "batch")
    assert "stablehlo" in program.mlir_module()
    for rows in (1, 37):
        close(program.call(X[:rows]), jax.jit(model)(X[:rows]))


def test_a_file_runs_without_this_package(model, tmp_path):
    pytest.importorskip("flatbuffers", reason="jax.export writes its files with flatbuffers")
    x = np.concatenate([X, [[np.nan, 1e6, -np.inf, 0.0]]]).astype(np.float32)
    paths = [tmp_path / name for name in ("program", "x.npy", "y.npy")]
    paths[0].write_bytes(exported(model, "batch").serialize())
    np.save(paths[1], x)
    subprocess.run([sys.executable, "-c", ALONE, *map(str, paths)], check=True)
    close(np.load(paths[2]), jax.jit(model)(x))


def test_gradients_are_exported_on_demand():
    pytest.importorskip("flatbuffers", reason="jax.export writes its files with flatbuffers")
    model = KAN([4, 6, 2], key=0)
    program = export.export(jax.jit(model))(jax.ShapeDtypeStruct(X.shape, jnp.float32))
    again = export.deserialize(program.serialize(vjp_order=1))
    got = jax.grad(lambda x: again.call(x).sum())(X)
    close(got, jax.grad(lambda x: model(x).sum())(X))
