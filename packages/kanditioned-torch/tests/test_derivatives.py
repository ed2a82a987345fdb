"""Derivatives of any order and in both modes, and torch.func."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from kanditioned_spec import Grid
from kanditioned_torch import derivatives, spline_forward
from kanditioned_torch.impls import IMPLS, SplineConfig

Layer = Callable[[Tensor, Tensor], Tensor]


@pytest.fixture
def layer(impl: str) -> Layer:
    return lambda x, c: spline_forward(x, c, 4.0, impl)


@pytest.fixture
def inputs() -> tuple[Tensor, Tensor]:
    """Inputs off the knots, some of them outside the domain, and two that share an interval."""
    x = torch.tensor([[-0.3, 0.7, 9.1], [-0.2, -5.3, 1.2], [1.7, 0.6, -0.1]])
    return x.double().requires_grad_(), torch.randn(3, 5, 4).double().requires_grad_()


def test_first_derivatives(layer: Layer, inputs: tuple[Tensor, Tensor]) -> None:
    assert torch.autograd.gradcheck(layer, inputs, check_forward_ad=True)


def test_second_derivatives(layer: Layer, inputs: tuple[Tensor, Tensor]) -> None:
    assert torch.autograd.gradgradcheck(layer, inputs, check_fwd_over_rev=True)


def test_third_derivatives(impl: str, inputs: tuple[Tensor, Tensor]) -> None:
    x, c = inputs
    gy = torch.randn(3, 4).double().requires_grad_()
    static = SplineConfig(Grid(5, 4.0), impl, "highest")
    assert torch.autograd.gradgradcheck(lambda *a: derivatives.vjp(*a, static), (x, c, gy))


@pytest.mark.parametrize("name", IMPLS)
def test_both_gradients_at_once_are_those_of_each(name: str) -> None:
    x, c, gy = torch.randn(6, 3), torch.randn(3, 5, 4), torch.randn(6, 4)
    static = SplineConfig(Grid(5, 4.0), name, "highest")
    by_x, by_c = derivatives.vjp(x, c, gy, static)
    assert torch.equal(by_x, derivatives.contract(x, c, gy, static, x.dtype))
    assert torch.equal(by_c, derivatives.accumulate(x, None, gy, static, c.dtype))


def test_a_loss_on_the_slope(layer: Layer) -> None:
    x, c = torch.randn(7, 3, requires_grad=True), torch.randn(3, 5, 4, requires_grad=True)
    (slope,) = torch.autograd.grad(layer(x, c).sum(), x, create_graph=True)
    (by_c,) = torch.autograd.grad(slope.square().sum(), c)
    assert by_c.isfinite().all()
    assert by_c.abs().max() > 0


@pytest.mark.parametrize("in_dims", [(0, None), (None, 0), (0, 0), (1, None)])
def test_vmap_is_a_loop(layer: Layer, in_dims: tuple[int | None, int | None]) -> None:
    many = {0: (4, 6, 3), 1: (6, 4, 3), None: (6, 3)}
    x = torch.randn(many[in_dims[0]], dtype=torch.float64)
    c = torch.randn((4, 3, 5, 2) if in_dims[1] == 0 else (3, 5, 2), dtype=torch.float64)
    mapped = torch.func.vmap(layer, in_dims)(x, c)
    rows = [x.select(in_dims[0], n) if in_dims[0] is not None else x for n in range(4)]
    maps = [c[n] if in_dims[1] == 0 else c for n in range(4)]
    looped = torch.stack([layer(*pair) for pair in zip(rows, maps, strict=True)])
    torch.testing.assert_close(mapped, looped)


def test_per_sample_gradients(layer: Layer) -> None:
    x, c = torch.randn(5, 3, dtype=torch.float64), torch.randn(3, 5, 2, dtype=torch.float64)

    def loss(c: Tensor, row: Tensor) -> Tensor:
        return layer(row[None], c).square().sum()

    each = torch.func.vmap(torch.func.grad(loss), (None, 0))(c, x)
    total = torch.func.grad(lambda c: layer(x, c).square().sum())(c)
    torch.testing.assert_close(each.sum(0), total)


def test_jacobians_agree_forward_and_reverse(layer: Layer) -> None:
    x, c = torch.randn(4, 3, dtype=torch.float64), torch.randn(3, 5, 2, dtype=torch.float64)
    for argument in (0, 1):
        reverse = torch.func.jacrev(layer, argument)(x, c)
        torch.testing.assert_close(torch.func.jacfwd(layer, argument)(x, c), reverse)


def test_only_arguments_are_saved(impl: str) -> None:
    """Nothing of size B·I·O or B·I·K is kept between forward and backward."""
    saved: list[Tensor] = []
    x, c = torch.randn(64, 8, requires_grad=True), torch.randn(8, 16, 4, requires_grad=True)

    def keep(tensor: Tensor) -> Tensor:
        saved.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        spline_forward(x, c, 4.0, impl)
    assert {t.data_ptr() for t in saved} <= {x.data_ptr(), c.data_ptr()}
