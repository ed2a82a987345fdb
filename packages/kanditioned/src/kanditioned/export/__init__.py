"""Taking a model elsewhere: C for any machine, one file of NumPy, ONNX.

    kanditioned export model.safetensors --to c --output model.c

`program` is what every target is made from; `c`, `numpy` and `onnx` are the targets.
"""

from __future__ import annotations

import os
import secrets
from importlib import metadata
from pathlib import Path
from typing import Any

from kanditioned_spec import validate
from kanditioned_spec.quantize import SCALES

from . import c, numpy
from .c import Options
from .program import Program, program_of

TARGETS = {"c": ".c", "numpy": ".py"}
"""The targets, and how the names of their files end."""

__all__ = ["TARGETS", "Program", "export", "program_of"]


def export(
    model: Any,
    path: str | os.PathLike[str],
    to: str | None = None,
    *,
    prefix: str | None = None,
    align: int = 0,
    int8: str | None = None,
    data: Any = None,
) -> list[Path]:
    """Write a model as a program in another language.

    Args:
        model: A layer or a network of any backend, or the path of its file.
        path: Where to write; an existing file is replaced. C gets a header beside it.
        to: `"c"` or `"numpy"`; by default what the name of `path` ends with says.
        prefix: For C, what the names of its functions begin with; by default the name of the file.
        align: For C, the alignment of tables in bytes: a power of two, or 0 to leave it.
        int8: For C, `"edge"` or `"output"` rounds the model to the int8 profile, in a quarter of
            the size; see `kanditioned_spec.quantize`.
        data: For `int8`, inputs (N, I) like those to come, to calibrate it with.

    Returns:
        The files written.

    Raises:
        CheckpointError: `model` is a file that is damaged or newer than this package.
        TypeError: `model` cannot be exported.
        ValueError: An argument is out of range, or a parameter is not finite in float32.

    Numerics:
        Parameters are rounded to float32. C computes in float32, NumPy in float64. A file states
        what it does with inputs outside the domain and with NaN: as the layer does.

    Example:
        >>> import tempfile
        >>> from kanditioned.torch import KANLayer
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     [file.name for file in export(KANLayer(3, 2), f"{folder}/model.c")]
        ['model.h', 'model.c']
    """
    target = Path(path)
    kinds = {suffix: name for name, suffix in TARGETS.items()}
    kind = validate.choice("export", "to", to or kinds.get(target.suffix), TARGETS)
    if kind != "c" and (int8, data) != (None, None):
        remedy = 'Other targets have no int8; use to="c".'
        raise ValueError(validate.message("export", "int8", "None", repr(int8), remedy))
    if int8 is not None:
        validate.choice("export", "int8", int8, SCALES)
    program = program_of("export", model, int8, data)
    version = metadata.version("kanditioned")
    if kind == "numpy":
        return _written({target: numpy.render(program, version)})
    options = Options(_identifier(prefix or target.stem), _power_of_two(align))
    if prefix is None or target.stem == prefix:
        header = target.with_suffix(".h")
    else:
        header = target.with_name(f"{prefix}.h")
    texts = c.render(program, options, version)
    return _written(dict(zip((header, target), texts, strict=True)))


def _identifier(prefix: str) -> str:
    if not (prefix.isidentifier() and prefix.isascii()):
        constraint, remedy = "a name in C", "Use letters, digits and _, and no digit first."
        raise ValueError(validate.message("export", "prefix", constraint, repr(prefix), remedy))
    return prefix


def _power_of_two(align: int) -> int:
    remedy = "It is a number of bytes, such as 64."
    value = validate.integer("export", "align", align, 0, remedy)
    if value & (value - 1):
        raise ValueError(validate.message("export", "align", "a power of two, or 0", value, remedy))
    return value


def _written(texts: dict[Path, str]) -> list[Path]:
    """Write files, each whole or not at all."""
    for path, text in texts.items():
        temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
        try:
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    return list(texts)
