"""Numbers and arrays as C writes them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

LINE = 96
"""Most characters of a line of numbers."""


def number(value: float) -> str:
    """Return a float32 constant with the fewest digits that give it back, or a name of <math.h>."""
    single = np.float32(value)
    if not np.isfinite(single):
        return _not_finite(single)
    digits = np.format_float_scientific(single, trim="0", exp_digits=1)
    if 1e-4 <= abs(single) < 1e6 or single == 0:
        digits = np.format_float_positional(single, trim="0")
    return f"{digits}f"


def double(value: float) -> str:
    """Return a float64 constant with the fewest digits that give it back, or a name of <math.h>."""
    return repr(value) if np.isfinite(value) else _not_finite(value)


def _not_finite(value: float | np.float32) -> str:
    if np.isnan(value):
        return "NAN"
    return "INFINITY" if value > 0 else "-INFINITY"


def array(name: str, values: npt.ArrayLike, storage: str = "static const") -> str:
    """Return the declaration of a table of float32 of any shape."""
    return declare(name, np.asarray(values, np.float32), storage, "float")


def integers(name: str, values: npt.ArrayLike, storage: str, kind: str) -> str:
    """Return the declaration of a table of integers of any shape."""
    return declare(name, np.asarray(values), storage, kind)


def doubles(name: str, values: npt.ArrayLike) -> str:
    """Return the declaration of a table of float64 of any shape."""
    return declare(name, np.asarray(values, np.float64), "static const", "double")


def declare(name: str, values: npt.NDArray[np.generic], storage: str, kind: str) -> str:
    """Return the declaration of a table, a brace for each of its dimensions."""
    sizes = "".join(f"[{size}]" for size in values.shape)
    return f"{storage} {kind} {name}{sizes} = {_brace(values)};\n"


def _brace(values: npt.NDArray[np.generic]) -> str:
    if values.ndim > 1:
        return "{\n" + ",\n".join(map(_brace, values)) + "}"
    write = {"float32": number, "float64": double}.get(values.dtype.name, str)
    words = [write(value) for value in values.tolist()]
    lines, line = [], ""
    for word in words:
        if line and len(line) + len(word) + 2 > LINE:
            lines.append(line)
            line = ""
        line = f"{line}, {word}" if line else word
    return "{" + ",\n ".join([*lines, line]) + "}"
