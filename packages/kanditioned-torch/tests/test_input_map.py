"""Input maps as modules: the spec's values, float64 kept, every mode of differentiation."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import kanditioned_spec as spec
from kanditioned_spec import numerics
from kanditioned_torch import KAN, InputMap

RNG = np.random.default_rng
DATA = np.stack(
    [RNG(0).lognormal(size=500), 1.7e9 + 3600 * RNG(1).random(500), RNG(2).integers(0, 3, 500)], 1
)


def quantiles(count: int = 9) -> InputMap:
    return InputMap(spec.InputMap.quantiles(DATA, count))


@pytest.mark.parametrize("count", [2, 9])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_values_and_slopes_are_those_of_the_spec(count: int, dtype: torch.dtype) -> None:
    module = quantiles(count).to(dtype)
    x = torch.tensor(DATA).to(dtype).requires_grad_()
    z = module(x)
    assert z.dtype == dtype
    numbers, name = module.numbers(), str(dtype).removeprefix("torch.")
    given = x.detach().double().numpy()
    want, condition = numbers(given), numerics.input_map_condition(given, numbers)
    allowed = numerics.tolerance(condition, want, name)
    assert (np.abs(z.detach().double().numpy() - want) <= allowed).all()
    (slope,) = torch.autograd.grad(z.sum(), x)
    want = torch.tensor(numbers.slope(given)).to(dtype)
    torch.testing.assert_close(slope, want)


def test_values_never_fall_by_a_rounding() -> None:
    module = quantiles(33).double()
    steps = np.nextafter(DATA, np.inf)
    x = torch.tensor(np.sort(np.concatenate([DATA, steps, module.numbers().breakpoints.T]), axis=0))
    assert (module(x).diff(dim=0) >= 0).all()


def test_the_numbers_stay_in_float64() -> None:
    module = quantiles()
    want = module.breakpoints.clone()
    for change in (torch.nn.Module.half, torch.nn.Module.bfloat16, torch.nn.Module.double):
        change(module)
        assert torch.equal(module.breakpoints, want)
    assert module(torch.tensor(DATA)).dtype == torch.float64
    assert module.to("meta").breakpoints.dtype == torch.float64


@pytest.mark.parametrize(
    ("given", "made", "got"),
    [
        (torch.float64, torch.float32, torch.float32),
        (torch.float64, torch.bfloat16, torch.bfloat16),
        (torch.float64, torch.float64, torch.float64),
        (torch.float32, torch.bfloat16, torch.float32),
        (torch.bfloat16, torch.bfloat16, torch.bfloat16),
        (torch.float32, torch.float64, torch.float64),
    ],
)
def test_dtypes_of_results(given: torch.dtype, made: torch.dtype, got: torch.dtype) -> None:
    module = InputMap(spec.InputMap.affine(0.0, 1.0), dtype=made)
    assert module(torch.zeros(2, 1, dtype=given)).dtype == got


def test_state_dicts_hold_it() -> None:
    module, other = quantiles(), InputMap(spec.InputMap.quantiles(DATA + 1, 9))
    other.load_state_dict(module.state_dict())
    x = torch.tensor(DATA)
    assert torch.equal(other(x), module(x))
    assert list(module.state_dict()) == ["breakpoints", "images"]
    assert not list(module.parameters())


def test_the_inverse_comes_back() -> None:
    module, x = quantiles().double(), torch.tensor(DATA)
    torch.testing.assert_close(module.inverse(module(x)), x)


def test_every_mode_differentiates() -> None:
    module = quantiles().double()
    x = torch.tensor(DATA[:5], requires_grad=True)
    scaled = torch.tensor([1.0, 3600.0, 1.0], dtype=torch.float64)

    def smooth(u: torch.Tensor) -> torch.Tensor:
        return module(x.detach() + scaled * u).sin()

    u = torch.full_like(x, 1e-3).requires_grad_()
    assert torch.autograd.gradcheck(smooth, (u,), check_forward_ad=True, check_batched_grad=True)
    rows = torch.vmap(torch.func.jacrev(module))(x.detach())
    assert torch.equal(
        rows.diagonal(dim1=1, dim2=2), torch.tensor(module.numbers().slope(DATA[:5]))
    )


def test_it_compiles_into_one_graph() -> None:
    module = quantiles()
    compiled = torch.compile(module, fullgraph=True)
    for x in (torch.tensor(DATA), torch.tensor(DATA).float().reshape(5, 100, 3)):
        x.requires_grad_()
        torch.testing.assert_close(compiled(x), module(x))
        got = torch.autograd.grad(compiled(x).sum(), x)
        torch.testing.assert_close(got, torch.autograd.grad(module(x).sum(), x))


def test_non_finite_and_empty_input() -> None:
    module = quantiles()
    x = torch.full((1, 3), torch.nan, requires_grad=True)
    z = module(x)
    assert z.isnan().all()
    assert torch.autograd.grad(z.sum(), x)[0].isnan().all()
    x = torch.tensor([[torch.inf] * 3, [-torch.inf] * 3], requires_grad=True)
    z = module(x)
    assert torch.equal(z, x)
    assert torch.autograd.grad(z.sum(), x)[0].isfinite().all()
    assert module(torch.zeros(0, 3)).shape == (0, 3)
    assert module(torch.zeros(2, 0, 3)).shape == (2, 0, 3)


@pytest.mark.parametrize("kind", ["standardise", "domain", "quantiles"])
def test_maps_are_made_from_loaders(kind: str) -> None:
    x = torch.tensor(DATA)
    want = getattr(spec.InputMap, kind)(DATA)
    loader = DataLoader(TensorDataset(x, x[:, :1]), batch_size=64)
    for data in (x, x.reshape(5, 100, 3), loader):
        got = getattr(InputMap, kind)(data).numbers()
        np.testing.assert_allclose(got.breakpoints, want.breakpoints, rtol=1e-12)
        np.testing.assert_allclose(got.images, want.images, atol=1e-9)
    assert InputMap.affine(0.0, 2.0)(torch.tensor([[4.0]])).item() == 2.0


def test_bad_inputs_are_named() -> None:
    with pytest.raises(ValueError, match=r"`InputMap\(x=.*of shape \(\.\.\., 3\)"):
        quantiles()(torch.zeros(2, 2))
    with pytest.raises(TypeError, match=r"`InputMap\(x=.*floating dtype"):
        quantiles()(torch.zeros(2, 3, dtype=torch.int64))
    with pytest.raises(TypeError, match=r"`InputMap.domain\(data=.*floating dtype"):
        InputMap.domain(torch.zeros(2, 3, dtype=torch.int64))
    with pytest.raises(TypeError, match=r"`InputMap\(x=.*a tensor, got a ndarray"):
        quantiles()(DATA)
    wrong: list[Any] = [None, 3, "rows", [{"x": torch.zeros(2, 3)}], [[["a"]]]]
    for data in wrong:
        with pytest.raises(TypeError, match=r"`InputMap.quantiles\(data=...\)` must be .*, got a"):
            InputMap.quantiles(data)
    with pytest.raises(ValueError, match=r"`InputMap.standardise\(data=...\)` must be of shape"):
        InputMap.standardise([()])
    with pytest.raises(RuntimeError, match="size mismatch"):
        quantiles(8).load_state_dict(quantiles(9).state_dict())


def test_copies_map_alike() -> None:
    module, file = quantiles(), io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    x = torch.tensor(DATA)
    for other in (
        torch.load(file, weights_only=False),
        pickle.loads(pickle.dumps(module)),
        copy.deepcopy(module),
    ):
        assert torch.equal(other(x), module(x))
        assert other.half().breakpoints.dtype == torch.float64


def test_extreme_inputs() -> None:
    """In float16 a time of 1.7e9 is infinite, but not if it comes as float64."""
    module = quantiles().half()
    assert module(torch.tensor(DATA)).isfinite().all()
    assert module(torch.tensor(DATA).half())[:, 1].isinf().all()
    far = torch.tensor([[-3e38] * 3, [3e38] * 3])
    numbers = spec.InputMap.quantiles(1e30 * RNG(0).random((99, 3)))
    torch.testing.assert_close(InputMap(numbers)(far), torch.tensor(numbers(far)).float())


def mapped_network() -> KAN:
    numbers = spec.InputMap.quantiles(RNG(0).lognormal(size=(200, 3)), 8)
    kept = {"input_map": numbers, "monotone": {0: 1}}
    return KAN([3, 4, 2], norm="none", num_control_points=8, **kept)


def test_a_network_with_a_map_on_the_meta_device_takes_parameters() -> None:
    source = mapped_network()
    with torch.device("meta"):
        empty = mapped_network()
    empty.load_state_dict(source.state_dict(), assign=True)
    x = torch.randn(5, 3)
    assert torch.equal(empty(x), source(x))


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore:`torch.jit.trace")
def test_traced_networks_keep_their_map() -> None:
    network, x, other = mapped_network(), torch.randn(5, 3), torch.randn(7, 3).exp()
    for traced in (torch.jit.trace(network, (x,)), torch.fx.symbolic_trace(network)):
        torch.testing.assert_close(traced(other), network(other))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("feature", [0, 1, 2])
def test_the_first_layer_in_input_units_is_the_network(feature: int, dtype: torch.dtype) -> None:
    data = DATA[:, feature, None]
    network = KAN(
        [1, 2], norm="none", input_map=spec.InputMap.quantiles(data, 12), num_control_points=16
    ).to(dtype)
    layer: Any = network.layers[0]
    torch.nn.init.normal_(layer.theta, generator=torch.Generator().manual_seed(0))
    edge = layer.to_scipy(0, input_map=network.input_map)
    steps = [np.nextafter(edge.x, np.inf), np.nextafter(edge.x, -np.inf)]
    spread = network.input_map.inverse(3 * torch.randn(100_000, 1)).numpy()[:, 0]
    x = np.concatenate([spread, data[:, 0], edge.x, *steps, [-1e30, 1e30]])[:, None]
    want, numbers, c = edge(x[:, 0]), network.input_map.numbers(), layer.to_numpy()[1]
    rise = np.abs(np.diff(c, axis=1)).max() * layer.grid.knots_per_unit
    condition = numerics.forward_condition(numbers(x), c, layer.spline_width)
    condition += numerics.input_map_condition(x, numbers) * rise
    allowed = numerics.tolerance(condition, want, str(dtype).removeprefix("torch."))
    assert (np.abs(network(torch.tensor(x)).detach().numpy() - want) <= allowed).all()
    knots, values = layer.to_numpy(0, 1, input_map=network.input_map)
    np.testing.assert_array_equal(knots, edge.x)
    np.testing.assert_allclose(values, edge(knots)[:, 1], atol=1e-12)


@pytest.mark.parametrize("keep", ["spacing", "num_control_points"])
def test_domains_are_fitted_behind_the_map(keep: str) -> None:
    """The first layer's domain is that of the map's images, in units that float32 would lose."""
    times = 1.7e9 + 60 * torch.arange(1000, dtype=torch.float64)[:, None]
    network = KAN([1, 3, 1], norm="none", input_map=InputMap.affine(1.7e9, 1e4), init="zero")
    fitted = network.fit_domain(times, coverage=1.0, keep=keep)
    assert 5.994 <= fitted.layers[0].spline_width / 2 <= 5.994 * 17 / 16 + 4 / 31
    assert torch.equal(fitted.input_map.breakpoints, network.input_map.breakpoints)
    assert torch.equal(fitted(times), network(times))
