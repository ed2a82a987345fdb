"""Domains fitted to data."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from kanditioned_spec import ResampleWarning
from kanditioned_torch import KAN, KANLayer
from kanditioned_torch.domain import Magnitudes

RESOLUTION = 1 / 16


def trained(layer: KANLayer) -> KANLayer:
    with torch.no_grad():
        layer.theta.normal_()
    return layer


@pytest.mark.parametrize("coverage", [0.5, 0.9, 0.99, 1.0])
def test_reach_is_the_percentile_of_the_widest_feature(coverage: float) -> None:
    x = torch.randn(5000, 3) * torch.tensor([1e-3, 40.0, 1.0])
    magnitudes = Magnitudes(3)
    for batch in x.split(700):
        magnitudes.add(batch)
    reach = magnitudes.reach("test", coverage)
    exact = float(x[:, 1].abs().quantile(coverage, interpolation="higher"))
    assert exact * (1 - 1e-3) <= reach <= exact * (1 + RESOLUTION)
    assert ((x.abs() <= reach).float().mean(0) >= coverage).all()


def test_bins_hold_every_magnitude() -> None:
    for value in (0.0, -0.0, 1e-45, 1e-38, 0.999, 1.0, -1.0, 3.4e38):
        magnitudes = Magnitudes(1)
        magnitudes.add(torch.tensor([[value], [torch.nan]]))
        reach = magnitudes.reach("test", 1.0)
        least = max(float(torch.tensor(abs(value))), torch.finfo(torch.float32).tiny)
        assert least <= reach <= least * (1 + RESOLUTION)


def test_widening_keeps_every_function(kind: tuple[str, dict[str, Any]]) -> None:
    name, options = kind
    layer = trained(
        KANLayer(2, 3, num_control_points=9, parameterization=name, dtype=torch.float64, **options)
    )
    x = 4 * torch.randn(1000, 2, dtype=torch.float64)
    wide = layer.fit_domain(x)
    assert wide.spline_width > layer.spline_width
    assert wide.spline_width / (wide.num_control_points - 1) == pytest.approx(0.5)
    assert ((x.abs() <= wide.spline_width / 2).double().mean(0) >= 0.99).all()
    torch.testing.assert_close(wide(x), layer(x))


def test_a_domain_that_is_wide_enough_stays() -> None:
    layer = trained(KANLayer(2, 3, num_control_points=9))
    same = layer.fit_domain(torch.rand(100, 2))
    assert (same.num_control_points, same.spline_width) == (9, 4.0)
    assert torch.equal(same.theta, layer.theta)


@pytest.mark.parametrize("scale", [0.01, 300.0])
def test_moving_the_knots_of_lines_is_exact(scale: float, kind: tuple[str, dict[str, Any]]) -> None:
    name, options = kind
    layer = KANLayer(2, 3, num_control_points=9, parameterization=name, **options)
    x = scale * torch.randn(1000, 2)
    moved = layer.fit_domain(x, keep="num_control_points")  # a warning would be an error
    assert moved.num_control_points == 9
    assert moved.spline_width / 2 == pytest.approx(2.6 * scale, rel=0.15)
    torch.testing.assert_close(moved(x), layer(x), rtol=1e-4, atol=1e-4 * scale)


def test_moving_the_knots_of_curves_says_so() -> None:
    layer = trained(KANLayer(2, 3, num_control_points=9))
    with pytest.warns(ResampleWarning, match=r"changed by up to .*keep=\"spacing\""):
        layer.fit_domain(4 * torch.randn(1000, 2), keep="num_control_points")


def test_any_source_of_batches() -> None:
    layer, x = KANLayer(2, 3, num_control_points=9), 4 * torch.randn(20_000, 2)
    want = layer.fit_domain(x)
    loader = DataLoader(TensorDataset(x, x[:, :1]), batch_size=512, shuffle=True)
    for data in (loader, x.view(10, 2000, 2), x.split(999), (b.numpy() for b in x.split(999))):
        assert layer.fit_domain(data).num_control_points == want.num_control_points
    assert torch.equal(want(x), layer.fit_domain(loader)(x))


def test_outliers_and_constant_columns() -> None:
    x = torch.randn(10_000, 3)
    x[::500, 0], x[:, 1], x[0] = 1e6, 0.0, torch.nan
    wide = KANLayer(3, 1, num_control_points=9).fit_domain(x)
    assert 4 <= wide.spline_width <= 7


class TestNetwork:
    """Each layer is fitted to what reaches it."""

    @pytest.mark.parametrize("norm", ["layer", "batch", "none"])
    def test_same_outputs_and_covered_inputs(self, norm: str) -> None:
        model = KAN([3, 5, 2], norm=norm, residual=True, dropout=0.5, num_control_points=9)
        for layer in model.kan_layers():
            trained(layer)
        x = 3 * torch.randn(2000, 3) + 1
        before, state = copy.deepcopy(model.state_dict()), torch.random.get_rng_state()
        wide = model.fit_domain(TensorDataset(x)[:])
        assert torch.equal(torch.random.get_rng_state(), state)
        for name, value in model.state_dict().items():
            assert torch.equal(value, before[name])
        assert wide.training
        model.eval(), wide.eval()
        torch.testing.assert_close(wide(x), model(x), rtol=1e-4, atol=1e-4)
        inputs: list[Tensor] = []
        wide.train().dropout.p = 0.0
        for layer in wide.kan_layers():
            layer.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
        wide(x)
        for layer, seen in zip(wide.kan_layers(), inputs, strict=True):
            assert ((seen.abs() <= layer.spline_width / 2).float().mean(0) >= 0.99).all()

    def test_fitted_networks_train(self) -> None:
        model = KAN([1, 4, 1], norm="none", num_control_points=9)
        x = torch.linspace(-30, 30, 256)[:, None]
        model = model.fit_domain(x, keep="num_control_points")
        optimizer = torch.optim.Adam(model.parameters(), 0.05)  # made after the new parameters
        losses = []
        for _ in range(60):
            optimizer.zero_grad()
            loss = (model(x) - (x / 8).sin()).square().mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < 0.2 * losses[0]


@pytest.mark.parametrize(
    ("arguments", "error", "constraint"),
    [
        ({"coverage": 0.0}, ValueError, "fit_domain(coverage=...)` must be a number in (0, 1]"),
        ({"coverage": 1.5}, ValueError, "fit_domain(coverage=...)` must be a number in (0, 1]"),
        ({"keep": "knots"}, ValueError, 'fit_domain(keep=...)` must be one of "spacing", "num'),
        (
            {"data": torch.zeros(3, 5)},
            ValueError,
            "fit_domain(data=...)` must be of shape (..., 2)",
        ),
        ({"data": [torch.zeros(3, 5)]}, ValueError, "must be of shape (..., 2), got shape (3, 5)"),
        ({"data": [torch.zeros(3, 2).int()]}, TypeError, "must be of a floating dtype"),
        ({"data": []}, ValueError, "must be of finite numbers, got a feature without any"),
        ({"data": torch.full((3, 2), torch.inf)}, ValueError, "must be of finite numbers"),
    ],
)
def test_errors(arguments: dict[str, Any], error: type[Exception], constraint: str) -> None:
    for module in (KANLayer(2, 3), KAN([2, 3], norm="none")):
        with pytest.raises(error, match=re.escape(constraint)):
            module.fit_domain(**{"data": torch.zeros(4, 2), **arguments})
