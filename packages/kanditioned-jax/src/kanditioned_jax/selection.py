"""Which implementation runs: by name, or chosen by `auto` from a table made by measurement.

The table, `selection.json`, says per device kind which implementation is fastest for each of the
three contractions up to a number of control points, and for the last one apart if the batch has at
most `FEW` rows: then a lookup mostly clears and writes its own sums. Regenerate it with
`python -m kanditioned_jax.tune`.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from jax.export import is_symbolic_dim

from kanditioned_spec import validate

from .impls import IMPLS, PRECISIONS, Impl

IMPL_NAMES = ("auto", *IMPLS)
"""Values of `impl=`."""

FEW = 8
"""Rows. The gradient of control points by `dense` took 0.56 to 0.97 of the time by `lookup` at 8
rows and 0.92 to 1.28 at 16, for K = 8 to 256 (two CPU cores, jax 0.10.2, 2026-11)."""

Table = dict[str, dict[str, list[tuple[int | None, str]]]]
_TABLE: Table = json.loads(
    files(__package__).joinpath("selection.json").read_text(encoding="utf-8")
)


def check(where: str, impl: str) -> str:
    """Return `impl` if it is known.

    Raises:
        ValueError: It is not one of `IMPL_NAMES`.
    """
    return validate.choice(where, "impl", impl, IMPL_NAMES)


def check_precision(where: str, precision: str | None) -> str | None:
    """Return `precision` if it is known.

    Raises:
        ValueError: It is neither None nor one of `impls.PRECISIONS`.
    """
    if precision is None:
        return None
    return validate.choice(where, "precision", precision, PRECISIONS)


def implementation(impl: str, on_cpu: bool, num_control_points: int, batch: Any) -> Impl:
    """Return the implementation of a name in `IMPL_NAMES`; `batch` may be symbolic: many rows."""
    if impl != "auto":
        return IMPLS[impl]
    fastest = chosen("cpu" if on_cpu else "other", num_control_points)
    few = not is_symbolic_dim(batch) and batch <= FEW
    return Impl(
        IMPLS[fastest["interpolate"]].interpolate,
        IMPLS[fastest["contract"]].contract,
        IMPLS[fastest["accumulate_few" if few else "accumulate"]].accumulate,
    )


def chosen(device_kind: str, num_control_points: int) -> dict[str, str]:
    """Return the implementation that `auto` takes for each contraction."""
    names = {}
    for contraction, steps in _TABLE[device_kind].items():
        fitting = (name for up_to, name in steps if up_to is None or num_control_points <= up_to)
        names[contraction] = next(fitting)
    return names
