"""The layer and its derivatives on a CPU, in native code, for NumPy arrays.

`functional` has the functions of `kanditioned_spec.reference` under the same names, `torch` the
same kernels as PyTorch operators for `kanditioned_torch` (`impl="cpu"`), and `native` the library
itself. Importing this package imports neither PyTorch nor JAX.
"""

from __future__ import annotations

from .functional import forward, jvp, vjp, vjp_of_vjp
from .native import instruction_set, instruction_sets, use_instruction_set

__all__ = [
    "forward",
    "instruction_set",
    "instruction_sets",
    "jvp",
    "use_instruction_set",
    "vjp",
    "vjp_of_vjp",
]
