"""Tests under Triton's interpreter, run by `test_interpreter`: nothing to sum, and no kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from triton.compiler import CompilationError
from triton.runtime.errors import OutOfResources, PTXASError

from kanditioned_spec import reference
from kanditioned_torch import spline_forward
from kanditioned_triton import kernels

WIDTH = 4.0


def step(batch: int, in_features: int, count: int, out_features: int) -> tuple[Tensor, ...]:
    """Return x, control points, gradient by y, result, and the gradients by x and by them."""
    x = torch.rand(batch, in_features, requires_grad=True)
    c = torch.randn(in_features, count, out_features, requires_grad=True)
    gy = torch.randn(batch, out_features)
    y = spline_forward(x, c, WIDTH, "triton", precision="highest")
    gx, gc = torch.autograd.grad(y, [x, c], gy)
    return x.detach(), c.detach(), gy, y.detach(), gx, gc


class TestEdges:
    @pytest.mark.parametrize("count", [5, 37])
    @pytest.mark.parametrize("shape", [(4, 0, 3), (4, 3, 0), (4, 0, 0), (0, 3, 2)])
    def test_no_features(self, shape: tuple[int, int, int], count: int) -> None:
        batch, in_features, out_features = shape
        tensors = step(batch, in_features, count, out_features)
        x, c, gy, *got = (tensor.double().numpy() for tensor in tensors)
        want = reference.vjp(x, c, WIDTH, gy)
        wanted = (reference.forward(x, c, WIDTH), want.x, want.control_points)
        for one, other in zip(got, wanted, strict=True):
            np.testing.assert_array_equal(one, other)

    @pytest.mark.parametrize("kernel", ["interpolate", "contract", "accumulate"])
    @pytest.mark.parametrize(
        "error",
        [
            CompilationError("", None, "no such instruction"),
            OutOfResources(250_000, 101_376, "shared memory"),
            PTXASError("no such instruction"),
            RuntimeError("PassManager::run failed"),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_kernel_that_the_gpu_cannot_run(
        self, kernel: str, error: Exception, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        name = kernel if kernel == "accumulate" else f"dense_{kernel}"
        monkeypatch.setattr(kernels, name, _Failing(error))
        message = (
            r"`spline_forward\(impl=\.\.\.\)` must be one whose kernels Triton .* can run on .*, "
            rf'got "triton", with {type(error).__name__}: .*impl="dense" .*, impl="embedding"'
        )
        with pytest.raises(ValueError, match=message) as raised:
            step(20, 3, 9, 5)
        assert raised.value.__cause__ is error

    def test_other_errors_stay(self, monkeypatch: pytest.MonkeyPatch) -> None:
        error = torch.OutOfMemoryError("no memory")
        monkeypatch.setattr(kernels, "dense_interpolate", _Failing(error))
        with pytest.raises(torch.OutOfMemoryError, match="no memory"):
            step(20, 3, 9, 5)


class _Failing:
    """A kernel whose launch raises."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __getitem__(self, grid: Any) -> Any:
        def launched(*arguments: Any, **constants: Any) -> None:
            raise self.error

        return launched
