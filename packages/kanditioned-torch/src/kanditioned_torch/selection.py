"""Which implementation runs: by name, or chosen by `auto` from a table made by measurement.

`auto` takes, for each of the three contractions, the implementation with the lowest predicted time
at the sizes at hand, native ones among them where their packages are installed, and both gradients
in one pass where that is predicted to be faster than the two apart. The table, `selection.json`,
has what predicts it (`kanditioned_spec.costs`), per device kind and mode (eager or compiled).

Packages with kernels register by an entry point of the group `kanditioned_torch.impls`: its name is
the value of `impl=`, and it names an `impls.native.Native`. It is read at first use, so importing
this package imports none of them.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
from importlib.resources import files

import torch

from kanditioned_spec import validate
from kanditioned_spec.costs import SYMBOLIC, Costs, Sizes, cheapest, predict

from .impls import IMPLS, Impl
from .impls.native import Native
from .impls.shaping import Shaping
from .tracing import assume_constant_result, is_traced

ENTRY_POINT_GROUP = "kanditioned_torch.impls"
PACKAGES = {"cpu": "kanditioned-cpu", "triton": "kanditioned-triton"}
"""What to pip-install for the native implementations of this project."""
IMPL_NAMES = ("auto", *IMPLS, *PACKAGES)
"""Values of `impl=`; other packages may add some."""

_TABLE: dict[str, dict[str, dict[str, dict[str, Costs]]]] = json.loads(
    files(__package__).joinpath("selection.json").read_text(encoding="utf-8")
)


@functools.cache
def entry_points() -> dict[str, importlib.metadata.EntryPoint]:
    """Return the entry points of installed packages with kernels, by name; none is loaded."""
    found = importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)
    return {point.name: point for point in found if point.name not in ("auto", *IMPLS)}


@functools.cache
def native(name: str) -> Native | ImportError:
    """Return what an installed package has registered under a name, or why that is impossible."""
    try:
        loaded = entry_points()[name].load()
    except ImportError as error:
        return error
    if not isinstance(loaded, Native):
        return ImportError(f"its entry point {name!r} names no Native")
    return loaded


@assume_constant_result
def check(where: str, impl: str) -> None:
    """Check that `impl` is known and installed.

    The compiler takes it for a constant, since it cannot follow how packages are found.

    Raises:
        ValueError: It is not the name of an implementation.
        ImportError: The package that provides it is missing or broken.
    """
    if isinstance(impl, str) and (impl == "auto" or impl in IMPLS):
        return
    validate.choice(where, "impl", impl, dict.fromkeys((*IMPL_NAMES, *entry_points())))
    package = PACKAGES.get(impl, impl)
    found = native(impl) if impl in entry_points() else f"no package {package}"
    if not isinstance(found, Native):
        raise ImportError(
            f'`{where}(impl="{impl}")` must be installed, got {found}. '
            f'Install it: pip install "{package}", or use impl="auto".'
        )


def implementation(impl: str, device_type: str, sizes: Sizes) -> Impl:
    """Return the implementation of a name, of which `"auto"` depends on the sizes."""
    if not is_traced():
        return untraced_implementation(impl, device_type, *sizes)
    if impl != "auto":
        return implementation_named(impl)
    known = (size if isinstance(size, int) else SYMBOLIC for size in sizes)
    return _fastest(device_type, True, Sizes(*known))


@functools.lru_cache(maxsize=4096)
def untraced_implementation(impl: str, device_type: str, *sizes: int) -> Impl:
    """As `implementation`, where nothing is recorded by a compiler."""
    return (
        implementation_named(impl)
        if impl != "auto"
        else _fastest(device_type, False, Sizes(*sizes))
    )


@functools.cache
def implementation_named(impl: str) -> Impl:
    """Return the implementation of a name but `"auto"`.

    Raises:
        ValueError: It is not the name of one.
        ImportError: The package that provides it is missing or broken.
    """
    if impl in IMPLS:
        return IMPLS[impl]
    check("spline_forward", impl)
    found = native(impl)
    assert isinstance(found, Native)
    return found.impl


@functools.lru_cache(maxsize=4096)
def _fastest(device_type: str, traced: bool, sizes: Sizes) -> Impl:
    names = choose(device_type, traced, sizes)
    chosen = {
        contraction: getattr(implementation_named(n), contraction)
        for contraction, n in names.items()
    }
    return Impl(**chosen, direct=implementation_named(names["interpolate"]).direct)


def choose(device_type: str, traced: bool, sizes: Sizes) -> dict[str, str]:
    """Return the name of the implementation that `auto` takes for each contraction.

    `"vjp"`, both gradients in one pass, is among them only where it is the faster way.
    """
    table = _TABLE.get(device_type, _TABLE["other"])["compiled" if traced else "eager"]
    usable = {
        contraction: {name: costs for name, costs in each.items() if _usable(name, device_type)}
        for contraction, each in table.items()
    }
    names = {contraction: cheapest(each, sizes) for contraction, each in usable.items() if each}

    def time(contraction: str) -> float:
        return predict(usable[contraction][names[contraction]], sizes)

    if "vjp" in names and time("vjp") > time("contract") + time("accumulate"):
        del names["vjp"]
    return names


@functools.cache
def shaping(device_type: str) -> Shaping | None:
    """Return native kernels for feasible control points on a device kind, if any are installed."""
    for name in entry_points():
        if _usable(name, device_type):
            found = native(name)
            if isinstance(found, Native) and found.shaping is not None:
                return found.shaping
    return None


@functools.cache
def _usable(name: str, device_type: str) -> bool:
    """Whether an implementation is installed, and its device or library there."""
    if name in IMPLS:
        mkl: bool = torch.backends.mkl.is_available()  # type: ignore[no-untyped-call]
        return name != "sparse_csr" or mkl
    if name not in entry_points():
        return False
    found = native(name)
    if isinstance(found, Native):
        return found.device_type == device_type
    validate.warn(
        f"{PACKAGES.get(name, name)} is installed but cannot be imported ({found}), so "
        f'impl="auto" does without it. Reinstall it, or remove it.',
        RuntimeWarning,
    )
    return False
