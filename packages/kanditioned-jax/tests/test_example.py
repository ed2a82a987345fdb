"""The example of the documentation does what it says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[1] / "examples" / "train.py"


def test_both_networks_train(capsys):
    pytest.importorskip("flax")
    pytest.importorskip("optax")
    spec = importlib.util.spec_from_file_location("example_train", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    for losses in example.main().values():
        assert losses[-1] < 3e-3 * losses[0]
    assert capsys.readouterr().out.count("->") == 2
