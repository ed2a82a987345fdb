"""Which implementation runs: by name, or chosen by `auto` from a table made by measurement.

`auto` takes the native implementation of the device where its package is installed. Otherwise the
table, `selection.json`, says per device kind and mode (eager or compiled) which stock
implementation is fastest for each of the three contractions up to a number of control points; for
`accumulate` also where there are few samples, no more than control points.
Regenerate it with `python -m kanditioned_torch.tune`.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import warnings
from dataclasses import dataclass
from importlib.resources import files
from types import ModuleType

import torch
from torch import Tensor

from kanditioned_spec import validate

from .impls import IMPLS, Impl
from .impls.base import Accumulate
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

_TABLE: dict[str, dict[str, dict[str, list[tuple[int | None, str]]]]] = json.loads(
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


def implementation(impl: str, device_type: str, num_control_points: int) -> Impl:
    """Return the implementation of a name in `IMPL_NAMES`."""
    if impl == "auto":
        impl = native_of(device_type) or impl
    if impl in _LOADED:
        native: Impl = _LOADED[impl].impl
        return native
    if impl != "auto":
        if impl not in IMPLS:
            check("spline_forward", impl)
        return IMPLS[impl]
    fastest = chosen(device_type, num_control_points)
    return Impl(
        IMPLS[fastest["interpolate"]].interpolate,
        IMPLS[fastest["contract"]].contract,
        _by_batch(IMPLS[fastest["accumulate_few"]], IMPLS[fastest["accumulate"]]),
    )


def _by_batch(few: Impl, many: Impl) -> Accumulate:
    """Choose when it is called: only then may a compiler fix how the batch compares to K."""

    def accumulate(
        x: Tensor,
        direction: Tensor | None,
        grad_y: Tensor,
        num_control_points: int,
        spline_width: float,
        dtype: torch.dtype,
        precision: str,
    ) -> Tensor:
        impl = few if x.shape[0] <= num_control_points else many
        return impl.accumulate(
            x, direction, grad_y, num_control_points, spline_width, dtype, precision
        )

    return many.accumulate if few is many else accumulate


def native_of(device_type: str) -> str | None:
    """Return the name of the installed native implementation for a device kind, if any."""
    for name in _LOADED:
        if NATIVE[name].device_type == device_type:
            return name
    return None


def chosen(device_type: str, num_control_points: int) -> dict[str, str]:
    """Return the stock implementation that `auto` takes for each contraction."""
    mode = "compiled" if is_traced() else "eager"
    names = {}
    for contraction, steps in _TABLE.get(device_type, _TABLE["other"])[mode].items():
        fitting = (name for up_to, name in steps if up_to is None or num_control_points <= up_to)
        names[contraction] = next(fitting)
    return names
