"""A wrong argument is named with its callable, whichever it is: calls made from the signatures."""

from __future__ import annotations

import inspect
import math
import re
from typing import Any

import numpy as np
import pytest

import kanditioned
from kanditioned import plot_edges, plot_layer, plot_network

LAYER, NETWORK = kanditioned.torch.KANLayer(3, 2), kanditioned.torch.KAN([3, 2])
PUBLIC: dict[str, tuple[Any, dict[str, Any]]] = {
    "plot_edges": (plot_edges, {"control_points": np.ones((3, 4, 2)), "spline_width": 4.0}),
    "plot_layer": (plot_layer, {"layer": LAYER}),
    "plot_network": (plot_network, {"model": NETWORK}),
}
WRONG = (
    None, "a", -1, 0, 2.5, math.nan, [], {}, 1j, b"x", object(), len,
    np.zeros((2, 2)), np.zeros(3, int),
)  # fmt: skip


def refusal(call: Any, arguments: dict[str, Any]) -> str:
    """Return the message of a wrong call, or nothing where the call is right."""
    try:
        call(**arguments)
    except (TypeError, ValueError) as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        (name, parameter.name)
        for name, (call, _) in PUBLIC.items()
        for parameter in inspect.signature(call).parameters.values()
        if parameter.kind is not parameter.VAR_KEYWORD
    ],
)
def test_a_wrong_argument_is_named(
    name: str, argument: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # some values are good names of files
    call, right = PUBLIC[name]
    for value in WRONG:
        message = refusal(call, {**right, argument: value})
        found = re.fullmatch(
            r"`plot_(?:edges|layer|network)\((\w+)=\.\.\.\)` must be .+, got .+\. .+",
            message,
            re.DOTALL,
        )
        assert found or not message, f"{argument}={value!r}: {message}"
        if type(value) is object:
            assert found, f"{argument} takes anything"
            assert found[1] == argument
