"""In which formats a kernel computes, for the formats in which its arguments are stored.

Matrix units take factors of few digits and add in float32. Stored 16-bit numbers are such factors
as they are; the weights of the hat basis are float32, and what is done with them is the precision:

    stored     "highest"                   "high"                  "medium"
    float32    three TF32 products         TF32                    bfloat16
    bfloat16   weights in three parts      weights in two parts    weights rounded
    float16    weights in two parts        weights rounded         weights rounded
    float64    float64                     float64                 float64

Products of two stored 16-bit numbers are exact at every precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import triton.language as tl

HALF = ("float16", "bfloat16")
_PARTS = {
    "bfloat16": {"highest": 3, "high": 2, "medium": 1},
    "float16": {"highest": 2, "high": 1, "medium": 1},
}


@dataclass(frozen=True)
class Arithmetic:
    """Formats of a kernel's numbers.

    Attributes:
        compute: Name of the dtype of positions, weights and sums.
        operand: Name of the dtype that factors are given to the matrix unit in.
        parts: Numbers of that dtype that make up a weight.
        input_precision: What `tl.dot` does with float32 factors.
    """

    compute: str
    operand: str
    parts: int = 1
    input_precision: str = "ieee"

    @property
    def bits(self) -> int:
        """Return the size of an operand."""
        size: int = getattr(tl, self.operand).primitive_bitwidth
        return size

    def constants(self) -> dict[str, Any]:
        """Return the compile-time arguments that a dense kernel takes."""
        return {
            "COMPUTE": getattr(tl, self.compute),
            "OPERAND": getattr(tl, self.operand),
            "PARTS": self.parts,
            "PRECISION": self.input_precision,
        }


def of_weights(
    values: str, precision: str, *, compute: str, has_direction: bool, is_hip: bool
) -> Arithmetic:
    """Choose the arithmetic of weights times stored values.

    Weights along a direction have any magnitude, which float16 has no room for; fractions have,
    and one that overflows, far outside the domain, is caught in the kernel.
    """
    if compute == "float64":
        return Arithmetic(compute, compute)
    if values == "float16" and has_direction:
        return _of_float32("high" if precision == "medium" else precision, is_hip)
    if values in HALF:
        return Arithmetic(compute, values, _PARTS[values][precision])
    return _of_float32(precision, is_hip)


def of_products(
    first: str, second: str, precision: str, *, compute: str, is_hip: bool
) -> Arithmetic:
    """Choose the arithmetic of stored times stored values."""
    if compute == "float64":
        return Arithmetic(compute, compute)
    if first == second and first in HALF:
        return Arithmetic(compute, first)
    if first in HALF and second in HALF:  # TF32 holds the digits and the range of both
        return _of_float32("high", is_hip)
    return _of_float32(precision, is_hip)


def _of_float32(precision: str, is_hip: bool) -> Arithmetic:
    if precision == "medium":
        return Arithmetic("float32", "bfloat16")
    if is_hip:  # its matrix units take float32 factors
        return Arithmetic("float32", "float32")
    input_precision = {"highest": "tf32x3", "high": "tf32"}[precision]
    return Arithmetic("float32", "float32", input_precision=input_precision)
