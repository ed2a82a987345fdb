"""The layer and its derivatives on a CPU, in native code, for NumPy arrays.

`functional` has the functions of `kanditioned_spec.reference` under the same names, `model` serves
the networks of files, `normal_equations` adds up those of additive models, `torch` has the same
kernels as PyTorch operators for `kanditioned_torch` (`impl="cpu"`), and `native` the library
itself. Importing this package imports neither PyTorch nor JAX.
"""

from __future__ import annotations

from .functional import forward, jvp, vjp, vjp_of_vjp
from .model import Model
from .native import instruction_set, instruction_sets, use_instruction_set
from .normal_equations import Block, Hats, gram

__all__ = [
    "Block",
    "Hats",
    "Model",
    "forward",
    "gram",
    "instruction_set",
    "instruction_sets",
    "jvp",
    "use_instruction_set",
    "vjp",
    "vjp_of_vjp",
]
