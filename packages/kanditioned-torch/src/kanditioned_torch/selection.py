"""Which implementation runs: by name, or chosen by `auto` from a table made by measurement.

The table, `selection.json`, says per device kind and mode (eager or compiled) which implementation
is fastest for each of the three contractions up to a number of control points. Regenerate it with
`python -m kanditioned_torch.tune`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files

import torch
from kanditioned_spec import validate
from torch import Tensor

from .impls import IMPLS

IMPL_NAMES = ("auto", *IMPLS, "cpu", "triton")
"""Values of `impl=`. `cpu` and `triton` are provided by packages of their own."""

_PROVIDERS = {"cpu": "kanditioned-cpu", "triton": "kanditioned-triton"}
_TABLE: dict[str, dict[str, dict[str, list[tuple[int | None, str]]]]] = json.loads(
    files(__package__).joinpath("selection.json").read_text(encoding="utf-8")
)


def check(where: str, impl: str) -> None:
    """Check that `impl` is known and installed.

    Raises:
        ValueError: It is not one of `IMPL_NAMES`.
        ImportError: The package that provides it is not installed.
    """
    validate.choice(where, "impl", impl, IMPL_NAMES)
    if impl != "auto" and impl not in IMPLS:
        raise ImportError(
            f'`{where}(impl="{impl}")` must be installed, got no package {_PROVIDERS[impl]}. '
            f'Install it: pip install "{_PROVIDERS[impl]}", or use impl="auto".'
        )


def implementation(
    contraction: str, impl: str, x: Tensor, shape: torch.Size | tuple[int, ...]
) -> Callable[..., Tensor]:
    """Return the function for a contraction.

    Args:
        contraction: `"interpolate"`, `"contract"` or `"accumulate"`.
        impl: A name in `IMPLS`, or `"auto"`.
        x: The input, for its device.
        shape: (I, K, O).
    """
    name = chosen(contraction, x.device.type, shape[1]) if impl == "auto" else impl
    function: Callable[..., Tensor] = getattr(IMPLS[name], contraction)
    return function


def chosen(contraction: str, device_type: str, num_control_points: int) -> str:
    """Return the name that `auto` stands for."""
    mode = "compiled" if torch.compiler.is_compiling() else "eager"
    steps = _TABLE.get(device_type, _TABLE["other"])[mode][contraction]
    for up_to, name in steps:
        if up_to is None or num_control_points <= up_to:
            return name
    raise LookupError(f"selection.json has no last step for {device_type}, {mode}, {contraction}")
