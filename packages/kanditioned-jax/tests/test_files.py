"""Files of layers and networks, whoever has written them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kanditioned_jax import KAN, KANLayer, importance
from kanditioned_spec import checkpoint
from kanditioned_spec.checkpoint import CheckpointError, Layer, LayerConfig

LAYERS = [Layer.of(LayerConfig(3, 3, 4), np.zeros((3, 4, 3)))] * 2
CONTENT = {f"layers.{n}": layer for n, layer in enumerate(LAYERS)}
DESCRIPTION = {"norm": "none", "residual": False, "dropout": 0.0}


def residuals(dtype, **more):
    ones = np.ones((3, 3), dtype)
    return {"residuals.0.weight": ones, "residuals.1.weight": ones, **more}


def written(tmp_path, description, tensors, layers=CONTENT):
    text = description if isinstance(description, str) else json.dumps(description)
    checkpoint.write(tmp_path / "model", checkpoint.Checkpoint(layers, tensors, {"kan": text}))
    return tmp_path / "model"


@pytest.mark.parametrize("dtype", ["float16", "float32", "bfloat16"])
def test_residuals_keep_their_own_dtype(tmp_path, dtype):
    weights = np.asarray(jnp.ones((3, 3), dtype))
    tensors = {f"residuals.{n}.weight": weights for n in range(2)}
    model = KAN.load(written(tmp_path, {**DESCRIPTION, "residual": True}, tensors))
    assert [matrix.dtype for matrix in model.residuals] == [dtype, dtype]
    x = np.arange(3.0, dtype=np.float32)
    np.testing.assert_array_equal(model(x), np.full(3, 9.0))  # a sum, and a sum of equals


def test_torch_residuals_of_another_dtype_mean_the_same(tmp_path):
    torch = pytest.importorskip("torch")
    there = pytest.importorskip("kanditioned_torch")
    model = there.KAN([3, 4, 2], norm="none", residual=True, dtype=torch.bfloat16)
    model.residuals.half()
    model.save(tmp_path / "model")
    loaded = KAN.load(tmp_path / "model")
    for ours, theirs in zip(loaded.residuals, model.residuals, strict=True):
        np.testing.assert_array_equal(ours, theirs.weight.detach().numpy().T)


REFUSED = {
    "integers": ({**DESCRIPTION, "residual": True}, residuals(np.int32)),
    "an empty description": ({}, {}),
    "an unknown key": ({**DESCRIPTION, "activation": "relu"}, {}),
    "a missing key": ({"norm": "none", "residual": False}, {}),
    "no object": ([1, 2], {}),
    "deep nesting": ("[" * 10_000 + "]" * 10_000, {}),
    "no JSON": ("{", {}),
    "a residual of a truth value": ({**DESCRIPTION, "residual": 1}, residuals(np.float32)),
    "a stray layer": (DESCRIPTION, {"layers.0.theta": np.ones((3, 4, 3), np.float32)}),
    "a stray tensor": (DESCRIPTION, residuals(np.float32)),
    "a missing residual": (
        {**DESCRIPTION, "residual": True},
        {"residuals.0.weight": np.ones((3, 3), np.float32)},
    ),
    "another shape": (
        {**DESCRIPTION, "residual": True},
        residuals(np.float32) | {"residuals.1.weight": np.ones((3, 2), np.float32)},
    ),
    "a dropout beyond one": ({**DESCRIPTION, "dropout": 1.5}, {}),
    "an unknown norm": ({**DESCRIPTION, "norm": "group"}, {}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_network_is_one_error(tmp_path, case):
    with pytest.raises(CheckpointError, match=r"`KAN\.load\(path=\.\.\.\)` must be"):
        KAN.load(written(tmp_path, *REFUSED[case]))


def test_shapes_of_a_file_are_kept(tmp_path):
    shaped = Layer.of(LayerConfig(3, 3, 4, monotone=(1, 0, 0)), np.zeros((3, 4, 3)))
    checkpoint.write(tmp_path / "layer", checkpoint.Checkpoint({"layer": shaped}))
    assert KANLayer.load(tmp_path / "layer").config.shapes == shaped.config.shapes


@pytest.mark.parametrize("kind", [KANLayer, KAN])
def test_a_subclass_is_a_pytree_and_reads_files_as_itself(tmp_path, kind):
    class Kind(kind):
        def doubled(self, x):
            return 2 * self(x)

    options = {"num_control_points": 5, "key": 0}
    model = Kind(3, 3, **options) if kind is KANLayer else Kind([3, 3], **options)
    x = np.ones((2, 3), np.float32)
    y = jax.jit(lambda model, x: model.doubled(x))(model, x)
    np.testing.assert_allclose(y, 2 * model(x), rtol=1e-6)
    model.save(tmp_path / "model")
    loaded = Kind.load(tmp_path / "model")
    assert type(loaded) is type(loaded.refine(9)) is Kind
    np.testing.assert_array_equal(loaded(x), model(x))


def test_edges_for_numpy_and_scipy():
    interpolate = pytest.importorskip("scipy.interpolate")
    layer = KANLayer(2, 3, num_control_points=5, key=0)
    layer = jax.tree.map(lambda theta: theta + jnp.cos(7 * theta), layer)
    x = np.linspace(-1.9, 1.9, 50)
    at, values = layer.to_numpy(1, 2)
    want = layer(np.stack([0 * x, x], 1))[:, 2] - layer(np.zeros((1, 2)))[0, 2]
    got = np.interp(x, at, values) - np.interp(0.0, at, values)
    np.testing.assert_allclose(got, want, atol=1e-5)
    spline = layer.to_scipy(1, 2)
    assert isinstance(spline, interpolate.PPoly)
    np.testing.assert_allclose(spline(x), np.interp(x, at, values), atol=1e-12)
    with pytest.raises(ValueError, match=r"`KANLayer.to_numpy\(in_feature=...\)` must be below 2"):
        layer.to_numpy(2)


def test_importance_is_that_of_torch_and_of_the_spread_of_outputs(tmp_path):
    torch = pytest.importorskip("torch")
    there = pytest.importorskip("kanditioned_torch")
    model = KAN([3, 4, 2], num_control_points=7, key=0)
    model = jax.tree.map(lambda theta: theta + jnp.cos(7 * theta), model)
    x = np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32)
    scores = importance(model, x)
    first, inputs = model.layers[0], np.asarray(model.layer_inputs(x)[0])
    for i, o in np.ndindex(3, 4):
        spline = first.to_scipy(i, o)
        assert scores[0][i, o] == pytest.approx(spline(inputs[:, i]).std(), rel=1e-6)
    np.testing.assert_allclose(importance(first, inputs), scores[0])
    model.save(tmp_path / "model")
    loaded = there.KAN.load(tmp_path / "model")
    measure = there.importance
    for ours, theirs in zip(scores, measure(loaded, torch.from_numpy(x)), strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-4)
    for ours, theirs in zip(importance(model), measure(loaded), strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-4)


@pytest.mark.parametrize("name", ["legendre", "dct", "demmler_reinsch"])
def test_loading_builds_no_map(tmp_path, monkeypatch, name):
    """T of 65536 control points would take 32 GiB; a file of some hundred bytes may ask for it."""
    options = {"legendre": {"degree": 1}, "dct": {"transform": "matmul"}}.get(name, {})
    config = LayerConfig(1, 1, 2**16, 4.0, name, options)
    stored = Layer.of(config, np.zeros(config.shape))
    checkpoint.write(tmp_path / "layer", checkpoint.Checkpoint({"layer": stored}))

    def build(*arguments):
        raise AssertionError("the map is built before it is used")

    monkeypatch.setattr("kanditioned_jax.config.specification", build)
    if name == "legendre":  # of a low degree, which costs little
        assert KANLayer.load(tmp_path / "layer").num_control_points == 2**16
        return
    with pytest.raises(CheckpointError, match="bytes to build"):
        KANLayer.load(tmp_path / "layer")


def test_the_limit_of_what_building_takes_is_an_argument(tmp_path):
    config = LayerConfig(3, 3, 64, 4.0, "dct", {"transform": "matmul"})
    stored = Layer.of(config, np.zeros(config.shape))
    checkpoint.write(tmp_path / "layer", checkpoint.Checkpoint({"layer": stored}))
    checkpoint.write_network(tmp_path / "network", checkpoint.Network([stored]))
    for kind, name in ((KANLayer, "layer"), (KAN, "network")):
        with pytest.raises(CheckpointError, match="max_build_bytes is 1000"):
            kind.load(tmp_path / name, max_build_bytes=1000)
        with pytest.raises(ValueError, match=r"`checkpoint.read\(max_build_bytes=...\)` must be"):
            kind.load(tmp_path / name, max_build_bytes=-1)
        assert kind.load(str(tmp_path / name).encode(), max_build_bytes=10**6).penalty() == 0


@pytest.mark.parametrize("width", [1e-300, 1e300])
def test_widths_of_a_file_beyond_its_dtype(tmp_path, width):
    stored = Layer.of(LayerConfig(3, 3, 8, width), np.zeros((3, 8, 3)))
    checkpoint.write(tmp_path / "layer", checkpoint.Checkpoint({"layer": stored}))
    checkpoint.write_network(tmp_path / "network", checkpoint.Network([stored]))
    for kind, name in ((KANLayer, "layer"), (KAN, "network")):
        with pytest.raises(CheckpointError, match=r"layers that can be built.*in float32 with 8"):
            kind.load(tmp_path / name)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the memory in /proc")
def test_hostile_files():
    """The 10,000 of `nox -s fuzz` are these and more; a busy machine has more time here."""
    script = Path(__file__).parents[2] / "kanditioned-spec" / "tests" / "fuzz_loading.py"
    command = [sys.executable, str(script), "jax", "--count", "25", "--seconds", "20"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
