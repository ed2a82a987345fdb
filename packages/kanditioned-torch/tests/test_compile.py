"""torch.compile, export and custom operators."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._dynamo.testing import CompileCounter

from kanditioned_torch import KAN, KANLayer, spline_forward
from kanditioned_torch.impls.sparse_csr import _interpolate, accumulate, contract

SPECIAL = [math.nan, math.inf, -math.inf, 1e30, -1e30]


@pytest.fixture(autouse=True)
def _fresh_compiler() -> Iterator[None]:
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def results(layer: Callable[..., Tensor], x: Tensor, c: Tensor) -> tuple[Tensor, ...]:
    x, c = x.clone().requires_grad_(), c.clone().requires_grad_()
    y = layer(x, c)
    y.backward(torch.arange(y.numel()).view_as(y).cos())
    assert x.grad is not None
    assert c.grad is not None
    return y, x.grad, c.grad


def test_compiled_is_eager(impl: str) -> None:
    def layer(x: Tensor, c: Tensor) -> Tensor:
        return spline_forward(x, c, 4.0, impl)

    compiled = torch.compile(layer, fullgraph=True)
    c = torch.randn(3, 9, 4, dtype=torch.float64)
    x = torch.randn(11, 3, dtype=torch.float64)
    for rows in (x, torch.cat((x, torch.tensor(SPECIAL, dtype=x.dtype)[:, None].expand(-1, 3)))):
        for got, want in zip(results(compiled, rows, c), results(layer, rows, c), strict=True):
            torch.testing.assert_close(got, want, equal_nan=True)


@pytest.mark.parametrize("transform", ["vmap", "grad", "jacrev", "jvp", "hessian"])
def test_function_transforms_compile(transform: str) -> None:
    c = torch.randn(3, 9, 4, dtype=torch.float64)
    x = torch.randn(5, 3, dtype=torch.float64)

    def layer(x: Tensor) -> Tensor:
        return spline_forward(x, c)

    def loss(x: Tensor) -> Tensor:
        return layer(x).square().sum()

    transformed: dict[str, Callable[[Tensor], Tensor]] = {
        "vmap": torch.func.vmap(layer),
        "grad": torch.func.grad(loss),
        "jacrev": torch.func.jacrev(layer),
        "jvp": lambda x: torch.func.jvp(layer, (x,), (x.cos(),))[1],
        "hessian": torch.func.hessian(loss),
    }
    function = transformed[transform]
    compiled = torch.compile(function, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), function(x))


def test_one_graph_for_all_batch_sizes() -> None:
    model = KAN([4, 8, 3], parameterization="dct", num_control_points=8)
    graphs = CompileCounter()
    compiled = torch.compile(model, backend=graphs, fullgraph=True, dynamic=True)
    for batch in (5, 2, 17, 64):
        assert compiled(torch.randn(batch, 4)).shape == (batch, 3)
    assert graphs.frame_count == 1


def test_a_compiled_model_trains(kind: tuple[str, dict[str, Any]]) -> None:
    name, options = kind
    model = KAN([4, 6, 1], parameterization=name, num_control_points=8, **options)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    x = torch.randn(32, 4)
    losses = []
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(4):
        optimizer.zero_grad()
        loss = (compiled(x) - x.prod(1, keepdim=True)).square().mean() + 1e-4 * model.penalty()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_autocast_compiles() -> None:
    layer = KANLayer(4, 3, num_control_points=8, parameterization="prefix_sum")
    x = torch.randn(5, 4)

    def run(x: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return layer(x)

    compiled = torch.compile(run, fullgraph=True)(x)
    assert compiled.dtype == torch.bfloat16
    torch.testing.assert_close(compiled, run(x))


def test_export_with_dynamic_batch() -> None:
    model = KAN([4, 6, 2], num_control_points=8, impl="embedding").eval()
    batch = torch.export.Dim("batch", min=2)
    exported = torch.export.export(model, (torch.randn(5, 4),), dynamic_shapes=({0: batch},))
    x = torch.randn(9, 4)
    torch.testing.assert_close(exported.module()(x), model(x))


@pytest.mark.parametrize("contraction", ["interpolate", "contract", "accumulate"])
def test_custom_operators_pass_opcheck(contraction: str) -> None:
    interval = torch.randint(0, 7, (6, 3), dtype=torch.int32)
    weight, c, gy = torch.rand(6, 3), torch.randn(3, 9, 4), torch.randn(6, 4)
    operator, arguments = {
        "interpolate": (_interpolate, (interval, weight, c, True)),
        "contract": (contract, (interval, c, gy)),
        "accumulate": (accumulate, (interval, weight, gy, 9, True)),
    }[contraction]
    torch.library.opcheck(operator, arguments)


@pytest.mark.parametrize("norm", ["layer", "batch"])
def test_symbolic_tracing(norm: str) -> None:
    model = KAN([4, 6, 2], norm=norm, residual=True, dropout=0.1, parameterization="dct").eval()
    x = torch.randn(3, 5, 4)
    traced = torch.fx.symbolic_trace(model)
    assert torch.equal(traced(x), model(x))
    assert [node.target for node in traced.graph.nodes if node.op == "call_module"].count(
        "layers.0"
    ) == 1
    whole = torch.fx.symbolic_trace(torch.nn.Sequential(model, KANLayer(2, 3)))
    assert whole(x).shape == (3, 5, 3)


@pytest.mark.parametrize("parameterization", ["bspline", "dct", "prefix_sum"])
def test_symbolic_tracing_of_a_layer_itself(parameterization: str) -> None:
    layer = KANLayer(4, 2, parameterization=parameterization)
    x = torch.randn(3, 4)
    traced = torch.fx.symbolic_trace(layer)
    assert torch.equal(traced(x), layer(x))
