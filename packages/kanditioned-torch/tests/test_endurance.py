"""Long runs, wild data, mixed precision, threads."""

from __future__ import annotations

import gc
import resource
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor

from kanditioned_torch import KAN, param_groups

STEPS, WARM_UP = 10_000, 1_000


def peak() -> int:
    """Return the largest memory of this process so far, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def tracked() -> int:
    """Return the number of live containers."""
    gc.collect()
    return len(gc.get_objects())


def test_ten_thousand_steps_without_growth() -> None:
    """Less than half of what a leak of one batch of outputs a step would take."""
    model = KAN([3, 8, 1], norm="none", num_control_points=9, parameterization="dct")
    optimizer = torch.optim.AdamW(param_groups(model, 1e-3), lr=3e-3)
    x = torch.randn(64, 3)
    y = x.sin().sum(1, keepdim=True)
    objects = start = 0
    for step in range(STEPS):
        if step == WARM_UP:
            objects, start = tracked(), peak()
        optimizer.zero_grad()
        loss = (model(x) - y).square().mean()
        loss.backward()
        optimizer.step()
    grown, gained = peak() - start, tracked() - objects
    print(f"{STEPS} steps: {grown / 2**20:.1f} MiB and {gained} objects more, loss {loss:.1e}")
    assert loss < 0.2
    leak = (STEPS - WARM_UP) * y.nbytes
    assert grown < leak / 2
    assert gained < STEPS / 100


@pytest.mark.parametrize("norm", ["layer", "batch", "none"])
@pytest.mark.parametrize("parameterization", ["bspline", "dct", "prefix_sum"])
def test_outliers_and_constant_columns_train(norm: str, parameterization: str) -> None:
    x = torch.randn(256, 4)
    x[::50, 0], x[3, 1], x[:, 2], x[:, 3] = 1e6, -1e6, 0.0, 7.0
    y = torch.randn(256, 1)
    model = KAN([4, 6, 1], norm=norm, num_control_points=9, parameterization=parameterization)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(50):
        optimizer.zero_grad()
        loss = (model(x) - y).square().mean() + 1e-3 * model.penalty()
        loss.backward()
        optimizer.step()
        assert loss.isfinite()
    assert all(parameter.isfinite().all() for parameter in model.parameters())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_mixed_precision_with_a_scaler(dtype: torch.dtype) -> None:
    model = KAN([3, 8, 1], norm="none", num_control_points=9, parameterization="dct")
    optimizer = torch.optim.AdamW(param_groups(model, 1e-3), lr=1e-2)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)  # the first steps overflow
    x = torch.randn(128, 3)
    y = x.sin().sum(1, keepdim=True)
    losses, skipped = [], 0
    for _ in range(150):
        with torch.autocast("cpu", dtype=dtype):
            loss = (model(x).float() - y).square().mean()
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        before, scale = model.layers[0].theta.detach().clone(), scaler.get_scale()
        scaler.step(optimizer)
        scaler.update()
        if scaler.get_scale() < scale:
            skipped += 1
            assert torch.equal(model.layers[0].theta, before)
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert skipped == 0 if dtype == torch.bfloat16 else skipped > 0


@pytest.mark.parametrize("parameterization", ["bspline", "dct"])
def test_two_threads_share_a_layer(parameterization: str) -> None:
    model = KAN([4, 16, 2], num_control_points=9, parameterization=parameterization).eval()
    inputs = [torch.randn(64, 4) for _ in range(2)]
    with torch.inference_mode():
        wants = [model(x) for x in inputs]

    def run(x: Tensor, want: Tensor) -> bool:
        with torch.inference_mode():
            return all(torch.equal(model(x), want) for _ in range(300))

    for _ in range(3):
        model.eval()  # forgets the control points, so that both threads compute them
        with ThreadPoolExecutor(2) as pool:
            assert all(pool.map(run, inputs, wants))
