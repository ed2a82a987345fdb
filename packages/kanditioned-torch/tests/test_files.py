"""Files that claim more than they hold, and what is refused before anything is built."""

from __future__ import annotations

import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kanditioned_spec import checkpoint
from kanditioned_spec.checkpoint import Checkpoint, CheckpointError, Layer, LayerConfig
from kanditioned_torch import KAN, KANLayer

HUGE = [
    ("legendre", {"degree": 2**15}),
    ("dct", {"transform": "matmul"}),
    ("demmler_reinsch", {"density": "normal"}),
    ("parallel_scan", {}),
]
"""Maps that would take gigabytes at K = 65536."""
LEAN = [("legendre", {"degree": 1}), ("prefix_sum", {}), ("dct", {"transform": "fft"})]
"""Maps that take O(K), at any K."""


def content(count: int, name: str, options: dict[str, Any], **other: Any) -> Layer:
    config = LayerConfig(1, 1, count, parameterization=name, options=options, **other)
    return Layer(config, np.ones(config.shape, config.dtype))


def load(path: Path, network: bool, **arguments: Any) -> tuple[float, float]:
    """Load a file; return the seconds, and the megabytes that Python and NumPy held at most."""
    tracemalloc.start()
    started = time.process_time()
    try:
        (KAN if network else KANLayer).load(path, **arguments)
    finally:
        seconds, (_, peak) = time.process_time() - started, tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return seconds, peak / 2**20


@pytest.mark.parametrize("network", [False, True])
@pytest.mark.parametrize(("name", "options"), HUGE, ids=[name for name, _ in HUGE])
def test_maps_that_are_too_large_are_refused(
    tmp_path: Path, name: str, options: dict[str, Any], network: bool
) -> None:
    layer = content(2**16, name, options, dtype="float16")
    if network:
        checkpoint.write_network(tmp_path / "a", checkpoint.Network([layer], "none"))
    else:
        checkpoint.write(tmp_path / "a", Checkpoint({"layer": layer}))
    with pytest.raises(CheckpointError, match="max_build_bytes is 134217728; pass a larger one"):
        load(tmp_path / "a", network)


@pytest.mark.parametrize(("name", "options"), LEAN, ids=[name for name, _ in LEAN])
def test_maps_that_are_lean_load_at_any_size(
    tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    layer = content(2**16, name, options)
    checkpoint.write(tmp_path / "a", Checkpoint({"layer": layer}))
    seconds, megabytes = load(tmp_path / "a", network=False)
    assert seconds < 2
    assert megabytes < 30


def test_the_limit_is_an_argument(tmp_path: Path) -> None:
    layer = content(64, "dct", {"transform": "matmul"})
    checkpoint.write(tmp_path / "a", Checkpoint({"layer": layer}))
    with pytest.raises(CheckpointError, match="max_build_bytes is 1000"):
        load(tmp_path / "a", network=False, max_build_bytes=1000)
    load(tmp_path / "a", network=False, max_build_bytes=10**6)


def test_many_layers_are_refused_together(tmp_path: Path) -> None:
    layers = [content(1024, "dct", {"transform": "matmul"}) for _ in range(6)]
    checkpoint.write_network(tmp_path / "a", checkpoint.Network(layers, "none"))
    with pytest.raises(CheckpointError, match="take 150994944 bytes to build"):
        load(tmp_path / "a", network=True)


@pytest.mark.parametrize("width", [1e-300, 1e300])
@pytest.mark.parametrize("network", [False, True])
def test_widths_beyond_the_dtype(tmp_path: Path, width: float, network: bool) -> None:
    layer = content(8, "bspline", {}, spline_width=width)
    if network:
        checkpoint.write_network(tmp_path / "a", checkpoint.Network([layer], "none"))
    else:
        checkpoint.write(tmp_path / "a", Checkpoint({"layer": layer}))
    with pytest.raises(CheckpointError, match=r"layers that can be built.*in float32 with 8 cont"):
        load(tmp_path / "a", network)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the memory in /proc")
def test_hostile_files() -> None:
    """The 10,000 of `nox -s fuzz` are these and more; a busy machine has more time here."""
    script = Path(__file__).parents[2] / "kanditioned-spec" / "tests" / "fuzz_loading.py"
    command = [sys.executable, str(script), "torch", "--count", "25", "--seconds", "20"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
