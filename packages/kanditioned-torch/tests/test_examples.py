"""The recipe that goes from coarse to fine grids. (`test_distributed` runs the other example.)"""

from __future__ import annotations

import runpy
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from kanditioned_torch import KAN

EXAMPLE = Path(__file__).parents[1] / "examples" / "coarse_to_fine.py"


@pytest.mark.parametrize("parameterization", ["dct", "prefix_sum", "demmler_reinsch"])
def test_coarse_to_fine(parameterization: str) -> None:
    coarse_to_fine = runpy.run_path(str(EXAMPLE))["coarse_to_fine"]
    x = 4 * torch.rand(500, 2, dtype=torch.float64) - 2
    y = ((6 * x[:, 0]).sin() * x[:, 1])[:, None]
    model = KAN(
        [2, 4, 1],
        norm="none",
        num_control_points=5,
        parameterization=parameterization,
        dtype=torch.float64,
    )
    trained, stages = coarse_to_fine(model, x, y, grids=(5, 9, 17), steps=60, smoothness=1e-6)
    assert [layer.num_control_points for layer in trained.kan_layers()] == [17, 17]
    for previous, stage in pairwise(stages):
        assert stage.before == pytest.approx(previous.after, rel=1e-9)  # refined, and no worse
        assert stage.after < stage.before
