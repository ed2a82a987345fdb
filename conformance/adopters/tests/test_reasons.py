"""The reasons in the files of expected failures, each shown without the kit.

A test here that fails means that the implementation has changed: so does its row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

END = 2.0
KNOTS = np.linspace(-END, END, 5)
NOT_FINITE = [np.nan, np.inf]


def test_scikit_learn_takes_inputs_for_outside_from_the_second_feature_on() -> None:
    from sklearn.preprocessing import SplineTransformer

    x = np.array([[-1.5, -1.5]])
    grid = np.stack([KNOTS, KNOTS], axis=1)
    made = SplineTransformer(degree=1, knots=grid, extrapolation="linear").fit(grid)
    first, second = np.split(made.transform(x)[0], 2)
    assert first.tolist() == [0.5, 0.5, 0, 0, 0]
    assert second.tolist() == [0, 1.5, 0, 0, 0]


@pytest.mark.parametrize("x", [np.empty((0, 1)), *([[value]] for value in NOT_FINITE)])
def test_scikit_learn_refuses(x: Any) -> None:
    from sklearn.preprocessing import SplineTransformer

    made = SplineTransformer(degree=1, knots=KNOTS[:, None]).fit(KNOTS[:, None])
    with pytest.raises(ValueError, match=r"0 sample|NaN|infinity"):
        made.transform(x)


@pytest.mark.parametrize("value", NOT_FINITE)
def test_scipy_refuses(value: float) -> None:
    from scipy.interpolate import BSpline, make_interp_spline

    with pytest.raises(ValueError, match="infs or nans"):
        make_interp_spline(KNOTS, [0, 1, value, 1, 0], k=1)
    with pytest.raises(ValueError, match="infs or nans"):
        BSpline.design_matrix([value], [-END, *KNOTS, END], 1, extrapolate=True)


def test_scipy_adds_infinities_of_opposite_sign() -> None:
    from scipy.interpolate import make_interp_spline

    rising = make_interp_spline(KNOTS, 1 + KNOTS, k=1)
    assert np.isnan(rising(np.inf))
    assert rising(1e300) == 1e300


def last_slope(basis: Any) -> float:
    """Return the slope of the last hat at the right end; it is 1 on the left, -1 on the right."""
    x = torch.tensor([[END]], requires_grad=True)
    (slope,) = torch.autograd.grad(basis(x).reshape(-1)[-1], x)
    return slope.item()


def test_pykan_at_the_right_end_and_for_nan() -> None:
    from kan.spline import B_batch, extend_grid

    grid = extend_grid(torch.tensor(KNOTS[None], dtype=torch.float32), k_extend=1)
    assert last_slope(lambda x: B_batch(x, grid, k=1)) == -1
    assert not B_batch(torch.full((1, 1), torch.nan), grid, k=1).any()


def test_efficient_kan_at_the_right_end_and_for_nan_and_empty() -> None:
    from efficient_kan import KANLinear

    layer = KANLinear(1, 1, 4, 1, grid_range=[-END, END])
    assert last_slope(layer.b_splines) == -1
    assert layer.b_splines(torch.full((1, 1), torch.nan)).isnan().all()
    with pytest.raises(RuntimeError, match="0 elements"):
        layer(torch.empty(0, 1))


def test_kanx_at_the_right_end_and_for_nan() -> None:
    from strangers.kan_libraries import kanx

    from kanditioned_spec import Problem

    p, identity = Problem(1, 1, 5, 5), torch.eye(5)[None]
    assert last_slope(lambda x: kanx(p, x, identity)) == -1
    assert kanx(p, torch.full((1, 1), torch.nan), identity).isnan().all()


def test_jaxkan_at_the_right_end_and_for_nan() -> None:
    import jax
    import jax.numpy as jnp
    from strangers.jaxkan_layer import evaluate

    from kanditioned_spec import Problem

    p, identity = Problem(1, 1, 5, 5), jnp.eye(5)[None]

    def last(x: float) -> jax.Array:
        return evaluate(p, jnp.array([[x]]), identity)[0, -1]

    assert jax.grad(last)(END) == -1
    assert jax.grad(last)(jnp.nan) == 0
    assert jnp.isnan(evaluate(p, jnp.array([[jnp.nan]]), identity)).all()


def test_flashkan_is_cubic() -> None:
    from flashkan import KANLayer
    from flashkan.basis import bspline_basis_eager

    layer = KANLayer(1, 1, 4, 1, grid_range=(-END, END))
    basis = bspline_basis_eager(torch.tensor([[0.5]]), layer.grid_starts, layer.inv_h)
    cubic = torch.tensor([1, 23, 23, 1, 0]) / 48
    torch.testing.assert_close(basis[0, 0], cubic)
    nan = torch.full((1, 1), torch.nan, requires_grad=True)
    basis = bspline_basis_eager(nan, layer.grid_starts, layer.inv_h)
    assert basis.isnan().all()
    assert torch.autograd.grad(basis.sum(), nan)[0] == 0


def test_pytorch_lattice_on_a_knot_and_for_nan() -> None:
    from pytorch_lattice.layers import NumericalCalibrator

    def slope(at: float) -> float:
        increments = torch.tensor([[0.0], [1.0], [3.0], [0.0], [0.0]], dtype=torch.float64)
        x = torch.full((1, 1), at, dtype=torch.float64, requires_grad=True)
        y = torch.func.functional_call(NumericalCalibrator(KNOTS), {"kernel": increments}, x)
        return torch.autograd.grad(y.sum(), x)[0].item()

    assert slope(0.0) == 1.5, "the slopes beside this knot are 3 and 0"
    assert slope(np.nan) == 4.0


def test_torch_has_no_second_derivative_of_an_empty_embedding() -> None:
    weight = torch.rand(5, 3, requires_grad=True)
    y = torch.nn.functional.embedding(torch.zeros(0, 2, dtype=torch.long), weight)
    grad_y = torch.zeros_like(y).requires_grad_()
    (first,) = torch.autograd.grad(y, weight, grad_y, create_graph=True)
    with pytest.raises(RuntimeError, match="0 elements"):
        torch.autograd.grad(first, grad_y, torch.ones_like(first))
