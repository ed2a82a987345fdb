"""Checkpoints: what one backend writes, every other reads, bit for bit."""

from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from kanditioned_spec import Problem
from kanditioned_spec.backend import backend as reference
from kanditioned_spec.checkpoint import LayerConfig
from kanditioned_spec.checkpoint.encoding import library
from kanditioned_spec.protocol import CompleteBackend, NumpyArray

from ..cases import Case
from ..layouts import laid_out
from ..tolerance import ConformanceError, Ratios, describe
from .base import needs

SMALLEST = {"float64": 2.0**-1074, "float32": 2.0**-149, "float16": 2.0**-24, "bfloat16": 2.0**-133}
"""The smallest positive number of each dtype."""
DAMAGES = ("empty", "truncated", "one bit flipped", "bytes appended", "a pickle")
REWRITES: dict[str, dict[str, Any]] = {
    "a newer format": {"format_version": 2},
    "another spec": {"spec_version": "3.0"},
    "an unknown field": {"bias": True},
    "an unknown field of a layer": {"layers": {"layer": {"bias": True}}},
    "an unknown option": {"layers": {"layer": {"options": {"bias": True}}}},
    "an unknown map": {"layers": {"layer": {"parameterization": "spline"}}},
    "a missing field": {"layers": {"layer": {"spline_width": None}}},
    "another number of knots": {"layers": {"layer": {"num_control_points": 4}}},
}
"""Whole files whose document says what this edition does not know; None takes a field away."""


@needs("save")
def check_save(backend: CompleteBackend, case: Case) -> Ratios:
    """Check that the spec reads what the backend has written."""
    return _compare_carried("save", case, backend, reference)


@needs("load")
def check_load(backend: CompleteBackend, case: Case) -> Ratios:
    """Check that the backend reads what the spec has written."""
    return _compare_carried("load", case, reference, backend)


@needs("save", "load")
def check_save_and_load(backend: CompleteBackend, case: Case) -> Ratios:
    """Check that the backend reads what it has written itself."""
    return _compare_carried("save and load", case, backend, backend)


@needs("load")
def check_damage(backend: CompleteBackend, case: Case, damage: str) -> Ratios:
    """Check that a damaged file gives one error that names the file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "layer.safetensors"
        reference.save(case.problem, case.parameter_arrays().theta, path)
        content = path.read_bytes()
        change = REWRITES.get(damage)
        path.write_bytes(_rewrite(content, change) if change else _damage(content, damage))
        try:
            backend.load(path)
        except ValueError as error:
            if path.name in str(error):
                return {}
            message = f"the error does not name the file: {error}"
        else:
            message = "it was loaded"
    raise ConformanceError("load", np.inf, f"{damage}: {message}\n{describe(case.problem)}")


def _compare_carried(
    label: str, case: Case, writer: CompleteBackend, reader: CompleteBackend
) -> Ratios:
    p = case.problem
    theta = _with_special_values(case.parameter_arrays().theta, p)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "layer.safetensors"
        (given,) = laid_out((theta.copy(),), case.layout)
        writer.save(p, -given, path)  # an older file, to be replaced
        writer.save(p, given, str(path))
        loaded, values = reader.load(str(path))
        left = [each.name for each in Path(folder).iterdir()]
    if left != [path.name] or given.tobytes() != theta.tobytes():
        message = f"it has left {left}" if left != [path.name] else "it has written to θ"
        raise ConformanceError(label, np.inf, f"{message}\n{describe(p)}")
    if LayerConfig.of(loaded) != LayerConfig.of(p):
        message = f"got {LayerConfig.of(loaded)},\n  want {LayerConfig.of(p)}"
        raise ConformanceError(label, np.inf, message)
    got = np.asarray(values)
    if got.shape != theta.shape or _bits(got.astype(theta.dtype)) != _bits(theta):
        message = (
            f"θ has other bits\n{describe(p)}\n  got {got.ravel()[:6]}, want {theta.ravel()[:6]}"
        )
        raise ConformanceError(label, np.inf, message)
    return {}


def _bits(values: NumpyArray) -> bytes:
    """Return the bits of numbers, with the same for every NaN: conversions change theirs."""
    return np.where(np.isnan(values), np.array(np.nan, values.dtype), values).tobytes()


def _with_special_values(theta: NumpyArray, p: Problem) -> NumpyArray:
    theta = theta.copy()
    special = np.array([-0.0, np.inf, -np.inf, SMALLEST[p.dtype], np.nan], theta.dtype)
    theta.flat[: len(special)] = special[: theta.size]
    return theta


def _damage(content: bytes, damage: str) -> bytes:
    middle = len(content) * 3 // 4
    flipped = bytes([content[middle] ^ 1])
    return {
        "empty": b"",
        "truncated": content[:-1],
        "one bit flipped": content[:middle] + flipped + content[middle + 1 :],
        "bytes appended": content + b"\0",
        "a pickle": pickle.dumps({"theta": 1}),
    }[damage]


def _rewrite(content: bytes, change: dict[str, Any]) -> bytes:
    """Change the document of a file, and its checksum, so that only its meaning is wrong."""
    length = int.from_bytes(content[:8], "little")
    text = json.loads(content[8 : 8 + length])["__metadata__"]["kanditioned"]
    changed = json.dumps(_merge(json.loads(text), change), ensure_ascii=False)
    entries = dict(library().deserialize(content))
    digest = hashlib.sha256(changed.encode())
    for key in sorted(entries.keys() - {"sha256"}):
        shape = "x".join(map(str, entries[key]["shape"]))
        digest.update(f"\n{key} {entries[key]['dtype']} {shape}\n".encode() + entries[key]["data"])
    old = bytes(entries["sha256"]["data"])
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"]["kanditioned"] = changed
    new = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    new += b" " * (-len(new) % 8)
    body = content[8 + length :].replace(old, digest.digest())
    return len(new).to_bytes(8, "little") + new + body


def _merge(found: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    merged = {key: value for key, value in found.items() if change.get(key, "") is not None}
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(found.get(key), dict):
            merged[key] = _merge(found[key], value)
        elif value is not None:
            merged[key] = value
    return merged
