"""The stack of layers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from kanditioned_spec.checkpoint import CheckpointError
from kanditioned_torch import KAN, KANLayer


@pytest.mark.parametrize("norm", ["layer", "batch", "none"])
@pytest.mark.parametrize("residual", [False, True])
def test_a_layer_for_each_pair_of_widths(norm: str, residual: bool) -> None:
    model = KAN([4, 6, 2], norm=norm, residual=residual, dropout=0.2, num_control_points=5)
    assert [(layer.in_features, layer.out_features) for layer in model.kan_layers()] == [
        (4, 6),
        (6, 2),
    ]
    x = torch.randn(3, 7, 4)
    assert model(x).shape == (3, 7, 2)
    model(x).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_dropout_acts_between_layers_in_training_only() -> None:
    model = KAN([4, 64, 1], dropout=0.5)
    x = torch.randn(5, 4)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


def test_penalty_is_the_sum_over_layers() -> None:
    model = KAN([4, 6, 2])
    with torch.no_grad():
        for layer in model.kan_layers():
            layer.theta.normal_()
    for scaling in ("knots", "continuous"):
        want = sum(float(layer.penalty(scaling).detach()) for layer in model.kan_layers())
        assert float(model.penalty(scaling).detach()) == pytest.approx(want, rel=1e-6)


def test_rebuilt_networks_compute_the_same() -> None:
    model = KAN([4, 6, 2], norm="batch", residual=True, num_control_points=9, dtype=torch.float64)
    x = torch.randn(8, 4, dtype=torch.float64)
    model(x)
    model.eval()
    for other in (model.refine(17), model.widen(1), model.reparameterize("dct")):
        assert not other.training
        torch.testing.assert_close(other(x), model(x))
    assert model.layers[0].num_control_points == 9  # the network itself is unchanged


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_files(tmp_path: Path, dtype: torch.dtype) -> None:
    model = KAN(
        [4, 6, 2],
        norm="batch",
        residual=True,
        dropout=0.25,
        parameterization="demmler_reinsch",
        smoothing=1e-3,
        num_control_points=9,
        dtype=dtype,
    )
    model(torch.randn(8, 4, dtype=dtype))  # moves the running statistics
    model.save(tmp_path / "model.safetensors")
    state = torch.random.get_rng_state()
    twin = KAN.load(tmp_path / "model.safetensors").eval()
    x = torch.randn(5, 4, dtype=dtype)
    assert torch.equal(twin(x), model.eval()(x))
    assert twin.dropout.p == 0.25
    assert torch.equal(state, torch.random.get_rng_state()) is False  # randn above, nothing before
    layer = model.layers[0]
    layer.save(tmp_path / "layer.safetensors")
    loaded = KANLayer.load(tmp_path / "layer.safetensors")
    assert torch.equal(loaded.theta, layer.theta)
    assert loaded.options == layer.options


def test_files_of_something_else(tmp_path: Path) -> None:
    KANLayer(4, 2).save(tmp_path / "layer.safetensors")
    with pytest.raises(CheckpointError, match=r"`KAN\.load\(path=\.\.\.\)` must be the checkpoint"):
        KAN.load(tmp_path / "layer.safetensors")
    KAN([4, 3, 2]).save(tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="a single layer"):
        KANLayer.load(tmp_path / "model.safetensors")
    (tmp_path / "junk").write_bytes(b"junk" * 100)
    for kind in (KAN, KANLayer):
        with pytest.raises(CheckpointError, match="whole kanditioned checkpoint"):
            kind.load(tmp_path / "junk")
