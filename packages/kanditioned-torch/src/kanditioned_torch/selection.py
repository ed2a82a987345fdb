"""Which implementation runs: by name, or chosen by `auto` from a table made by measurement.

`auto` takes, for each of the three contractions, the implementation with the lowest predicted time
at the sizes at hand, native ones among them where their packages are installed, and both gradients
in one pass where that is predicted to be faster than the two apart. The table, `selection.json`,
has what predicts it (`kanditioned_spec.costs`), per device kind and mode (eager or compiled).
Regenerate it with `python -m kanditioned_torch.tune`.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import warnings
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from types import ModuleType

import torch

from kanditioned_spec import validate
from kanditioned_spec.costs import SYMBOLIC, Costs, Sizes, cheapest, predicted

from .impls import IMPLS, Impl
from .tracing import is_traced


@dataclass(frozen=True)
class Native:
    """Kernels in a package of their own.

    Attributes:
        package: What to pip-install.
        module: Where its `impl` is.
        device_type: The device kind that it runs on.
    """

    package: str
    module: str
    device_type: str


NATIVE = {
    "cpu": Native("kanditioned-cpu", "kanditioned_cpu.torch", "cpu"),
    "triton": Native("kanditioned-triton", "kanditioned_triton.torch", "cuda"),
}
IMPL_NAMES = ("auto", *IMPLS, *NATIVE)
"""Values of `impl=`."""

_TABLE: dict[str, dict[str, dict[str, dict[str, Costs]]]] = json.loads(
    files(__package__).joinpath("selection.json").read_text(encoding="utf-8")
)


def _import_installed() -> tuple[dict[str, ModuleType], dict[str, ImportError]]:
    """Import the native packages that are installed, here since the compiler cannot trace it."""
    loaded, failed = {}, {}
    for name, native in NATIVE.items():
        if importlib.util.find_spec(native.module.partition(".")[0]) is None:
            continue
        try:
            loaded[name] = importlib.import_module(native.module)
        except ImportError as error:
            failed[name] = error
            warnings.warn(
                f"{native.package} is installed but cannot be imported ({error}), so "
                f'impl="auto" does without it. Reinstall it, or remove it.',
                RuntimeWarning,
                stacklevel=2,
            )
    return loaded, failed


_LOADED, _FAILED = _import_installed()


def check(where: str, impl: str) -> None:
    """Check that `impl` is known and installed.

    Raises:
        ValueError: It is not one of `IMPL_NAMES`.
        ImportError: The package that provides it is missing or broken.
    """
    validate.choice(where, "impl", impl, IMPL_NAMES)
    if impl in NATIVE and impl not in _LOADED:
        package = NATIVE[impl].package
        raise ImportError(
            f'`{where}(impl="{impl}")` must be installed, got '
            f"{_FAILED.get(impl, f'no package {package}')}. "
            f'Install it: pip install "{package}", or use impl="auto".'
        )


def implementation(impl: str, device_type: str, sizes: Sizes) -> Impl:
    """Return the implementation of a name in `IMPL_NAMES`, of which `auto` depends on the sizes."""
    if impl != "auto":
        return named(impl)
    traced = is_traced()
    if traced:
        sizes = Sizes(*(size if isinstance(size, int) else SYMBOLIC for size in sizes))
    return _fastest(device_type, traced, sizes)


def named(impl: str) -> Impl:
    """Return the implementation of a name but `"auto"`.

    Raises:
        ValueError: It is not one of `IMPL_NAMES`.
        ImportError: The package that provides it is missing or broken.
    """
    if impl in IMPLS:
        return IMPLS[impl]
    check("spline_forward", impl)
    native: Impl = _LOADED[impl].impl
    return native


@lru_cache(maxsize=4096)
def _fastest(device_type: str, traced: bool, sizes: Sizes) -> Impl:
    names = chosen(device_type, traced, sizes)
    return Impl(**{contraction: getattr(named(n), contraction) for contraction, n in names.items()})


def chosen(device_type: str, traced: bool, sizes: Sizes) -> dict[str, str]:
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
        return predicted(usable[contraction][names[contraction]], sizes)

    if "vjp" in names and time("vjp") > time("contract") + time("accumulate"):
        del names["vjp"]
    return names


def _usable(name: str, device_type: str) -> bool:
    """Whether an implementation is installed, and its device or library there."""
    if name in NATIVE:
        return name in _LOADED and NATIVE[name].device_type == device_type
    mkl: bool = torch.backends.mkl.is_available()  # type: ignore[no-untyped-call]
    return name != "sparse_csr" or mkl
