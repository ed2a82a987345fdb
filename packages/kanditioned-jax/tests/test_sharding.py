"""Training on eight devices, simulated in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

CASES = ("batch", "outputs", "both")


@pytest.fixture(scope="module")
def report():
    """Run `sharded_training.py` and return what it printed about each case."""
    flags = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("sharded_training.py"))],
        env={**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(line.split(": ") for line in done.stdout.splitlines())


@pytest.mark.parametrize("impl", ["auto", "lookup", "dense", "pallas"])
def test_a_step_sums_once_per_parameter_tensor_and_outside_of_loops(report, impl):
    tensors, *collectives = report[f"step {impl}"].split()
    assert set(collectives) == {"all-reduce"}
    assert len(collectives) <= int(tensors.removeprefix("tensors="))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("impl", ["lookup", "dense"])
def test_control_points_are_not_gathered(report, impl, case):
    collectives = report[f"named_sharding {impl} {case}"].split()
    assert set(collectives) == {"devices=8", "all-reduce"}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("checked", ["check_vma=True", "check_vma=False"])
def test_shard_map(report, case, checked):
    assert report[f"shard_map {checked} {case}"] == "equal"


EXPLICIT = pytest.param(
    "explicit axes",
    marks=pytest.mark.xfail(
        jax.__version_info__ >= (0, 12),
        reason="JAX 0.12.0 compiles no custom_partitioning on a mesh with explicit axes",
        strict=True,
    ),
)


@pytest.mark.parametrize("case", ["shard_map second order", EXPLICIT])
def test_other_ways(report, case):
    assert report[case] == "equal"
