"""Fused GPU kernels for KAN layers, in Triton.

Installed beside `kanditioned_torch`, they are its `impl="triton"` and what `impl="auto"` takes on a
GPU: there is nothing to import. `kernels` holds them, `torch` makes operators of them; tile sizes
come from `configs`; `tune.autotune` measures those of a layer. `aot` compiles without a GPU,
`selfcheck` checks and times everything on one.
"""

from .configs import FAMILIES, Config

__all__ = ["FAMILIES", "Config"]
