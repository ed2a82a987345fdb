"""Looking at edges, and pruning them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch

from kanditioned_torch import KAN, KANLayer, flatten_edges, importance, prune


def trained(layer: KANLayer) -> KANLayer:
    with torch.no_grad():
        layer.theta.normal_()
    return layer


@pytest.fixture
def layer() -> KANLayer:
    return trained(
        KANLayer(3, 4, num_control_points=9, parameterization="dct", dtype=torch.float64)
    )


def network(norm: str, residual: bool = False) -> KAN:
    """A network of which some hidden features matter little, with running statistics moved."""
    model = KAN([4, 8, 6, 2], norm=norm, residual=residual, num_control_points=9)
    for inner in model.kan_layers():
        trained(inner)
    with torch.no_grad():
        model.layers[1].theta[2:6] *= 1e-4
        model.layers[2].theta[[0, 3]] *= 1e-4
        if model.residuals is not None:
            model.residuals[1].weight[:, 2:4] = 0
    model(torch.randn(100, 4))
    return model.eval()


def test_numpy_evaluates_an_edge(layer: KANLayer) -> None:
    x = np.linspace(-2, 2, 41)
    knots, values = layer.to_numpy(1, 2)
    alone = torch.zeros(41, 3, dtype=torch.float64)
    alone[:, 1] = torch.as_tensor(x)
    rest = sum(np.interp(0.0, *layer.to_numpy(i, 2)) for i in (0, 2))
    np.testing.assert_allclose(
        np.interp(x, knots, values) + rest, layer(alone)[:, 2].detach().numpy(), atol=1e-12
    )
    assert layer.to_numpy()[1].shape == (3, 9, 4)
    assert layer.to_numpy(1)[1].shape == (9, 4)
    assert layer.to_numpy(out_feature=1)[1].shape == (3, 9)
    values[:] = 0  # a copy
    assert layer.control_points().any()
    assert KANLayer(3, 4, dtype=torch.bfloat16).to_numpy()[1].dtype == np.float64


def test_scipy_evaluates_edges_beyond_the_domain(layer: KANLayer) -> None:
    pytest.importorskip("scipy")
    x = 3 * torch.randn(50, 3, dtype=torch.float64)
    every = layer.to_scipy()
    want = layer(x).detach().numpy()
    diagonal = every(x.numpy())[:, range(3), range(3)]  # (B, I, O): input i into edges of i
    np.testing.assert_allclose(diagonal.sum(1), want, atol=1e-12)
    got = sum(layer.to_scipy(i, 2)(x[:, i].numpy()) for i in range(3))
    np.testing.assert_allclose(got, want[:, 2], atol=1e-12)
    knots, values = layer.to_numpy(0, 0)
    edge = layer.to_scipy(0, 0)
    np.testing.assert_allclose(edge.integrate(-2, 2), np.trapezoid(values, knots))
    np.testing.assert_allclose(edge.derivative()(5.0), (values[-1] - values[-2]) / 0.5)


def test_importance_is_the_standard_deviation(layer: KANLayer) -> None:
    x = 3 * torch.randn(1000, 3, dtype=torch.float64)
    edges = torch.as_tensor(
        np.stack([[layer.to_scipy(i, o)(x[:, i].numpy()) for o in range(4)] for i in range(3)])
    )
    want = edges.std(-1, correction=0)
    torch.testing.assert_close(importance(layer, x), want)
    torch.testing.assert_close(importance(layer, x.split(77)), want)
    dense = torch.linspace(-2, 2, 20_001, dtype=torch.float64)[:, None].expand(-1, 3)
    torch.testing.assert_close(importance(layer), importance(layer, dense), rtol=1e-3, atol=0)


def test_importance_of_a_network_is_under_what_reaches_each_layer() -> None:
    model, x = network("layer"), torch.randn(200, 4)
    hidden = model.norms[1](model.layers[0](model.norms[0](x)))
    for got, inner, seen in zip(
        importance(model, x), model.kan_layers(), (model.norms[0](x), hidden), strict=False
    ):
        torch.testing.assert_close(got, importance(inner, seen))
    assert [tuple(scores.shape) for scores in importance(model)] == [(4, 8), (8, 6), (6, 2)]


@pytest.mark.parametrize("tolerance", [0.0, 0.3, 3.0, 1e9])
def test_pruned_layers_stay_within_the_tolerance(layer: KANLayer, tolerance: float) -> None:
    with torch.no_grad():
        layer.theta[:, :, ::2] *= 0.1
    smaller = flatten_edges(layer, tolerance)
    x = 4 * torch.rand(2000, 3, dtype=torch.float64) - 2
    error = (smaller(x) - layer(x)).abs().max()
    assert error <= tolerance + 1e-12
    flat = smaller.control_points().diff(dim=1).abs().amax(1) < 1e-12
    assert int(flat.sum()) == {0.0: 0, 1e9: 12}.get(tolerance, int(flat.sum()))
    assert tolerance == 0 or flat.any()


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
@pytest.mark.parametrize("residual", [False, True])
def test_pruned_networks_stay_within_the_tolerance(norm: str, residual: bool) -> None:
    model, x = network(norm, residual), torch.randn(300, 4)
    want = model(x).detach()
    counts = []
    for tolerance in (0.0, 0.05, 0.5, 5.0):
        smaller, edges, error = prune(model, x, tolerance)
        assert error <= tolerance
        assert (smaller(x) - want).abs().max().item() == error
        assert [tuple(left.shape) for left in edges] == [(4, 8), (8, 6), (6, 2)]
        counts.append(int(sum(left.sum() for left in edges)))
        if norm != "layer" and tolerance >= 0.05:
            assert smaller.widths[1] < 8
            assert smaller.widths[2] < 6 or residual
    assert counts[0] == 32 + 48 + 12
    assert counts == sorted(counts, reverse=True)
    assert counts[1] < counts[0] > counts[3]
    assert model.widths == (4, 8, 6, 2)


def test_everything_may_be_pruned() -> None:
    model, x = network("none"), torch.randn(50, 4)
    smaller, edges, _ = prune(model, x, 1e9)
    assert smaller.widths == (4, 1, 1, 2)
    assert not any(left.any() for left in edges)
    assert (smaller(x) - smaller(x)[:1]).abs().max() < 1e-5


def test_nodes_that_feed_idle_nodes_alone_go_too() -> None:
    model = KAN([3, 2, 2, 1], norm="none", num_control_points=5, dtype=torch.float64)
    for inner in model.kan_layers():
        trained(inner)
    first, second = model.layers[1], model.layers[2]
    with torch.no_grad():
        second.theta[1] = 1.0  # hidden 1 of 1 ends in a constant
        first.theta[1, :, 0] = 2.0  # and hidden 1 of 0 feeds it alone
    x = torch.randn(100, 3, dtype=torch.float64)
    smaller, edges, error = prune(model, x, 1e-9)
    assert smaller.widths == (3, 1, 1, 1)
    assert [int(left.sum()) for left in edges] == [3, 1, 1]
    assert error < 1e-12


def test_pruned_networks_train_and_save(tmp_path: Any) -> None:
    model, x = network("batch", residual=True).train(), torch.randn(50, 4)
    smaller = prune(model, x, 0.05).network
    assert smaller.training
    smaller(x).square().mean().backward()
    assert all(parameter.grad is not None for parameter in smaller.parameters())
    smaller.save(tmp_path / "small.safetensors")
    again = KAN.load(tmp_path / "small.safetensors")
    assert torch.equal(again.eval()(x), smaller.eval()(x))


@pytest.mark.parametrize(
    ("call", "error", "constraint"),
    [
        (lambda layer: layer.to_numpy(3), ValueError, "to_numpy(in_feature=...)` must be below 3"),
        (lambda layer: layer.to_scipy(0, -1), ValueError, "(out_feature=...)` must be an integer"),
        (lambda layer: layer.to_numpy("0"), TypeError, "(in_feature=...)` must be an integer >= 0"),
        (
            lambda layer: flatten_edges(layer, -1.0),
            ValueError,
            "flatten_edges(tolerance=...)` must",
        ),
        (
            lambda _: prune(KAN([4, 1]), torch.zeros(1, 4), -1.0),
            ValueError,
            "prune(tolerance=...)`",
        ),
        (lambda _: prune(KAN([4, 1]), np.zeros((1, 4)), 1.0), TypeError, "prune(x=...)` must be a"),
        (lambda _: prune(KAN([4, 1]), torch.zeros(0, 4), 1.0), ValueError, "must be at least one"),
        (lambda layer: importance(layer, torch.zeros(2)), ValueError, "importance(data=...)` must"),
        (lambda layer: importance(layer, []), ValueError, "must be at least one input, got none"),
    ],
)
def test_errors(call: Any, error: type[Exception], constraint: str) -> None:
    with pytest.raises(error, match=re.escape(constraint)):
        call(KANLayer(3, 4))
