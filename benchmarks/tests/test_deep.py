"""Muon on the parameters of a layer, and which learning rates are tried."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from benchmarks.results import Table
from benchmarks.studies.deep import OPTIMIZERS, MatrixMuon, rates
from kanditioned_torch import KANLayer


@pytest.mark.skipif("muon" not in OPTIMIZERS, reason="PyTorch has no Muon before 2.9")
def test_a_step_is_that_of_the_matrix() -> None:
    layer = KANLayer(3, 4, num_control_points=5)
    matrix = torch.nn.Parameter(layer.theta.detach().clone().flatten(0, 1))
    gradient = torch.randn(layer.theta.shape, generator=torch.Generator().manual_seed(0))
    matrix.grad = gradient.flatten(0, 1).clone()
    reference = torch.optim.Muon([matrix], 0.1, weight_decay=0.0)
    optimizer = MatrixMuon(layer.parameters(), 0.1)

    def closure() -> float:
        layer.theta.grad = gradient.clone()
        return 7.0

    for _ in range(2):
        reference.step()  # type: ignore[no-untyped-call]
        assert optimizer.step(closure) == 7.0
        reference.param_groups[0]["lr"] = optimizer.param_groups[0]["lr"] = 0.05
    assert torch.equal(layer.theta.detach().flatten(0, 1), matrix.detach())


@pytest.mark.parametrize(
    ("best", "further"), [(1e-2, []), (0.1, [0.3]), (0.3, [0.3, 1.0]), (3e-4, [3e-4, 1e-4])]
)
def test_rates_go_on_where_the_best_is_at_an_end(
    best: float, further: list[float], tmp_path: Path
) -> None:
    table = Table(tmp_path / "deep.csv", ())
    first = {"optimizer": "adam", "seed": 0}
    ran = []
    for rate in rates(table, first):
        ran.append(rate)
        error = abs(math.log(rate / best))
        table.append({**first, "learning_rate": rate, "validation": error})
    assert ran == [1e-3, 3e-3, 1e-2, 3e-2, 0.1, *further]
    assert list(rates(table, {**first, "seed": 3})) == [best]
