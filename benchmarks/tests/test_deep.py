"""Muon on the parameters of a layer."""

from __future__ import annotations

import pytest
import torch

from benchmarks.studies.deep import OPTIMIZERS, MatrixMuon
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
