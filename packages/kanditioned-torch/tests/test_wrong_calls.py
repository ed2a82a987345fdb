"""Every argument of everything public, given what it does not take: one form of message.

The calls are made from the signatures: a new parameter fails here until it has wrong values.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import kanditioned_torch
from kanditioned_torch import (
    KAN,
    KANLayer,
    exportable,
    flatten_edges,
    importance,
    param_groups,
    prune,
    spline_forward,
)

NUMBERS = [0, -1, 2.5, "3", None, True]
NOT_TENSORS = [
    np.zeros((2, 3)),
    [[0.0, 0.0, 0.0]],
    None,
    torch.zeros(2, 3, dtype=torch.int64),
    torch.zeros(2, 3, dtype=torch.complex64),
    torch.zeros(2, 3).to_sparse(),
    torch.zeros(2, 4),
]
NAMES = ["x", 3, None, ["dense"]]
MODELS = [None, 3, "KAN", torch.zeros(3)]
PATHS = [None, 3, 2.5]
WRONG: dict[str, list[Any]] = {
    "in_features": NUMBERS,
    "out_features": NUMBERS,
    "init": NAMES,
    "num_control_points": [1, *NUMBERS],
    "spline_width": [0, -1, float("nan"), float("inf"), "4", None, True, 1e-40, 1e30, 4j],
    "parameterization": NAMES,
    "impl": NAMES,
    "precision": ["low", 3],
    "generator": [3, "a", np.random.default_rng()],
    "device": ["nowhere", "meta:x", 3.5] + ([] if torch.cuda.is_available() else ["cuda"]),
    "dtype": [torch.int64, torch.complex64, "float32", int, np.float32, 3],
    "monotone": [2, "up", 0.5],
    "convex": [2, "up", 0.5],
    "widths": [[4], 4, "48", None, [4, 0], [4, 2.5]],
    "norm": NAMES,
    "residual": ["no", 1, None],
    "dropout": [1.0, -0.1, float("nan"), "x", None],
    "x": NOT_TENSORS,
    "control_points": [
        *NOT_TENSORS,
        torch.zeros(3, 4, 2, dtype=torch.int32),
        torch.zeros(3, 1, 2),
    ],
    "feature_major": ["yes", 1],
    "scaling": ["h", 3, None],
    "intervals": [-1, 1.5, "1", None],
    "data": [3, "data", torch.zeros(2, 4), torch.zeros(2, 3, dtype=torch.int64), [["a"]], [None]],
    "coverage": [0, 1.5, "a", None],
    "keep": NAMES,
    "in_feature": [3, -1, 0.5, "0"],
    "out_feature": [3, -1, 0.5, "0"],
    "tolerance": [-1, float("nan"), "a", None],
    "smoothness": [-1, float("inf"), "a", None],
    "model": MODELS,
    "network": MODELS,
    "layer": MODELS,
    "path": PATHS,
    "max_build_bytes": ["a", -1, 0.5, None],
}
"""Wrong values by the name of the parameter."""
ELSEWHERE = {"edges", "data of plot", "options", "layer_options", "input_map", "self"}
"""Parameters that other modules check: of the main package, and of `InputMap`."""


def layer() -> KANLayer:
    return KANLayer(3, 2, num_control_points=4)


def network() -> KAN:
    return KAN([3, 3, 2], num_control_points=4)


def saved(model: Any, folder: Path) -> dict[str, Any]:
    path = folder / "model"
    model.save(path)
    return {"path": path}


X = torch.zeros(2, 3)
CALLS: dict[str, tuple[Callable[..., Any], Callable[[Path], dict[str, Any]]]] = {
    "KANLayer": (KANLayer, lambda _: {"in_features": 3, "out_features": 2}),
    "KANLayer.from_control_points": (
        KANLayer.from_control_points,
        lambda _: {"control_points": torch.zeros(3, 4, 2)},
    ),
    "KANLayer.forward": (layer().forward, lambda _: {"x": X}),
    "KANLayer.penalty": (layer().penalty, lambda _: {}),
    "KANLayer.reset_parameters": (layer().reset_parameters, lambda _: {}),
    "KANLayer.reparameterize": (layer().reparameterize, lambda _: {"parameterization": "dct"}),
    "KANLayer.refine": (layer().refine, lambda _: {"num_control_points": 7}),
    "KANLayer.widen": (layer().widen, lambda _: {"intervals": 1}),
    "KANLayer.fit_domain": (layer().fit_domain, lambda _: {"data": torch.randn(9, 3)}),
    "KANLayer.to_numpy": (layer().to_numpy, lambda _: {}),
    "KANLayer.to_scipy": (layer().to_scipy, lambda _: {}),
    "KANLayer.save": (layer().save, lambda folder: {"path": folder / "a"}),
    "KANLayer.load": (KANLayer.load, lambda folder: saved(layer(), folder)),
    "KAN": (KAN, lambda _: {"widths": [3, 2]}),
    "KAN.forward": (network().forward, lambda _: {"x": X}),
    "KAN.penalty": (network().penalty, lambda _: {}),
    "KAN.reparameterize": (network().reparameterize, lambda _: {"parameterization": "dct"}),
    "KAN.refine": (network().refine, lambda _: {"num_control_points": 7}),
    "KAN.widen": (network().widen, lambda _: {"intervals": 1}),
    "KAN.fit_domain": (network().fit_domain, lambda _: {"data": torch.randn(9, 3)}),
    "KAN.save": (network().save, lambda folder: {"path": folder / "a"}),
    "KAN.load": (KAN.load, lambda folder: saved(network(), folder)),
    "spline_forward": (
        spline_forward,
        lambda _: {"x": X, "control_points": torch.zeros(3, 4, 2)},
    ),
    "exportable": (exportable, lambda _: {"model": network()}),
    "flatten_edges": (flatten_edges, lambda _: {"layer": layer(), "tolerance": 0.1}),
    "importance": (importance, lambda _: {"model": layer()}),
    "param_groups": (param_groups, lambda _: {"model": network(), "smoothness": 0.0}),
    "prune": (prune, lambda _: {"network": network(), "x": X, "tolerance": 0.1}),
}
"""Everything public with arguments of its own, and arguments that it takes."""
WITHOUT = {
    *("control_points", "infeasibility", "kan_layers", "extra_repr"),  # without arguments
    *("replace_functions", "change_grid", "from_stored", "to_stored"),  # for other modules of ours
    "plot",  # the main package's
}
"""Methods that are not called here."""


def wrong_calls() -> Iterator[tuple[str, str, Any]]:
    for name, (call, _) in CALLS.items():
        for parameter in inspect.signature(call).parameters:
            if parameter not in ELSEWHERE:
                for value in WRONG[parameter]:
                    yield name, parameter, value


def test_everything_public_is_called() -> None:
    named = {name.partition(".")[0] for name in CALLS}
    assert named == set(kanditioned_torch.__all__) - {"IMPL_NAMES", "InputMap"}
    for kind in (KANLayer, KAN):
        ours = (base for base in kind.__mro__ if base.__module__.startswith("kanditioned_torch"))
        names = {name for base in ours for name in vars(base) if not name.startswith("_")}
        methods = {name for name in names if callable(getattr(kind, name))}
        called = {name.partition(".")[2] for name in CALLS if name.startswith(f"{kind.__name__}.")}
        assert methods - WITHOUT == called


@pytest.mark.parametrize("name", CALLS)
def test_the_call_itself_is_right(name: str, tmp_path: Path) -> None:
    call, arguments = CALLS[name]
    call(**arguments(tmp_path))


@pytest.mark.parametrize(("name", "parameter", "value"), list(wrong_calls()))
def test_the_message(name: str, parameter: str, value: Any, tmp_path: Path) -> None:
    call, arguments = CALLS[name]
    with pytest.raises((TypeError, ValueError)) as caught:
        call(**{**arguments(tmp_path), parameter: value})
    form = re.compile(r"`[\w.]+\(([\w]+)=.*\)` must (be|have) .+, got .+\. [A-Z].*\.", re.DOTALL)
    found = form.fullmatch(str(caught.value))
    assert found, str(caught.value)
    assert found[1] == parameter or {found[1], parameter} in (
        {"num_control_points", "control_points"},
        {"name", "parameterization"},
    )
