"""The stack of layers."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from kanditioned_spec.checkpoint import CheckpointError
from kanditioned_torch import KAN, KANLayer, exportable, flatten_edges, prune


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


@pytest.mark.parametrize("shape", [(8, 4), (8, 4, 4), (8, 5, 4), (2, 3, 4, 4)])
def test_synchronised_batch_normalisation(shape: tuple[int, ...]) -> None:
    """PyTorch replaces batch normalisation by a class of its own, which takes rows alone."""
    model = KAN([4, 4, 2], norm="batch")
    other = torch.nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(model))
    x = torch.randn(shape)
    for _ in range(2):  # in training, then in eval mode
        torch.testing.assert_close(other(x), model(x), rtol=1e-6, atol=1e-6)
        model.eval()
        other.eval()
    assert model.state_dict().keys() == other.state_dict().keys()


def test_a_batch_of_one_has_no_variance() -> None:
    model = KAN([4, 4, 2], norm="batch")
    with pytest.raises(ValueError, match=r"`KAN\.forward\(x=\.\.\.\)` must be a batch of more"):
        model(torch.randn(1, 4))
    assert model.eval()(torch.randn(1, 4)).shape == (1, 2)


REBUILDING: dict[str, Callable[[Any], Any]] = {
    "refine": lambda model: model.refine(17),
    "widen": lambda model: model.widen(1),
    "reparameterize": lambda model: model.reparameterize("dct"),
    "fit_domain": lambda model: model.fit_domain(torch.randn(50, 4)),
    "exportable": exportable,
    "prune": lambda model: (
        prune(model, torch.randn(50, 4), 0.0).network
        if isinstance(model, KAN)
        else flatten_edges(model, 0.0)
    ),
}


@pytest.mark.parametrize("name", REBUILDING)
def test_rebuilding_a_layer_keeps_what_belongs_to_it(name: str) -> None:
    class Named(KANLayer):
        label = ""

    layer = Named(4, 3, num_control_points=9)
    layer.label = "mine"
    layer.theta.requires_grad_(False)
    calls: list[int] = []
    layer.register_forward_hook(lambda *_: calls.append(1))
    other = REBUILDING[name](layer)
    other(torch.randn(5, 4))
    assert type(other) is Named
    assert other.label == "mine"
    assert not other.theta.requires_grad
    assert calls == [1]
    assert other.theta is not layer.theta


@pytest.mark.parametrize("name", REBUILDING)
def test_rebuilding_a_network_keeps_what_belongs_to_it(name: str) -> None:
    model = KAN([4, 4, 4, 2], num_control_points=9, residual=True)
    model.note = {"run": 7}
    model.layers[1] = model.layers[0]  # one layer in two places
    model.layers[2].theta.requires_grad_(False)
    model.residuals[0].weight.requires_grad_(False)
    calls: list[str] = []
    model.register_forward_hook(lambda *_: calls.append("network"))
    model.layers[2].register_forward_hook(lambda *_: calls.append("layer"))
    other = REBUILDING[name](model)
    calls.clear()
    torch.testing.assert_close(other(torch.ones(5, 4)), model.eval()(torch.ones(5, 4)))
    assert calls == ["layer", "network"] * 2
    assert other.note == {"run": 7}
    assert other.layers[1] is other.layers[0]
    assert [layer.theta.requires_grad for layer in other.kan_layers()] == [True, True, False]
    assert [linear.weight.requires_grad for linear in other.residuals] == [False, True, True]
    assert len(list(other.parameters())) == len(list(model.parameters()))


@pytest.mark.parametrize("name", ["refine", "widen", "reparameterize", "exportable"])
def test_rebuilding_keeps_shared_parameters(name: str) -> None:
    model = KAN([4, 4, 4], num_control_points=9)
    model.layers[1].theta = model.layers[0].theta
    other = REBUILDING[name](model)
    assert other.layers[1] is not other.layers[0]
    assert other.layers[1].theta is other.layers[0].theta
