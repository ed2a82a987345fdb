"""One network served in every way there is, a sample or a small batch at a time, on one machine.

All ways run in turns on the same inputs: generated C in float32 and in the int8 profile, compiled
here, `kanditioned_cpu.Model`, the network and its layers in PyTorch without gradients, ONNX
Runtime; and, with layers of the same widths, `nn.Linear` and release 1.0.3. What computes the
network is compared with float64 first. A row each in `results/deployment.csv`.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime  # type: ignore[import-untyped]
import torch
from torch import nn
from tqdm import tqdm

import kanditioned_cpu
from kanditioned import export
from kanditioned.export import program_of
from kanditioned_torch import KAN

from .. import machine
from ..results import FOLDER, Table
from .competitors import RELEASED
from .environments import UnavailableError, load
from .timing import CLOCKS, SHORTEST, Timing, in_turns

Single = npt.NDArray[np.float32]
Repeat = Callable[[int], Any]
"""Evaluates the network so many times."""

NETWORKS = (((21, 64, 64, 24), 8), ((64, 64, 10), 16), ((784, 64, 10), 8))
BATCHES = (1, 32)
NORMS = ("none", "layer")
FLAGS = ("-O2", "-mavx2", "-mfma")
"""Of the C compiler, on x86-64; `-O2` alone elsewhere."""
LOOP = """\
#include "model.h"
void rows(const float *x, float *y, int count, int repeats)
{
    int n, r;
    for (r = 0; r < repeats; ++r)
        for (n = 0; n < count; ++n)
            model_forward(x + n * MODEL_INPUTS, y + n * MODEL_OUTPUTS);
}
"""
KEY = ("widths", "num_control_points", "norm", "batch", "way", "device", "threads", "clock")


@dataclass(frozen=True)
class Way:
    """One way to serve a network.

    Attributes:
        repeat: Evaluates it.
        outputs: Returns what it gives, or None where it has weights of its own.
        size: Bytes of its tables, where it is a program.
        flash: Bytes of the program on a Cortex-M4, where there is a compiler for it.
    """

    repeat: Repeat
    outputs: Callable[[], npt.ArrayLike] | None = None
    size: int | None = None
    flash: int | None = None


def run(given: argparse.Namespace) -> int:
    """Measure every case that is not in the file; return 0."""
    table = Table(FOLDER / "deployment.csv", KEY)
    for (widths, count), norm, batch in tqdm(list(itertools.product(NETWORKS, NORMS, BATCHES))):
        case = {
            "widths": " ".join(map(str, widths)),
            "num_control_points": count,
            "norm": norm,
            "batch": batch,
        }
        where = {"clock": given.clock, **machine.description("cpu", given.threads)}
        if {**case, "way": "C", **where} in table and not given.again:
            continue
        model, x = _model(widths, count, norm), torch.randn(batch, widths[0])
        with tempfile.TemporaryDirectory() as folder, torch.no_grad():
            ways = dict(_ways(model, x, Path(folder), given))
            errors = {name: _error(name, model, x.numpy(), way) for name, way in ways.items()}
            timings = measure(ways, given)
        for name, way in ways.items():
            if way.flash is not None and batch == 1:
                tqdm.write(f"{name} of {list(widths)}, {norm}: {way.flash} bytes on a Cortex-M4")
        for name, timing in timings.items():
            figures = {f"p{p}_us": round(timing.percentile(p) * 1e6, 2) for p in (20, 50, 80)}
            columns = {"error": errors[name], "bytes": ways[name].size or ""}
            table.append({**case, "way": name, **figures, **columns, **where})
    return 0


def _model(widths: tuple[int, ...], num_control_points: int, norm: str) -> KAN:
    """Return a network with functions that bend."""
    torch.manual_seed(0)
    model = KAN(widths, num_control_points=num_control_points, norm=norm).eval()
    with torch.no_grad():
        for layer in model.kan_layers():
            size = layer.theta.square().mean().sqrt()
            layer.theta += 0.25 * size * torch.randn_like(layer.theta)
    return model


def measure(ways: dict[str, Way], given: argparse.Namespace) -> dict[str, Timing]:
    """Return the timings of all ways, in turns in random order."""
    clock = CLOCKS[given.clock]
    repeats = {name: _repeats(way.repeat, clock) for name, way in ways.items()}
    timings = {name: Timing(0.0, []) for name in ways}

    def measure(name: str, _: int) -> float:
        return _seconds(ways[name].repeat, repeats[name], clock)

    for _ in in_turns(list(ways), timings, measure, given.rounds, given.seconds):
        pass
    return timings


def _repeats(repeat: Repeat, clock: Callable[[], float]) -> int:
    _seconds(repeat, 3, clock)
    once = min(_seconds(repeat, 3, clock) for _ in range(2))
    return max(1, round(SHORTEST / once))


def _seconds(repeat: Repeat, count: int, clock: Callable[[], float]) -> float:
    start = clock()
    repeat(count)
    return (clock() - start) / count


def _ways(
    model: KAN, x: torch.Tensor, folder: Path, given: argparse.Namespace
) -> Iterator[tuple[str, Way]]:
    rows = x.numpy()
    data = np.random.default_rng(0).standard_normal((1000, model.widths[0]))
    yield "C", _c(model, rows, folder / "float")
    for scale in ("output", "edge"):
        yield f"C int8 {scale}", _c(model, rows, folder / scale, int8=scale, data=data)
    model.save(folder / "model.safetensors")
    yield "Model", _call(kanditioned_cpu.Model(folder / "model.safetensors", given.threads), rows)
    yield "network", _call(model, x)
    yield "layers", _call(_chain(model.norm, list(model.layers)), x)
    export(model, folder / "model.onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = given.threads
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options)
    yield "ONNX Runtime", _call(lambda rows: session.run(None, {"x": rows})[0], rows)
    pairs = list(itertools.pairwise(model.widths))
    linear = _chain(model.norm, [nn.Linear(i, o) for i, o in pairs])
    yield "nn.Linear", replace(_call(linear, x), outputs=None)
    for name, layer in _find_release(given.competitors):
        made = {"init": "random_normal", "num_control_points": model.layers[0].num_control_points}
        chain = _chain(model.norm, [layer(i, o, **made) for i, o in pairs])
        yield name, replace(_call(chain, x), outputs=None)


def _call(function: Callable[[Any], Any], x: Any) -> Way:
    def repeat(count: int) -> None:
        for _ in range(count):
            function(x)

    return Way(repeat, lambda: np.asarray(function(x)))


def _chain(norm: str, layers: list[Any]) -> nn.Module:
    """Return layers one after the other, with what stands before each in a network."""
    modules = []
    for layer in layers:
        if norm == "layer":
            modules.append(nn.LayerNorm(layer.in_features, elementwise_affine=False))
        modules.append(layer)
    return nn.Sequential(*modules).eval()


def _c(model: KAN, x: Single, folder: Path, **options: Any) -> Way:
    """Compile the generated program and a loop around it, each on its own."""
    folder.mkdir()
    export(model, folder / "model.c", **options)
    (folder / "loop.c").write_text(LOOP)
    is_x86 = platform.machine() in ("x86_64", "AMD64")
    flags = FLAGS if is_x86 else FLAGS[:1]
    command = [
        "cc",
        "-std=c99",
        *flags,
        "-shared",
        "-fPIC",
        "-Werror",
        "model.c",
        "loop.c",
        "-o",
        "model.so",
    ]
    subprocess.run([*command, "-lm"], cwd=folder, check=True)
    loop = ctypes.CDLL(str(folder / "model.so")).rows
    loop.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int)
    y = np.full((len(x), model.widths[-1]), np.nan, np.float32)

    def repeat(count: int) -> Single:
        loop(x.ctypes.data, y.ctypes.data, len(x), count)
        return y

    program = program_of("deployment", model, options.get("int8"), options.get("data"))
    size = sum(
        stage.control_points.nbytes if stage.integers is None else stage.integers.nbytes
        for stage in program.stages
    )
    return Way(repeat, lambda: repeat(1), size, _cortex_m4_bytes(folder))


def _cortex_m4_bytes(folder: Path) -> int | None:
    """Compile the generated program for a Cortex-M4 and return its size, if that is possible."""
    if not shutil.which("arm-none-eabi-gcc"):
        return None
    target = ("-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard", "-Werror")
    command = ["arm-none-eabi-gcc", "-std=c99", "-O2", *target, "-c", "model.c"]
    subprocess.run(command, cwd=folder, check=True)
    size = ["arm-none-eabi-size", "model.o"]
    done = subprocess.run(size, cwd=folder, check=True, capture_output=True, text=True)
    return int(done.stdout.splitlines()[1].split()[3])


def _find_release(competitors: Path) -> Iterator[tuple[str, Any]]:
    """Find release 1.0.3 in the folder of competitors, or where KANDITIONED_1X says."""
    folder = os.environ.get("KANDITIONED_1X", "").split(os.pathsep)[0]
    if folder:
        sys.path.insert(0, folder)
    for released in RELEASED:
        if released.compiled:
            continue
        try:
            layer = load(replace(released, requirements=()) if folder else released, competitors)
        except UnavailableError as error:
            tqdm.write(f"without {released.name}: {error}")
            continue
        impl = released.name.rpartition(" ")[2]
        yield (
            released.name,
            lambda i, o, layer=layer, impl=impl, **made: layer(i, o, impl=impl, **made),
        )


def _error(name: str, model: KAN, x: Single, way: Way) -> str:
    """Return the root mean square of a way's error as a share of that of the outputs.

    Raises:
        ArithmeticError: It is in float32, and further off than rounding explains.
    """
    if way.outputs is None:
        return ""
    program = program_of("deployment", model)
    want = program.forward(x)
    difference = np.asarray(way.outputs(), np.float64) - want
    error = float(np.sqrt(np.mean(difference**2) / np.mean(want**2)))
    bound = [program.error_bound(row) for row in x.astype(np.float64)]
    if "int8" not in name and not (abs(difference) <= bound).all():
        raise ArithmeticError(f"{name} is off by {error:.1e} and has no speed")
    return f"{error:.1e}"
