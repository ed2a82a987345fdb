"""Bad input: a message names callable, argument, constraint, what came and what to do."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

from kanditioned_torch import IMPL_NAMES, KAN, KANLayer, selection, spline_forward
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
