"""Layers and networks with shapes and input maps: what holds before and after every change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import kanditioned_spec as spec
from kanditioned_spec import PARAMETERIZATIONS, Shapes
from kanditioned_torch import KAN, InputMap, KANLayer, exportable, flatten_edges, prune

SHAPES: dict[str, Any] = {"monotone": {0: 1, 1: -1}, "convex": {1: 1, 2: -1}}


def disturbed(model: Any, size: float = 1.0) -> Any:
    """Give every layer random parameters, which are not feasible."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(size * torch.randn(parameter.shape, generator=generator))
    return model


def shaped_layer(parameterization: str = "bspline", **options: Any) -> KANLayer:
    return disturbed(KANLayer(4, 5, "zero", 9, 4.0, parameterization, **SHAPES, **options))


def violations(layer: KANLayer) -> int:
    return layer.shapes.violations(layer.control_points().detach().numpy())


@pytest.mark.parametrize("name", PARAMETERIZATIONS)
def test_control_points_are_feasible_and_the_parameters_learn(name: str) -> None:
    layer = shaped_layer(name)
    assert violations(layer) == 0
    layer(torch.randn(64, 4)).square().mean().backward()
    assert layer.theta.grad is not None
    assert layer.theta.grad.abs().amax((1, 2)).min() > 0
    assert layer.infeasibility() > 0
    free = layer.parameterization_spec.control_points(layer.theta.detach().double().numpy())
    want = layer.shapes.infeasibility(free)
    assert layer.infeasibility().item() == pytest.approx(want, rel=1e-5)


@pytest.mark.parametrize("init", ["random_normal", "zero"])
def test_a_new_layer_is_feasible(init: str) -> None:
    layer = KANLayer(4, 50, init, **SHAPES)
    assert layer.infeasibility().item() == pytest.approx(0, abs=1e-8)
    rise = layer.control_points()[:2].diff(dim=1) * torch.tensor([1.0, -1.0])[:, None, None]
    assert (rise >= 0).all()
    assert (rise > 0).any() == (init == "random_normal")
    with pytest.raises(ValueError, match="decreasing feature"):
        KANLayer(4, 4, "identity", **SHAPES)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("impl", ["auto", "embedding", "dense", "embedding_bag", "sorted"])
def test_outputs_have_their_shapes_far_outside_too(dtype: torch.dtype, impl: str) -> None:
    """Violations are counted beyond the rounding of the largest term of the sum."""
    layer = shaped_layer().to(dtype)
    layer.impl = impl
    x = torch.randn(3, 20_000, generator=torch.Generator().manual_seed(1)) * 3
    x[:, ::10] *= 1e29
    x = x.to(dtype).sort(dim=0).values
    eps = torch.finfo(torch.float64 if dtype == torch.float64 else torch.float32).eps
    room = 8 * eps * (1 + x.abs().amax(0)) * layer.control_points().abs().max() * 9
    for i in range(3):
        rows = torch.zeros(3, x.shape[1], 4, dtype=dtype)
        rows[:, :, i] = x
        y = layer(rows).double()
        y_room = room[:, None] + torch.finfo(dtype).eps * y.abs().amax(0)
        assert (layer.shapes.monotone[i] * y.diff(dim=0) >= -y_room).all()
        weight = ((x[2] - x[1]).double() / (x[2] - x[0]).double())[:, None]
        bend = weight * y[0] + (1 - weight) * y[2] - y[1]
        assert (layer.shapes.convex[i] * bend >= -2 * y_room)[(x[2] > x[0])].all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_stored_control_points_have_no_violation(dtype: torch.dtype) -> None:
    layer = shaped_layer().to(dtype)
    points = layer.control_points()
    assert points.dtype == torch.float32  # it has convex features
    assert violations(layer) == 0
    assert layer(torch.randn(3, 4).to(dtype)).dtype == dtype
    rising = disturbed(KANLayer(2, 3, monotone=[1, -1])).to(dtype)
    assert rising.control_points().dtype == dtype
    steps = rising.control_points().float().diff(dim=1)
    assert (steps[0] >= 0).all()
    assert (steps[1] <= 0).all()


@pytest.mark.parametrize("name", ["bspline", "dct", "prefix_sum"])
def test_changes_of_the_grid_keep_functions_and_shapes(name: str, tmp_path: Path) -> None:
    layer = shaped_layer(name).double()
    x = 3 * torch.randn(200, 4, dtype=torch.float64)
    layer.save(tmp_path / "layer")
    plain = layer.reparameterize("bspline")
    others = [
        layer.refine(17),
        layer.widen(2),
        plain,
        KANLayer.load(tmp_path / "layer"),
        KANLayer.from_control_points(layer.control_points(), **SHAPES),
        flatten_edges(layer, 0.0),
    ]
    for other in others:
        assert other.shapes == layer.shapes
        torch.testing.assert_close(other(x), layer(x))
        assert violations(disturbed(other)) == 0
    assert torch.equal(KANLayer.load(tmp_path / "layer").theta, layer.theta)
    assert "monotone={0: 1, 1: -1}, convex={1: 1, 2: -1}" in repr(layer)


def test_the_penalty_is_that_of_the_functions() -> None:
    for name in ("bspline", "prefix_sum"):
        layer = shaped_layer(name).double()
        want = layer.control_points().diff(n=2, dim=1).square().sum()
        torch.testing.assert_close(layer.penalty(), want)


def test_training_with_the_pull_fits_a_noisy_rising_function() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(500, 1, generator=generator).clamp(-2, 2)
    y = x.tanh() + 0.3 * torch.randn(500, 1, generator=generator)
    layer = KANLayer(1, 1, monotone=[1])
    optimizer = torch.optim.Adam(layer.parameters(), 0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 300)
    for _ in range(300):
        optimizer.zero_grad()
        loss = (layer(x) - y).square().mean() + 1e-3 * layer.penalty()
        (loss + layer.infeasibility()).backward()
        optimizer.step()
        schedule.step()
    assert violations(layer) == 0
    grid = torch.linspace(-2, 2, 100)[:, None]
    assert (layer(grid) - grid.tanh()).square().mean().sqrt() < 0.08


def test_shaped_layers_compile_and_export() -> None:
    layer = shaped_layer()
    x = torch.randn(32, 4)
    compiled = torch.compile(layer, fullgraph=True)
    torch.testing.assert_close(compiled(x), layer(x))
    plain = exportable(layer)
    assert not plain.shapes
    program = torch.export.export(plain, (x,))
    assert "hull" not in str(program.graph)
    torch.testing.assert_close(program.module()(x), layer(x))


DATA = np.stack([np.random.default_rng(0).lognormal(size=400), np.arange(400) * 60 + 1.7e9], 1)


def mapped_network(**options: Any) -> KAN:
    input_map = InputMap(spec.InputMap.quantiles(DATA, 16))
    return disturbed(KAN([2, 6, 1], norm="batch", input_map=input_map, **options), 0.3)


def test_a_network_goes_through_its_input_map(tmp_path: Path) -> None:
    network = mapped_network(monotone={0: 1}).eval()
    x = torch.tensor(DATA)
    y = network(x)
    assert y.dtype == torch.float32
    assert (network(x[:100] + torch.tensor([0.0, 60.0])) != y[:100]).any()
    network.save(tmp_path / "network")
    loaded = KAN.load(tmp_path / "network").eval()
    assert torch.equal(loaded(x), y)
    assert [layer.shapes for layer in loaded.kan_layers()] == [
        Shapes((1, 0), (0, 0)),
        Shapes((1,) * 6, (0,) * 6),
    ]
    stored = spec.checkpoint.read_network(tmp_path / "network")
    np.testing.assert_allclose(stored.forward(DATA), y.detach().numpy(), rtol=1e-4, atol=1e-4)
    other = mapped_network(monotone={0: 1})
    other.load_state_dict(network.state_dict())
    assert torch.equal(other.eval()(x), y)
    for changed in (network.refine(63), network.reparameterize("dct"), network.fit_domain(x)):
        assert changed.input_map is not None
        torch.testing.assert_close(changed.eval()(x), y, rtol=1e-3, atol=1e-3)
    assert network.to(torch.bfloat16)(x).dtype == torch.bfloat16


def test_pruning_keeps_the_map_and_the_shapes() -> None:
    network = mapped_network(monotone={0: 1}).eval()
    x = torch.tensor(DATA)
    smaller = prune(network, x, 0.5).network
    assert (smaller(x) - network(x)).abs().max() <= 0.5
    for layer in smaller.kan_layers():
        assert len(layer.shapes.monotone) == layer.in_features
        assert violations(layer) == 0
    assert smaller.input_map is not None


@pytest.mark.parametrize("shape", [{"monotone": {0: 1}}, {"convex": {0: -1}}])
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_networks_keep_a_shape(shape: dict[str, Any], norm: str) -> None:
    network = disturbed(KAN([2, 8, 8, 2], norm=norm, **shape)).double()
    network(torch.randn(100, 2, dtype=torch.float64))
    network.eval()
    x = torch.randn(3, 5000, dtype=torch.float64).mul(3).sort(dim=0).values
    other = torch.randn(5000, dtype=torch.float64)
    y = torch.stack([network(torch.stack([each, other], 1)) for each in x])
    room = 1e-9 * y.abs().max()
    if "monotone" in shape:
        assert (y.diff(dim=0) >= -room).all()
    else:
        weight = ((x[2] - x[1]) / (x[2] - x[0]))[:, None]
        assert (weight * y[0] + (1 - weight) * y[2] - y[1] <= room).all()
    assert network.infeasibility() > 0


def test_networks_that_cannot_keep_a_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r'`KAN\(norm=.*"batch" or "none" with monotone='):
        KAN([3, 4, 1], monotone={0: 1})
    with pytest.raises(ValueError, match=r"`KAN\(residual=.*any sign"):
        KAN([3, 4, 1], norm="none", residual=True, monotone={0: 1})
    with pytest.raises(ValueError, match=r"`KAN\(input_map=.*of 3 features, got 2"):
        KAN([3, 4, 1], input_map=spec.InputMap.affine([0, 1], 1))
    with pytest.raises(TypeError, match=r"`KAN\(input_map=.*an InputMap, got a str"):
        KAN([3, 4, 1], input_map="quantiles")


def test_the_skewed_problem_is_solved_by_the_usual_recipe() -> None:
    """R² of .97 and more at x log-normal(0, 1.5), y = sin(2 ln x) + noise, n = 2000."""
    rng = np.random.default_rng(0)
    x, held_out = rng.lognormal(0, 1.5, (2000, 1)), rng.lognormal(0, 1.5, (4000, 1))
    y, want = (
        np.sin(2 * np.log(each)) + 0.1 * rng.normal(size=each.shape) for each in (x, held_out)
    )
    torch.manual_seed(0)
    network = KAN([1, 1], norm="none", input_map=InputMap.quantiles(torch.tensor(x)))
    optimizer = torch.optim.Adam(network.parameters(), 0.05)
    target = torch.tensor(y).float()
    for _ in range(400):
        optimizer.zero_grad()
        loss = (network(torch.tensor(x)) - target).square().mean() + 1e-4 * network.penalty()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        got = network(torch.tensor(held_out)).numpy()
    assert 1 - ((got - want) ** 2).mean() / want.var() >= 0.97
