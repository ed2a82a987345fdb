"""A program as one file of NumPy, for those who check what a model computes."""

from __future__ import annotations

import base64
from typing import Any

import numpy.typing as npt

from .program import Program

HEAD = '''\
"""{title}: made by kanditioned {version} from {source}.

    y = forward(x)        x of shape (N, {inputs}), y of shape (N, {outputs})
{notes}
Run as a program it reads rows of numbers and prints their outputs. The arithmetic is float64.
"""

import base64

import numpy as np


def table(text, dtype, *shape):
    """Return the numbers whose bytes are given in base 64."""
    return np.frombuffer(base64.b64decode(text), dtype).reshape(shape).astype(np.float64)
'''

SPLINES = '''\


def piecewise(x, breakpoints, images):
    """Map every input by straight lines between its breakpoints; the end pieces go on."""
    z = np.empty_like(x)
    for i, (p, v) in enumerate(zip(breakpoints, images)):
        j = (np.searchsorted(p, x[:, i], side="right") - 1).clip(0, len(p) - 2)
        line = v[j] + (v[j + 1] - v[j]) / (p[j + 1] - p[j]) * (x[:, i] - p[j])
        z[:, i] = np.minimum(line, np.where(j < len(p) - 2, v[j + 1], np.inf))
    return z


def normalise(x, mean, variance):
    return (x - mean) / np.sqrt(variance + 1e-5)


def splines(x, points, width):
    """Sum over the inputs i of the linear spline with control points points[i, :, o] at x[:, i].

    The K control points lie evenly over [-width/2, width/2]; beyond, the end pieces go on.
    """
    inputs, count, outputs = points.shape
    y = np.zeros((len(x), outputs))
    for i in range(inputs):
        u = (x[:, i] + width / 2) * ((count - 1) / width)
        left = np.where(np.isnan(u), 0, np.floor(u)).clip(0, count - 2).astype(int)
        t = (u - left)[:, None]
        low, high = points[i, left], points[i, left + 1]
        with np.errstate(invalid="ignore"):  # infinity times 0 is NaN
            y += low + t * (high - low)
    return y
'''

FOOT = """\

if __name__ == "__main__":
    import sys

    rows = np.loadtxt(sys.stdin, ndmin=2)
    np.savetxt(sys.stdout, forward(rows), "%.9g")
"""


def render(program: Program, version: str) -> str:
    """Return the text of the module."""
    head = HEAD.format(
        title=" -> ".join(map(str, program.widths)),
        version=version,
        source=program.source,
        notes="",
        inputs=program.widths[0],
        outputs=program.widths[-1],
    )
    return "".join([head, SPLINES, *function("forward", program), FOOT])


def function(name: str, program: Program) -> tuple[str, str]:
    """Return the tables of a program, and a function that evaluates it."""
    tables: list[str] = []
    lines = [f"def {name}(x):", "    x = np.asarray(x, np.float64)"]
    if program.input_map is not None:
        tables.append(table("BREAKPOINTS", program.input_map.breakpoints))
        tables.append(table("IMAGES", program.input_map.images))
        lines.append("    x = piecewise(x, BREAKPOINTS, IMAGES)")
    for n, stage in enumerate(program.stages):
        if stage.norm == "layer":
            lines.append("    x = normalise(x, x.mean(1, keepdims=True), x.var(1, keepdims=True))")
        elif stage.mean is not None and stage.variance is not None:
            tables += [table(f"MEAN_{n}", stage.mean), table(f"VARIANCE_{n}", stage.variance)]
            lines.append(f"    x = normalise(x, MEAN_{n}, VARIANCE_{n})")
        tables.append(table(f"POINTS_{n}", stage.control_points))
        value = f"splines(x, POINTS_{n}, {stage.spline_width!r})"
        if stage.residual is not None:
            tables.append(table(f"WEIGHT_{n}", stage.residual))
            value += f" + x @ WEIGHT_{n}.T"
        lines.append(f"    x = {value}")
    lines.append("    return x\n")
    return "\n\n" + "\n".join(tables), "\n\n\n" + "\n".join(lines)


def table(name: str, values: npt.NDArray[Any]) -> str:
    """Return the definition of a table, float32 or float64."""
    dtype = values.dtype.newbyteorder("<")
    text = base64.b64encode(values.astype(dtype).tobytes()).decode()
    sizes = ", ".join(map(str, values.shape))
    return f'{name} = table("{text}", "{dtype.str}", {sizes})'
