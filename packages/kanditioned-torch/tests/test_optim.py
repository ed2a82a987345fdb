"""Smoothing by decoupled weight decay."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kanditioned_spec import Grid, penalty
from kanditioned_torch import KAN, KANLayer, param_groups, spline_forward
from kanditioned_torch.optim import RATES, SMOOTHNESS

SEPARATING: tuple[tuple[str, dict[str, Any]], ...] = (
    ("prefix_sum", {}),
    ("dct", {"transform": "fft"}),
    ("dct", {"transform": "matmul"}),
    ("demmler_reinsch", {"smoothing": 1e-2}),
)


def network(name: str = "dct", dtype: torch.dtype = torch.float64, **options: Any) -> KAN:
    model = KAN(
        [4, 6, 2],
        residual=True,
        num_control_points=9,
        parameterization=name,
        dtype=dtype,
        **options,
    )
    with torch.no_grad():
        for layer in model.kan_layers():
            layer.theta.normal_()
    return model


def step(model: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor) -> dict[str, Tensor]:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


def data_loss(model: nn.Module) -> Tensor:
    dtype = next(model.parameters()).dtype
    x = torch.linspace(-1, 1, 20, dtype=dtype).view(5, 4).sin()
    return model(x).square().mean()


@pytest.mark.parametrize(("name", "options"), SEPARATING)
@pytest.mark.parametrize("scaling", ["knots", "continuous"])
def test_decay_is_the_gradient_step_on_the_penalty(
    name: str, options: dict[str, Any], scaling: str
) -> None:
    decayed = network(name, **options)
    penalised = copy.deepcopy(decayed)
    by_groups = torch.optim.SGD(param_groups(decayed, 1e-3, scaling=scaling), lr=0.1)
    got = step(decayed, by_groups, data_loss(decayed))
    loss = data_loss(penalised) + 1e-3 * penalised.penalty(scaling)
    want = step(penalised, torch.optim.SGD(penalised.parameters(), lr=0.1), loss)
    for key in want:
        torch.testing.assert_close(got[key], want[key], rtol=1e-12, atol=1e-12)


def test_adamw_takes_its_own_step_beside_the_decay() -> None:
    model = network()
    plain = copy.deepcopy(model)
    before = [layer.theta.detach().clone() for layer in model.kan_layers()]
    optimizer = torch.optim.AdamW(param_groups(model, 1e-2), lr=1e-2, weight_decay=0.1)
    got = step(model, optimizer, data_loss(model))
    without = [{"params": [layer.theta for layer in plain.kan_layers()], "weight_decay": 0.0}]
    assert plain.residuals is not None
    others = [{"params": list(plain.residuals.parameters())}]
    adamw = torch.optim.AdamW([*without, *others], lr=1e-2, weight_decay=0.1)
    want = step(plain, adamw, data_loss(plain))
    rates = optimizer.param_groups[0][RATES]
    for key, old in zip(("layers.0.theta", "layers.1.theta"), before, strict=True):
        decay = 1e-2 * 1e-2 * rates * old
        assert not decay[:, :2].any()
        assert decay[:, 2:].all()
        torch.testing.assert_close(got[key], want[key] - decay)
    for key in ("residuals.0.weight", "residuals.1.weight"):
        assert torch.equal(got[key], want[key])


def test_strength_hardly_depends_on_the_grid() -> None:
    """Per unit of λ the affine-free coordinates decay alike on every grid."""
    rates = {}
    for name in ("prefix_sum", "dct"):
        for count in (16, 63, 249):
            layer = KANLayer(1, 1, num_control_points=count, parameterization=name)
            rates[name, count] = float(param_groups(layer, 1.0)[0][RATES][2])
    for (name, _), rate in rates.items():
        assert rate == pytest.approx({"prefix_sum": 0.37, "dct": 0.94}[name], rel=0.2)


def test_penalty_under_refinement() -> None:
    coarse = KANLayer(2, 3, num_control_points=9, parameterization="dct", dtype=torch.float64)
    with torch.no_grad():
        coarse.theta.normal_()
    for times in (2, 4):
        fine = coarse.refine(8 * times + 1)
        torch.testing.assert_close(fine.penalty() * times**2, coarse.penalty())
        torch.testing.assert_close(fine.penalty("continuous"), coarse.penalty("continuous") * times)
    # A function that is smooth at the scale of the grid: ∫ s''² of the sine over [-2, 2].
    integral = 2 - torch.sin(torch.tensor(4.0)).item() / 2
    for count in (65, 257):
        sine = torch.linspace(-2, 2, count, dtype=torch.float64).sin().view(1, -1, 1)
        layer = KANLayer.from_control_points(sine, parameterization="prefix_sum")
        assert layer.penalty("continuous").item() == pytest.approx(integral, rel=2 / count)


def best_fit(x: Tensor, y: Tensor, count: int, smoothness: float, scaling: str) -> Tensor:
    """Minimise mean squared error plus penalty exactly, by its normal equations."""
    zero = torch.zeros(1, count, 1, dtype=torch.float64)
    hats = torch.func.jacrev(lambda c: spline_forward(x, c))(zero).reshape(len(x), count)
    differences = torch.eye(count, dtype=torch.float64).diff(n=2, dim=0)
    factor = penalty.scaling_factor(scaling, Grid(count, 4.0))
    curvature = factor * differences.T @ differences
    normal = hats.T @ hats / len(x) + smoothness * curvature
    return hats @ torch.linalg.solve(normal, hats.T @ y / len(x))


def test_best_fits_hardly_depend_on_the_grid() -> None:
    """Minimisers of error plus λ ∫ s''² tend to one function; under `"knots"` they do not."""
    x = 4 * torch.rand(500, 1, dtype=torch.float64) - 2
    y = (2 * x).sin() + 0.3 * torch.randn_like(x)
    change = {}
    for scaling, smoothness in (("continuous", 1e-3), ("knots", 1e-3 * 8**3)):  # equal at K = 33
        coarse, fine = (best_fit(x, y, count, smoothness, scaling) for count in (33, 129))
        change[scaling] = float((fine - coarse).square().mean().sqrt())
    assert 10 * change["continuous"] < change["knots"]


def test_smoothing_flattens_noise_and_keeps_lines() -> None:
    x = torch.linspace(-2, 2, 400)[:, None]
    line, noise = 0.7 * x + 0.3, 0.5 * torch.randn_like(x)
    errors, penalties = [], []
    for smoothness in (0.0, 10.0):
        layer = KANLayer(1, 1, "zero", 33, parameterization="dct")
        optimizer = torch.optim.AdamW(param_groups(layer, smoothness), lr=0.05)
        for _ in range(300):
            step(layer, optimizer, (layer(x) - line - noise).square().mean())
        errors.append(float((layer(x) - line).detach().square().mean()))
        penalties.append(float(layer.penalty("continuous").detach()))
    assert errors[1] < errors[0]
    assert penalties[1] < 0.05 * penalties[0]


def test_the_optimizer_keeps_and_schedules_the_smoothness() -> None:
    model = network()
    optimizer = torch.optim.AdamW(param_groups(model, 1e-2), lr=1e-2)
    optimizer.param_groups[0][SMOOTHNESS] = 5e-3
    other = torch.optim.AdamW(param_groups(model, 0.0), lr=1e-2)
    other.load_state_dict(optimizer.state_dict())
    assert other.param_groups[0][SMOOTHNESS] == 5e-3
    step(model, other, data_loss(model))


def test_half_precision_parameters() -> None:
    model = network(dtype=torch.bfloat16)
    before = [layer.theta.detach().clone() for layer in model.kan_layers()]
    groups = param_groups(model, 1.0)
    optimizer = torch.optim.SGD(groups, lr=0.1)
    step(model, optimizer, 0 * data_loss(model))
    for layer, old in zip(model.kan_layers(), before, strict=True):
        want = (old * (1 - 0.1 * groups[0][RATES])).bfloat16()
        assert torch.equal(layer.theta, want)


def test_a_decay_that_would_overshoot_stops_at_zero() -> None:
    model = network()
    groups = param_groups(model, 1e9)
    step(model, torch.optim.SGD(groups, lr=0.1, weight_decay=0.0), 0 * data_loss(model))
    for layer in model.kan_layers():
        assert not layer.theta[:, 2:].any()
        assert layer.theta[:, :2].all()


def test_steps_that_do_not_happen_do_not_decay() -> None:
    for fused in (False, True):
        model = network(dtype=torch.float32)
        before = copy.deepcopy(model.state_dict())
        optimizer = torch.optim.AdamW(param_groups(model, 1.0), lr=1e-2, fused=fused)
        optimizer.step()  # no parameter has a gradient
        scaler = torch.amp.GradScaler("cpu")
        scaler.scale(data_loss(model) * torch.inf).backward()
        scaler.step(optimizer)
        scaler.update()
        for name, value in model.state_dict().items():
            assert torch.equal(value, before[name])
        optimizer.zero_grad()
        scaler.scale(data_loss(model)).backward()
        scaler.step(optimizer)
        assert not torch.equal(model.layers[0].theta, before["layers.0.theta"])


def test_layers_inside_any_module() -> None:
    shared = KANLayer(3, 3, parameterization="prefix_sum")
    model = nn.Sequential(nn.Linear(4, 3), shared, shared, KANLayer(3, 1, parameterization="dct"))
    first, second, others = param_groups(model, 1e-3)
    assert [len(group["params"]) for group in (first, second, others)] == [1, 1, 2]
    assert "weight_decay" not in others
    assert len(param_groups(KANLayer(3, 1, parameterization="dct"), 1e-3)) == 1


def test_parameterizations_without_curvature_coordinates() -> None:
    model = KAN([4, 3, 1])
    with pytest.raises(
        ValueError, match=re.escape('one of "prefix_sum", "dct", "demmler_reinsch"')
    ):
        param_groups(model, 1e-3)
    (group,) = param_groups(model, 0.0)
    assert group["weight_decay"] == 0
    with pytest.raises(ValueError, match=r"`param_groups\(smoothness=...\)` must be a finite"):
        param_groups(model, -1.0)
