"""Bad input: a message names callable, argument, constraint, what came and what to do."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch

from kanditioned_torch import IMPL_NAMES, KAN, KANLayer, importance, selection, spline_forward
from kanditioned_torch.selection import PACKAGES

C = torch.zeros(3, 5, 4)


@pytest.mark.parametrize(
    ("argument", "value", "error"),
    [
        ("num_control_points", 1, ValueError),
        ("num_control_points", 0, ValueError),
        ("num_control_points", 2.5, TypeError),
        ("num_control_points", "8", TypeError),
        ("in_features", 0, ValueError),
        ("out_features", True, TypeError),
        ("spline_width", 0, ValueError),
        ("spline_width", -1, ValueError),
        ("spline_width", float("nan"), ValueError),
        ("spline_width", "4", TypeError),
        ("init", "identity", ValueError),
        ("init", "ones", ValueError),
        ("impl", "fast", ValueError),
        ("parameterization", "fourier", ValueError),
    ],
)
def test_layer(argument: str, value: Any, error: type[Exception]) -> None:
    arguments = {"in_features": 3, "out_features": 4, argument: value}
    pattern = rf"`KANLayer\({argument}=.*\)` must .*, got .*\. [A-Z].*\."
    with pytest.raises(error, match=pattern):
        KANLayer(**arguments)


@pytest.mark.parametrize("argument", ["impl", "init", "parameterization"])
def test_valid_names_are_listed(argument: str) -> None:
    with pytest.raises(ValueError, match=r'one of (".*", )+".*", got \'no\''):
        KANLayer(3, 4, **{argument: "no"})


def test_unknown_option() -> None:
    with pytest.raises(TypeError, match=r"option must be one of transform, got degree="):
        KANLayer(3, 4, parameterization="dct", degree=3)


@pytest.mark.parametrize(
    ("x", "error", "constraint"),
    [
        (torch.zeros(2, 4), ValueError, "of shape (..., 3), got shape (2, 4)"),
        (torch.zeros(()), ValueError, "of shape (..., 3), got shape ()"),
        (torch.zeros(2, 3, dtype=torch.int64), TypeError, "of a floating dtype, got torch.int64"),
        (torch.zeros(2, 3, device="meta"), ValueError, "on the device of the control points, cpu"),
    ],
)
def test_input(x: torch.Tensor, error: type[Exception], constraint: str) -> None:
    with pytest.raises(error, match=re.escape(f"`spline_forward(x=...)` must be {constraint}")):
        spline_forward(x, C)


@pytest.mark.parametrize(
    ("arguments", "error", "start"),
    [
        ({"control_points": C[0]}, ValueError, "`spline_forward(control_points=...)`"),
        ({"control_points": C[:, :1]}, ValueError, "`spline_forward(num_control_points=...)`"),
        ({"control_points": C.int()}, TypeError, "`spline_forward(control_points=...)`"),
        ({"spline_width": 0.0}, ValueError, "`spline_forward(spline_width=...)`"),
        ({"precision": "low"}, ValueError, "`spline_forward(precision=...)`"),
        ({"feature_major": True, "x": torch.zeros(1, 2, 3)}, ValueError, "`spline_forward(x=...)`"),
    ],
)
def test_function(arguments: dict[str, Any], error: type[Exception], start: str) -> None:
    given = {"x": torch.zeros(2, 3), "control_points": C, **arguments}
    with pytest.raises(error, match=re.escape(start)):
        spline_forward(**given)


@pytest.mark.parametrize("name", PACKAGES)
def test_a_native_implementation_that_is_not_installed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert name in IMPL_NAMES
    monkeypatch.setattr(selection, "entry_points", dict)
    with pytest.raises(ImportError, match=rf'pip install "{PACKAGES[name]}"'):
        KANLayer(3, 4, impl=name)


@pytest.mark.parametrize(
    ("arguments", "error", "constraint"),
    [
        ({"widths": [4]}, ValueError, "KAN(widths=...)` must be a list or tuple of at least two"),
        ({"widths": "48"}, ValueError, "KAN(widths=...)` must be a list or tuple"),
        ({"widths": [4, 0]}, ValueError, "KAN(widths=...)` must be an integer >= 1, got 0"),
        ({"widths": [2, 3]}, ValueError, 'KAN(norm=...)` must be "batch" or "none" before'),
        ({"widths": [4, 3], "norm": "x"}, ValueError, "KAN(norm=...)` must be one of"),
        ({"widths": [4, 3], "dropout": 1.0}, ValueError, "KAN(dropout=...)` must be a number in"),
        ({"widths": [4, 3], "dropout": "x"}, TypeError, "KAN(dropout=...)` must be a number in"),
    ],
)
def test_network(arguments: dict[str, Any], error: type[Exception], constraint: str) -> None:
    with pytest.raises(error, match=re.escape(constraint)):
        KAN(**arguments)


@pytest.mark.parametrize(
    ("width", "dtype"),
    [
        *((1e-40, "float32"), (1e300, "float32"), (1e-13, "float32"), (1e20, "bfloat16")),
        *((2e5, "float16"), (1e-103, "float64"), (1e200, "float64")),
    ],
)
def test_widths_that_a_dtype_cannot_hold(width: float, dtype: str) -> None:
    kind = getattr(torch, dtype)
    pattern = rf"`KANLayer\(spline_width=\.\.\.\)` must be from .* to .* in {dtype} with 32 control"
    with pytest.raises(ValueError, match=pattern):
        KANLayer(1, 1, spline_width=width, dtype=kind)
    with pytest.raises(ValueError, match=rf"`spline_forward\(spline_width=.*in {dtype} with 4"):
        spline_forward(torch.zeros(2, 1, dtype=kind), torch.zeros(1, 4, 1, dtype=kind), width)


@pytest.mark.parametrize(
    ("width", "dtype"),
    [
        *((1e-11, "float32"), (1e19, "float32"), (1e3, "float16"), (1e19, "bfloat16")),
        *((1e-100, "float64"), (1e150, "float64")),
    ],
)
@pytest.mark.parametrize("parameterization", ["bspline", "prefix_sum", "dct", "legendre"])
def test_widths_near_the_limits_compute(width: float, dtype: str, parameterization: str) -> None:
    layer = KANLayer(2, 2, "identity", 32, width, parameterization, dtype=getattr(torch, dtype))
    x = (torch.rand(50, 2, dtype=torch.float64) - 0.5) * width
    x = x.to(layer.theta.dtype).requires_grad_()
    y = layer(x)
    torch.testing.assert_close(y, x, rtol=0.02, atol=0.02 * width)
    for scaling in ("knots", "continuous"):
        value = layer.penalty(scaling)
        (gradient,) = torch.autograd.grad(value, layer.theta, retain_graph=True)
        assert gradient.isfinite().all()
        assert value.isfinite()
    assert all(g.isfinite().all() for g in torch.autograd.grad(y.sum(), (x, layer.theta)))


def test_parameters_that_float16_cannot_hold() -> None:
    pattern = r"`KANLayer\(spline_width=\.\.\.\)` must be such that float16 holds the parameters"
    with pytest.raises(ValueError, match=pattern):
        KANLayer(1, 1, spline_width=1e5, parameterization="legendre", dtype=torch.float16)


def test_domains_that_would_take_too_many_control_points() -> None:
    x = torch.tensor([[1.0], [2e6]])
    with pytest.raises(
        ValueError, match=r'`fit_domain\(keep=\.\.\.\)` must be "num_control_points"'
    ):
        KANLayer(1, 1).fit_domain(x, coverage=1.0)
    fitted = KANLayer(1, 1).fit_domain(x, coverage=1.0, keep="num_control_points")
    assert fitted.spline_width >= 4e6


@pytest.mark.parametrize("data", [np.array([["a", "b"]]), b"ab", np.zeros((2, 2), object)])
def test_data_of_words_is_refused(data: Any) -> None:
    with pytest.raises(TypeError, match=r"`importance\(data=...\)` must be"):
        importance(KANLayer(2, 2), data)
