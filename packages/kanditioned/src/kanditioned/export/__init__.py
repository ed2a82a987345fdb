"""Taking a model elsewhere: C for any machine, one file of NumPy, ONNX.

    kanditioned export model.safetensors --to c --output model.c

`program` describes layers and networks, `estimator` estimators; `c`, `c_table`, `numpy`,
`numpy_table` and `onnx` write what these say.
"""

from __future__ import annotations

import os
import secrets
from importlib import metadata
from pathlib import Path
from typing import Any

from kanditioned_spec import validate
from kanditioned_spec.quantize import SCALES

from . import c, c_table, numpy, numpy_table, onnx, onnx_table
from .c import Options
from .estimator import Table, is_estimator, table_of
from .program import Program, program_of

TARGETS = {"c": ".c", "numpy": ".py", "onnx": ".onnx"}
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
        model: A layer or a network of any backend, or the path of its file, or a fitted estimator.
        path: Where to write; an existing file is replaced. C gets a header beside it.
        to: `"c"`, `"numpy"` or `"onnx"`; by default what the name of `path` ends with says.
        prefix: For C, what the names of its functions begin with; by default the name of the file.
        align: For C, the alignment of tables in bytes: a power of two, or 0 to leave it.
        int8: For C, `"edge"` or `"output"` rounds the model to the int8 profile, in a quarter of
            the size; see `kanditioned_spec.quantize`.
        data: For `int8`, inputs (N, I) like those to come, to calibrate it with.

    Returns:
        The files written.

    Raises:
        CheckpointError: `model` is a file that is damaged or newer than this package.
        ImportError: onnx is not installed, which that target needs.
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
    options = (
        Options(_identifier(prefix or target.stem), _power_of_two(align)) if kind == "c" else None
    )
    is_table = is_estimator(model)
    if int8 is not None and (kind != "c" or is_table):
        remedy = "The int8 profile is for layers and networks in C."
        raise ValueError(validate.message("export", "int8", "None here", repr(int8), remedy))
    if int8 is not None:
        validate.choice("export", "int8", int8, SCALES)
    if is_table:
        return _write(_of_table(table_of("export", model), target, kind, options))
    program = program_of("export", model, int8, data)
    version = metadata.version("kanditioned")
    if options is not None:
        return _write(_pair(target, options, c.render(program, options, version)))
    if kind == "onnx":
        return _write({target: onnx.render(program)})
    return _write({target: numpy.render(program, version)})


def _of_table(
    table: Table, target: Path, kind: str, options: Options | None
) -> dict[Path, str | bytes]:
    if options is not None:
        version = metadata.version("kanditioned")
        return _pair(target, options, c_table.render(table, options, version))
    if kind == "onnx":
        return {target: onnx_table.render(table)}
    return {target: numpy_table.render(table, metadata.version("kanditioned"))}


def _pair(target: Path, options: Options, texts: tuple[str, str]) -> dict[Path, str | bytes]:
    """Return header and source by their paths."""
    return {target.with_name(f"{options.prefix}.h"): texts[0], target: texts[1]}


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


def _write(texts: dict[Path, str | bytes]) -> list[Path]:
    """Write files, each whole or not at all."""
    for path, text in texts.items():
        temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
        try:
            temporary.write_bytes(text.encode() if isinstance(text, str) else text)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    return list(texts)
