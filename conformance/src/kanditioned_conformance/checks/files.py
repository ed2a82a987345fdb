"""Checkpoints: what one backend writes, every other reads, bit for bit."""

from __future__ import annotations

import pickle
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from kanditioned_spec import Problem
from kanditioned_spec.backend import backend as reference
from kanditioned_spec.checkpoint import LayerConfig
from kanditioned_spec.protocol import CompleteBackend, NumpyArray
from kanditioned_spec.rounding import rounded

from ..cases import Case
from ..tolerance import ConformanceError, Ratios, described
from .base import needs

DAMAGES = ("empty", "truncated", "one bit flipped", "bytes appended", "a pickle")


@needs("save")
def check_save(backend: CompleteBackend, case: Case) -> Ratios:
    """Check that the spec reads what the backend has written."""
    return _carried("save", case, backend, reference)


@needs("load")
def check_load(backend: CompleteBackend, case: Case) -> Ratios:
    """Check that the backend reads what the spec has written."""
    return _carried("load", case, reference, backend)


@needs("save", "load")
def check_save_and_load(backend: CompleteBackend, case: Case) -> Ratios:
    """Check that the backend reads what it has written itself."""
    return _carried("save and load", case, backend, backend)


@needs("load")
def check_damage(backend: CompleteBackend, case: Case, damage: str) -> Ratios:
    """Check that a damaged file gives one error that names the file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "layer.safetensors"
        reference.save(case.problem, case.parameter_arrays().theta, path)
        path.write_bytes(_damaged(path.read_bytes(), damage))
        try:
            backend.load(path)
        except ValueError as error:
            if path.name in str(error):
                return {}
            message = f"the error does not name the file: {error}"
        else:
            message = "it was loaded"
    raise ConformanceError("load", np.inf, f"{damage}: {message}\n{described(case.problem)}")


def _carried(label: str, case: Case, writer: CompleteBackend, reader: CompleteBackend) -> Ratios:
    p = case.problem
    theta = _with_special_values(case.parameter_arrays().theta, p)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "layer.safetensors"
        writer.save(p, theta, path)
        loaded, values = reader.load(path)
    if LayerConfig.of(loaded) != LayerConfig.of(p):
        message = f"got {LayerConfig.of(loaded)},\n  want {LayerConfig.of(p)}"
        raise ConformanceError(label, np.inf, message)
    got = np.asarray(values)
    if got.shape != theta.shape or got.astype(theta.dtype).tobytes() != theta.tobytes():
        message = (
            f"θ has other bits\n{described(p)}\n  got {got.ravel()[:6]}, want {theta.ravel()[:6]}"
        )
        raise ConformanceError(label, np.inf, message)
    return {}


def _with_special_values(theta: NumpyArray, p: Problem) -> NumpyArray:
    theta = theta.copy()
    smallest = rounded(2.0**-20, p.dtype)
    theta.flat[:4] = np.array([-0.0, np.inf, -np.inf, smallest], theta.dtype)[: theta.size]
    return theta


def _damaged(content: bytes, damage: str) -> bytes:
    middle = len(content) * 3 // 4
    flipped = bytes([content[middle] ^ 1])
    return {
        "empty": b"",
        "truncated": content[:-1],
        "one bit flipped": content[:middle] + flipped + content[middle + 1 :],
        "bytes appended": content + b"\0",
        "a pickle": pickle.dumps({"theta": 1}),
    }[damage]
