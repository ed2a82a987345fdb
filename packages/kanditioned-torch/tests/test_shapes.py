"""Feasible control points in PyTorch: the spec's values, every mode of differentiation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kanditioned_spec import Shapes, numerics
from kanditioned_torch import selection, shapes


@pytest.fixture(params=["native", "composed"], autouse=True)
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to the points: the kernels of a package that is installed, and PyTorch's own."""
    if request.param == "composed":
        monkeypatch.setattr(selection, "shaping", lambda device_type: None)
    elif selection.shaping("cpu") is None:
        pytest.skip("no package with kernels is installed")


SIGNS = [(m, c) for m in (-1, 0, 1) for c in (-1, 0, 1) if m or c]
EACH = pytest.mark.parametrize(("monotone", "convex"), SIGNS)


def free_points(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    numbers = np.random.default_rng(0).normal(size=shape)
    return torch.tensor(numbers).to(dtype)


@EACH
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_and_gradients_are_those_of_the_spec(
    monotone: int, convex: int, dtype: torch.dtype
) -> None:
    spec = Shapes((monotone, 0, 1), (convex, 0, 0))
    c = free_points(3, 17, 20, dtype=dtype).requires_grad_()
    g = free_points(3, 17, 20, dtype=dtype).flip(0)
    points = shapes.feasible(c, spec)
    name, numbers = str(dtype).removeprefix("torch."), c.detach().double().numpy()
    want, condition = spec.feasible(numbers), numerics.shape_condition(numbers, spec)
    allowed = numerics.tolerance(condition, want, name)
    assert (np.abs(points.detach().double().numpy() - want) <= allowed).all()
    (got,) = torch.autograd.grad(points, c, g)
    want = spec.vjp(numbers, g.double().numpy())
    np.testing.assert_allclose(
        got.numpy(), want, atol=numerics.CONSTANT * 17 * torch.finfo(dtype).eps
    )


@EACH
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_no_violation_of_one_rounding(
    monotone: int, convex: int, dtype: torch.dtype, size: float
) -> None:
    spec = Shapes((monotone,), (convex,))
    c = size * free_points(1, 33, 2000, dtype=dtype)
    for free in (c, c.cumsum(1), c.cumsum(1).cumsum(1)):
        points = shapes.feasible(free, spec)
        assert spec.violations(points.numpy()) == 0
        assert torch.equal(shapes.feasible(points, spec), points)


def test_every_mode_differentiates() -> None:
    spec = Shapes((1, 0, -1), (0, 1, 1))
    c = free_points(3, 6, 2, dtype=torch.float64).requires_grad_()

    def smooth(c: torch.Tensor) -> torch.Tensor:
        return shapes.feasible(c, spec).sin()

    assert torch.autograd.gradcheck(
        smooth,
        (c,),
        check_forward_ad=True,
        check_batched_grad=True,
        check_batched_forward_grad=True,
    )
    assert torch.autograd.gradgradcheck(smooth, (c,), check_fwd_over_rev=True)


def test_many_layers_at_once() -> None:
    spec = Shapes((1, 0), (0, -1))
    c = free_points(5, 2, 9, 3)
    together = torch.vmap(lambda each: shapes.feasible(each, spec))(c)
    for got, each in zip(together, c, strict=True):
        assert torch.equal(got, shapes.feasible(each, spec))


def test_it_compiles_into_one_graph() -> None:
    torch.compiler.reset()
    spec = Shapes((1, 0, -1), (0, 1, 1))
    c = free_points(3, 9, 4).requires_grad_()
    compiled = torch.compile(lambda c: shapes.feasible(c, spec).square().sum(), fullgraph=True)
    loss, want = compiled(c), shapes.feasible(c, spec).square().sum()
    torch.testing.assert_close(loss, want)
    got = torch.autograd.grad(loss, c)
    torch.testing.assert_close(got, torch.autograd.grad(want, c))


def test_the_operator_is_registered_well() -> None:
    arguments = free_points(2, 7, 3), torch.tensor([0.0, 1.0]).reshape(2, 1, 1)
    torch.library.opcheck(shapes.hull, arguments)


def test_what_is_not_finite_stays() -> None:
    spec = Shapes((1, 0), (0, 1))
    c = free_points(2, 7, 2)
    clean = shapes.feasible(c, spec)
    c[0, 3, 0], c[1, 2, 1] = torch.nan, torch.inf
    points = shapes.feasible(c, spec)
    assert torch.equal(points[0, :, 0].nan_to_num(7), c[0, :, 0].nan_to_num(7))
    assert torch.equal(points[1, :, 1], c[1, :, 1])
    assert torch.equal(points[0, :, 1], clean[0, :, 1])
    assert torch.equal(points[1, :, 0], clean[1, :, 0])


def test_parts_of_the_features_are_refused() -> None:
    with pytest.raises(ValueError, match="of all 3 features, got 2 of them"):
        shapes.feasible(free_points(2, 5, 1), Shapes((1, 0, 0), (0, 0, 0)))
