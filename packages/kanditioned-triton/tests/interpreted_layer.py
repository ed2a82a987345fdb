"""Tests of the operators and of the layer in Triton's interpreter, run by `test_interpreter`."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from interpreted_problems import WIDTH, arguments, operators

from kanditioned_torch import KANLayer, spline_forward


class TestOperators:
    """PyTorch's own checks: schema, fake tensors, tracing."""

    CHECKS = ("test_schema", "test_faketensor", "test_aot_dispatch_static")

    @pytest.mark.parametrize("has_direction", [False, True])
    def test_opcheck(self, has_direction: bool) -> None:
        x, v, c, gy = arguments((5, 3, 9, 2))
        direction = v if has_direction else None
        last = (WIDTH, torch.bfloat16, "highest")
        for operator, given in (
            (operators.interpolate, (x, direction, c, *last)),
            (operators.contract, (x, c, gy, *last)),
            (operators.accumulate, (x, direction, gy, 9, *last)),
        ):
            torch.library.opcheck(operator, given, test_utils=self.CHECKS)

    def test_same_bits_twice(self) -> None:
        x, v, c, gy = arguments((150, 3, 37, 11))
        for call in (
            lambda: operators.interpolate(x, v, c, WIDTH, torch.float32, "high"),
            lambda: operators.contract(x, c, gy, WIDTH, torch.float32, "high"),
            lambda: operators.accumulate(x, v, gy, 37, WIDTH, torch.float32, "high"),
        ):
            assert torch.equal(call(), call())


class TestLayer:
    def test_fullgraph(self) -> None:
        layer = KANLayer(3, 2, num_control_points=9, impl="triton", precision="highest")
        x = torch.rand(5, 3, requires_grad=True)
        compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
        for one, other in zip(
            torch.autograd.grad(compiled(x).sum(), [x, *layer.parameters()]),
            torch.autograd.grad(layer(x).sum(), [x, *layer.parameters()]),
            strict=True,
        ):
            assert torch.equal(one, other)

    def test_loss_on_the_derivative(self) -> None:
        x, _, c, _ = arguments((6, 3, 9, 2))
        results = []
        for impl in ("triton", "embedding"):
            leaf, control_points = x.clone().requires_grad_(), c.clone().requires_grad_()
            y = spline_forward(leaf, control_points, WIDTH, impl, precision="highest")
            (slope,) = torch.autograd.grad(y.sum(), leaf, create_graph=True)
            results.append(torch.autograd.grad(slope.square().sum(), control_points)[0])
        torch.testing.assert_close(*results)

    def test_functional_transforms(self) -> None:
        x, v, c, _ = arguments((6, 3, 9, 2))

        def layer(impl: str) -> Any:
            return lambda x: spline_forward(x, c, WIDTH, impl, precision="highest")

        for one, other in itertools.pairwise(
            torch.func.jvp(layer(impl), (x,), (v,))[1] for impl in ("triton", "embedding")
        ):
            torch.testing.assert_close(one, other)
        one, other = (torch.func.vmap(torch.func.jacrev(layer(i)))(x) for i in ("triton", "dense"))
        torch.testing.assert_close(one, other)

    def test_autocast(self) -> None:
        layer = KANLayer(3, 2, num_control_points=9, impl="triton")
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert layer(torch.rand(5, 3)).dtype == torch.bfloat16
