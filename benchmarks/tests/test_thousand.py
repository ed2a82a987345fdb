"""Adam on the quadratic of one spline."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.studies.thousand import FRAMES, REPORTED, adam, best_rate


def test_adam_is_pytorch_s() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(6, 4)), rng.normal(size=6)
    rates = np.array([1e-3, 1e-1])
    values, frames = adam(a, b, rates, 20)
    assert len(frames) == sum(frame <= 20 for frame in FRAMES)
    for column, rate in enumerate(rates):
        theta = torch.nn.Parameter(torch.zeros(4, dtype=torch.float64))
        optimizer = torch.optim.Adam([theta], float(rate))
        for value in values[:, column]:
            optimizer.zero_grad()
            loss = (torch.as_tensor(a) @ theta - torch.as_tensor(b)).square().sum()
            torch.autograd.backward(loss)
            optimizer.step()
            residual = a @ theta.detach().numpy() - b
            np.testing.assert_allclose(value, residual @ residual, rtol=1e-12)


def test_the_best_rate_is_first_at_the_gap_then_lowest() -> None:
    slow, fast, low = [1.0, 0.5, 1e-6], [1.0, 1e-5, 1e-5], [1.0, 0.1, 0.01]
    assert best_rate(np.array([slow, fast, low]).T) == 1
    assert best_rate(np.array([low, [1.0, 0.9, 0.9]]).T) == 0


def test_every_reported_iteration_has_a_frame() -> None:
    assert set(REPORTED) <= set(FRAMES)
