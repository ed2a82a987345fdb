"""Which implementation runs: by name, or chosen by `auto` from a table made by measurement.

For each of the three contractions it takes the one with the lowest predicted time at the sizes at
hand. The table, `selection.json`, has what predicts it (`kanditioned_spec.costs`), per device kind.
Regenerate it with `python -m benchmarks.tune.jax`.
"""

from __future__ import annotations

import json
from importlib.resources import files

from jax.export import is_symbolic_dim

from kanditioned_spec import validate
from kanditioned_spec.costs import SYMBOLIC, Costs, Sizes, cheapest

from .impls import IMPLS, PRECISIONS, Impl

IMPL_NAMES = ("auto", *IMPLS)
"""Values of `impl=`."""

_TABLE: dict[str, dict[str, dict[str, Costs]]] = json.loads(
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


def check_evaluation(where: str, impl: str, precision: str | None) -> tuple[str, str | None]:
    """Return how to evaluate if that is known, see `check` and `check_precision`."""
    return check(where, impl), check_precision(where, precision)


def implementation(impl: str, on_cpu: bool, sizes: Sizes) -> Impl:
    """Return the implementation of a name in `IMPL_NAMES`, of which `auto` depends on the sizes."""
    if impl != "auto":
        return IMPLS[impl]
    known = Sizes(*(SYMBOLIC if is_symbolic_dim(size) else size for size in sizes))
    names = choose("cpu" if on_cpu else "other", known)
    return Impl(**{contraction: getattr(IMPLS[n], contraction) for contraction, n in names.items()})


def choose(device_kind: str, sizes: Sizes) -> dict[str, str]:
    """Return the implementation that `auto` takes for each contraction."""
    return {
        contraction: cheapest(costs, sizes) for contraction, costs in _TABLE[device_kind].items()
    }
