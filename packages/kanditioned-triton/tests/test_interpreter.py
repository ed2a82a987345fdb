"""Runs other files where Triton interprets kernels, which it decides when it is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from kanditioned_torch import spline_forward

GROUPS = (
    ("interpreted.py", "Contractions or SplitK"),
    ("interpreted.py", "NonFinite or Precision"),
    ("interpreted_layer.py", ""),
    ("interpreted_edges.py", ""),
    ("interpreted_commands.py", ""),
)
"""Files, and which of their classes: parts of about one length, for several processes."""


@pytest.mark.parametrize(("file", "classes"), GROUPS)
def test_in_the_interpreter(file: str, classes: str) -> None:
    path = str(Path(__file__).with_name(file))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", path]
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    run = subprocess.run(
        [*command, "-k", classes],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]


@pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") == "1", reason="the interpreter takes these")
def test_cpu_tensors_are_refused() -> None:
    remedy = r'must be on a GPU for impl="triton", got cpu\. Move the layer .*"cuda"'
    with pytest.raises(ValueError, match=remedy):
        spline_forward(torch.zeros(2, 3), torch.zeros(3, 4, 2), impl="triton")


@pytest.mark.parametrize("command", ["selfcheck", "tune"])
def test_commands_need_a_gpu(command: str) -> None:
    """They are also what imports this package before `kanditioned_torch` does."""
    run = subprocess.run(
        [sys.executable, "-m", f"kanditioned_triton.{command}"],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 2, run.stderr
    assert "no GPU: nothing was" in run.stderr
