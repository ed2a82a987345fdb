"""What PyTorch users expect of a layer."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from kanditioned_spec import ResampleWarning, parameterization
from kanditioned_torch import KANLayer, spline_forward

DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
Kind = tuple[str, dict[str, Any]]


def layer_of(kind: Kind, **arguments: Any) -> KANLayer:
    name, options = kind
    defaults = {"in_features": 3, "out_features": 4, "num_control_points": 9}
    return KANLayer(**{**defaults, **arguments}, parameterization=name, **options)


@pytest.mark.parametrize("shape", [(5,), (2, 5), (2, 1, 5), (0,), (2, 0), ()])
def test_any_leading_shape(impl: str, shape: tuple[int, ...]) -> None:
    layer = KANLayer(3, 4, num_control_points=5, impl=impl)
    x = torch.randn(*shape, 3, requires_grad=True)
    y = layer(x)
    assert y.shape == (*shape, 4)
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.shape == x.shape
    torch.testing.assert_close(y, layer(x.reshape(-1, 3)).reshape(y.shape), rtol=0, atol=0)


def test_feature_major(impl: str) -> None:
    x, c = torch.randn(3, 7), torch.randn(3, 5, 4)
    y = spline_forward(x, c, 4.0, impl, feature_major=True)
    assert y.shape == (4, 7)
    torch.testing.assert_close(y, spline_forward(x.t(), c, 4.0, impl).t(), rtol=0, atol=0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes(kind: Kind, dtype: torch.dtype) -> None:
    layer = layer_of(kind, dtype=dtype)
    x = torch.randn(5, 3, dtype=dtype)
    loss = layer(x).square().mean() + layer.penalty()
    loss.backward()
    assert layer(x).dtype == layer.control_points().dtype == layer.theta.dtype == dtype
    assert layer.theta.grad is not None
    assert layer.theta.grad.isfinite().all()


def test_promotion_of_dtypes() -> None:
    layer = KANLayer(3, 4, num_control_points=5)
    assert layer(torch.randn(2, 3, dtype=torch.bfloat16)).dtype == torch.float32
    assert layer(torch.randn(2, 3, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_answers_like_linear(dtype: torch.dtype) -> None:
    layer, linear = KANLayer(3, 4, parameterization="dct"), torch.nn.Linear(3, 4)
    x = torch.randn(5, 3)
    with torch.autocast("cpu", dtype=dtype):
        y, want = layer(x), linear(x)
        assert layer.penalty().dtype == torch.float32
    assert y.dtype == want.dtype == dtype
    torch.testing.assert_close(y, layer(x).to(dtype), rtol=0, atol=0)  # nothing else is rounded


def test_conversions_keep_the_map_exact(kind: Kind) -> None:
    """A detour over half precision leaves the constants of T as the spec has them."""
    name, options = kind
    layer = layer_of(kind).to(torch.bfloat16).double()
    with torch.no_grad():
        layer.theta.normal_()
    spec = parameterization(name, 9, **options)
    want = spec.control_points(layer.theta.detach().numpy())
    np.testing.assert_allclose(layer.control_points().detach().numpy(), want, rtol=1e-12, atol=1e-9)


def test_meta_device(kind: Kind) -> None:
    layer = layer_of(kind, device="meta")
    assert layer(torch.empty(5, 3, device="meta")).shape == (5, 4)
    layer.to_empty(device="cpu")
    layer.reset_parameters(torch.Generator().manual_seed(3))
    other = layer_of(kind, generator=torch.Generator().manual_seed(3))
    assert torch.equal(layer.theta, other.theta)
    assert torch.equal(layer.control_points(), other.control_points())


@pytest.mark.parametrize("assign", [False, True])
def test_parameters_assigned_to_a_layer_without_numbers(kind: Kind, assign: bool) -> None:
    source = layer_of(kind)
    with torch.no_grad():
        source.theta.normal_()
    x = torch.randn(5, 3)
    with torch.device("meta"):
        empty = layer_of(kind)
    if assign:
        empty.load_state_dict(source.state_dict(), assign=True)
    else:
        empty.theta = torch.nn.Parameter(source.theta.detach().clone())
    assert torch.equal(empty(x), source(x))
    assert torch.equal(empty.penalty(), source.penalty())
    with FakeTensorMode():
        fake = layer_of(kind)
    fake.load_state_dict(source.state_dict(), assign=True)
    assert type(fake(x)) is torch.Tensor
    assert torch.equal(fake(x), source(x))


def test_parameters_of_another_dtype_for_a_single_call(kind: Kind) -> None:
    layer = layer_of(kind)
    theta = torch.randn_like(layer.theta, dtype=torch.float64)
    x = torch.randn(5, 3, dtype=torch.float64)
    got = torch.func.functional_call(layer, {"theta": theta}, x)
    wide = layer_of(kind, dtype=torch.float64)
    wide.load_state_dict({"theta": theta})
    assert torch.equal(got, wide(x))
    assert layer(x.float()).dtype == torch.float32


def test_state_dict_holds_parameters_only(kind: Kind) -> None:
    layer, other = layer_of(kind), layer_of(kind)
    assert list(layer.state_dict()) == ["theta"]
    other.load_state_dict(layer.state_dict())
    x = torch.randn(5, 3)
    assert torch.equal(layer(x), other(x))


def test_copies(kind: Kind) -> None:
    layer, x = layer_of(kind).eval(), torch.randn(5, 3)
    with torch.no_grad():
        y = layer(x)
        file = io.BytesIO()
        torch.save(layer, file)
        file.seek(0)
        for twin in (
            copy.deepcopy(layer),
            pickle.loads(pickle.dumps(layer)),
            torch.load(file, weights_only=False),
        ):
            twin.theta.zero_()
            assert torch.equal(layer(x), y)
            assert torch.equal(twin(x), torch.zeros_like(y))


def test_initial_functions(kind: Kind) -> None:
    name, _ = kind
    square = layer_of(kind, out_features=3, init="identity", dtype=torch.float64)
    x = torch.randn(50, 3, dtype=torch.float64) * 3
    torch.testing.assert_close(square(x), x)
    assert not layer_of(kind, init="zero")(x.float()).any()
    if name == "bspline":
        knots = torch.linspace(-2, 2, 9).double()[:, None].expand(-1, 3)
        assert torch.equal(square(knots), knots)  # to the last bit


def test_random_normal_keeps_unit_scale_through_a_stack() -> None:
    first, second = KANLayer(256, 256), KANLayer(256, 256)
    x = torch.randn(2000, 256)
    assert first(x).std().item() == pytest.approx(1, abs=0.05)
    assert second(first(x)).std().item() == pytest.approx(1, abs=0.05)


def test_generators_and_the_global_state() -> None:
    before = torch.random.get_rng_state()
    one = KANLayer(3, 4, generator=torch.Generator().manual_seed(1))
    two = KANLayer(3, 4, generator=torch.Generator().manual_seed(1))
    other = KANLayer(3, 4, generator=torch.Generator().manual_seed(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(one.theta, two.theta)
    assert not torch.equal(one.theta, other.theta)
    assert not torch.equal(KANLayer(3, 4).theta, KANLayer(3, 4).theta)  # no seed of its own


def test_gradients_are_deterministic(impl: str) -> None:
    x, c = torch.randn(400, 3, requires_grad=True), torch.randn(3, 4, 5, requires_grad=True)

    def run() -> tuple[torch.Tensor, ...]:
        y = spline_forward(x, c, 4.0, impl)
        return y, *torch.autograd.grad(y.square().sum(), (x, c))

    torch.use_deterministic_algorithms(True)
    try:
        assert all(map(torch.equal, run(), run()))
    finally:
        torch.use_deterministic_algorithms(False)


def test_control_points_follow_every_write(kind: Kind) -> None:
    """Also writes that PyTorch counts nowhere: a value kept from before would be wrong."""
    layer = layer_of(kind).eval()
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1, fused=True)
    layer(torch.randn(5, 3)).square().mean().backward()
    writes: dict[str, Callable[[torch.Tensor], Any]] = {
        "fused step": lambda _: optimizer.step(),
        "vector": lambda theta: torch.nn.utils.vector_to_parameters(
            torch.randn(theta.numel()), [theta]
        ),
        "moving average": lambda theta: theta.data.mul_(0.5).add_(0.1),
        "clamp": lambda theta: theta.data.clamp_(-0.1, 0.1),
        "NumPy": lambda theta: np.copyto(theta.detach().numpy(), 0.25),
        "new data": lambda theta: setattr(theta, "data", torch.randn_like(theta)),
    }
    for write in writes.values():
        with torch.no_grad():
            layer.control_points()
            write(layer.theta)
            assert torch.equal(layer.control_points(), copy.deepcopy(layer).control_points())


def test_control_points_after_fake_tensors(kind: Kind) -> None:
    layer = layer_of(kind).eval()
    with torch.no_grad():
        with FakeTensorMode(allow_non_fake_inputs=True):
            layer(torch.empty(5, 3))
        assert type(layer(torch.randn(5, 3))) is torch.Tensor


def test_parameters_of_a_single_call() -> None:
    layer = KANLayer(3, 4, parameterization="dct").eval()
    x = torch.randn(5, 3)
    with torch.no_grad():
        for value in (0.0, 1.0):
            theta = {"theta": torch.full_like(layer.theta, value)}
            y = torch.func.functional_call(layer, theta, x)
            assert bool(y.any()) == bool(value)


def test_inference_mode() -> None:
    layer, x = KANLayer(3, 4, parameterization="dct").eval(), torch.randn(5, 3)
    with torch.inference_mode():
        y = layer(x)
    layer.train()
    torch.testing.assert_close(layer(x), y)


def test_other_coordinates_same_functions(kind: Kind) -> None:
    name, options = kind
    layer = KANLayer(3, 4, num_control_points=9, dtype=torch.float64)
    with torch.no_grad():
        layer.theta.normal_()
    x = 3 * torch.randn(50, 3, dtype=torch.float64)
    there = layer.reparameterize(name, **options)
    torch.testing.assert_close(there(x), layer(x))
    torch.testing.assert_close(there.penalty(), layer.penalty())
    torch.testing.assert_close(there.reparameterize("bspline")(x), layer(x))


@pytest.mark.parametrize("count", [17, 33])
def test_refining_and_widening_keep_the_functions(kind: Kind, count: int) -> None:
    layer = layer_of(kind, dtype=torch.float64)
    with torch.no_grad():
        layer.theta.normal_()
    x = 3 * torch.randn(50, 3, dtype=torch.float64)
    finer, wider = layer.refine(count), layer.widen(3)
    assert (finer.num_control_points, wider.num_control_points) == (count, 15)
    assert wider.spline_width == pytest.approx(7.0)
    torch.testing.assert_close(finer(x), layer(x))
    torch.testing.assert_close(wider(x), layer(x))
    # Only the old knots bend, by the same slopes over intervals of 1/m the length.
    times = ((count - 1) // 8) ** 2
    torch.testing.assert_close(finer.penalty() * times, layer.penalty())
    assert finer.parameterization == layer.parameterization


def test_resampling_says_so() -> None:
    with pytest.warns(ResampleWarning, match="17 would keep them exactly"):
        KANLayer(3, 4, num_control_points=9).refine(16)


def test_repr_rebuilds_by_hand() -> None:
    text = repr(KANLayer(3, 4, parameterization="legendre", degree=3))
    assert "3, 4, num_control_points=32, spline_width=4.0" in text
    assert "parameterization='legendre', degree=3" in text
