"""In which formats a kernel computes, for the formats in which its arguments are stored.

Matrix units take factors of 16 bits and add in float32. Stored 16-bit numbers are such factors as
they are. A float32, a stored one or a weight of the hat basis, is a sum of 16-bit numbers, of as
many as the precision says:

    stored     "highest"              "high"                 "medium"
    float32    three bfloat16         two                    one, rounded to bfloat16
    bfloat16   weights in three       weights in two         weights rounded
    float16    weights in two         weights rounded        weights rounded
    float64    float64                float64                float64

Three bfloat16 hold all 24 digits of a float32, two hold 16, of which TF32 has 11. Products of two
stored 16-bit numbers are exact at every precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import triton.language as tl

_BFLOAT16_PARTS = {"highest": 3, "high": 2, "medium": 1}
_FLOAT16_PARTS = {"highest": 2, "high": 1, "medium": 1}
_EXACT_PARTS = {"bfloat16": 1, "float16": 2}
"""Of bfloat16, in a stored number."""
_PRECISIONS = {1: "medium", 2: "high", 3: "highest"}


@dataclass(frozen=True)
class Arithmetic:
    """Formats of a kernel's numbers.

    Attributes:
        compute: Name of the dtype of positions, weights and sums.
        operand: Name of the dtype that factors are given to the matrix unit in.
        parts: How many numbers of that dtype make up a factor: weights and stored values, or
            grad_y and control points.
        is_exact: Whether sums are rounded, and not cut off as the matrix unit does.
    """

    compute: str
    operand: str
    parts: tuple[int, int] = (1, 1)
    is_exact: bool = False

    @property
    def precision(self) -> str:
        """Return what tiles are chosen by: `"float64"`, or the precision with as many parts."""
        if self.compute == "float64":
            return "float64"
        return "high" if self.operand == "float32" else _PRECISIONS[max(self.parts)]

    def constants(self, first: str, second: str) -> dict[str, Any]:
        """Return the compile-time arguments of a dense kernel that names its factors so."""
        return {
            "COMPUTE": getattr(tl, self.compute),
            "OPERAND": getattr(tl, self.operand),
            f"{first}_PARTS": self.parts[0],
            f"{second}_PARTS": self.parts[1],
            "IS_EXACT": self.is_exact,
        }


def of_weights(values: str, precision: str, *, compute: str, has_direction: bool) -> Arithmetic:
    """Choose the arithmetic of weights times stored values.

    Weights along a direction have any magnitude, which float16 has no room for; fractions have,
    and one that overflows, far outside the domain, is caught in the kernel.
    """
    if compute == "float64":
        return Arithmetic(compute, compute)
    is_exact = precision == "highest"
    if values == "float16" and not has_direction:
        return Arithmetic(compute, values, (_FLOAT16_PARTS[precision], 1), is_exact)
    if values == "float16" and precision == "medium":  # one part has fewer digits than float16
        precision = "high"
    parts = (_BFLOAT16_PARTS[precision], _parts(values, precision))
    return Arithmetic(compute, "bfloat16", parts, is_exact)


def of_products(
    first: str, second: str, precision: str, *, compute: str, is_hip: bool
) -> Arithmetic:
    """Choose the arithmetic of stored times stored values.

    TF32 has the digits of "high" in one product, where both factors lie as the matrix unit takes
    them; AMD's has no TF32.
    """
    is_exact = precision == "highest"
    if compute == "float64":
        return Arithmetic(compute, compute)
    if first == second == "float16":
        return Arithmetic(compute, first, is_exact=is_exact)
    if first == second == "float32" and precision == "high" and not is_hip:
        return Arithmetic(compute, "float32")
    parts = (_parts(first, precision), _parts(second, precision))
    return Arithmetic(compute, "bfloat16", parts, is_exact)


def _parts(stored: str, precision: str) -> int:
    return _EXACT_PARTS.get(stored, _BFLOAT16_PARTS[precision])
