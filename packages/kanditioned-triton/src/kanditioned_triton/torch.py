"""The kernels as PyTorch operators, and the implementation `impl="triton"` made of them.

`kanditioned_torch` finds `registered` by this package's entry point.

`torch.library.triton_op` would show the kernels to the compiler, and traces them; but it records
the plan of one batch size, tiles and parts of a sum, so that an export with a dynamic batch fails
(torch 2.11), and it takes no kernel that the interpreter runs. Opaque operators plan at every call.
A package of AOTInductor calls them through Python, where this module must have been imported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kanditioned_torch.impls.native import define

from . import launch


def _make_launcher(name: str) -> Callable[..., Any]:
    def kernel(*arguments: Any) -> Any:  # `launch` may be what is importing this module
        return getattr(launch, name)(*arguments)

    return kernel


registered = define(
    "kanditioned_triton",
    "CompositeExplicitAutograd",  # every device, since `launch` says where it cannot run
    "cuda",
    {name: _make_launcher(name) for name in ("interpolate", "contract", "accumulate")},
)
