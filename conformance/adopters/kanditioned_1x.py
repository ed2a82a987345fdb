"""The released package `kanditioned` 1.0.3 and 1.0.4 as a backend of the protocol.

    pip install --no-deps --target released kanditioned==1.0.4
    PYTHONPATH=released:conformance/adopters kanditioned-conformance --profile ci \
        --backend kanditioned_1x:embedding --xfails conformance/adopters/embedding.xfails

Its module is named `KANditioned` on a disk that tells cases apart.
"""

from __future__ import annotations

import importlib.metadata
from typing import Any

import numpy as np
import torch
from KANditioned.kan_layer import KANLayer

from kanditioned_spec import SPEC_VERSION, BackendInfo, Problem

DTYPES = ("float64", "float32", "float16", "bfloat16")
VARIANTS = {"bspline": "B-spline", "parallel_scan": "parallel_scan"}


class Released:
    """One of its implementations. Its positions and sums have the dtype of the input."""

    def __init__(self, impl: str) -> None:
        self.impl = impl
        self.info = BackendInfo(
            name=f"released {impl}",
            framework=f"kanditioned {released_version()}, torch {torch.__version__}",
            spec_version=SPEC_VERSION,
            dtypes=DTYPES,
            devices=("cpu",),
            parameterizations=tuple(VARIANTS),
            accumulation={dtype: dtype for dtype in DTYPES},
        )

    def supports(self, problem: Problem) -> bool | str:
        return True

    def forward(self, problem: Problem, x: Any, control_points: Any) -> Any:
        return numpy(self._layer_of(problem, control_points)(tensor(problem, x)))

    def vjp(self, problem: Problem, x: Any, control_points: Any, grad_y: Any) -> Any:
        layer, x = self._layer_of(problem, control_points), tensor(problem, x)
        inputs = (x, layer.kan_weight)
        return tuple(map(numpy, torch.autograd.grad(layer(x), inputs, tensor(problem, grad_y))))

    def control_points(self, problem: Problem, theta: Any) -> Any:
        layer = self._layer(problem)
        with torch.no_grad():
            for name, part in layer.named_parameters():
                rows = slice(part.shape[1], None) if name == "l_weight" else slice(part.shape[1])
                part.copy_(tensor(problem, theta)[:, rows])
        return _control_points(problem, layer)

    def control_points_transpose(self, problem: Problem, grad: Any) -> Any:
        layer = self._layer(problem)
        parts = tuple(part for _, part in sorted(layer.named_parameters(), reverse=True))
        gy = tensor(problem, grad).reshape(-1, problem.out_features)
        found = torch.autograd.grad(layer.get_interp_tensor(), parts, gy)
        return np.concatenate([numpy(part) for part in found], axis=1)

    def initial_control_points(self, problem: Problem, init: str, seed: int) -> Any:
        with torch.random.fork_rng([]):  # it takes no seed but the global one
            torch.manual_seed(seed)
            return _control_points(problem, self._layer(problem, init))

    def layer(self, **arguments: Any) -> Any:
        variant = arguments.pop("parameterization", "bspline")
        arguments = {"init": "zero", **arguments, "variant": VARIANTS.get(variant, variant)}
        return KANLayer(**arguments, impl=self.impl)

    def _layer(self, p: Problem, init: str = "zero") -> Any:
        count, width, variant = p.num_control_points, p.spline_width, VARIANTS[p.parameterization]
        layer = KANLayer(p.in_features, p.out_features, init, count, width, variant, self.impl)
        return layer.to(getattr(torch, p.dtype))

    def _layer_of(self, problem: Problem, control_points: Any) -> Any:
        layer = self._layer(problem)
        with torch.no_grad():
            layer.kan_weight.copy_(tensor(problem, control_points))
        return layer


class TwiceDifferentiable(Released):
    """`embedding`: PyTorch does not differentiate `embedding_bag` twice by its weights."""

    def vjp_of_vjp(
        self, problem: Problem, x: Any, control_points: Any, grad_y: Any, *cotangents: Any
    ) -> Any:
        layer, x = self._layer_of(problem, control_points), tensor(problem, x)
        gy = tensor(problem, grad_y)
        first = torch.autograd.grad(layer(x), (x, layer.kan_weight), gy, create_graph=True)
        along = [tensor(problem, cotangent) for cotangent in cotangents]
        inputs = (x, layer.kan_weight, gy)
        second = torch.autograd.grad(
            first, inputs, along, allow_unused=True, materialize_grads=True
        )
        return tuple(map(numpy, second))


def _control_points(problem: Problem, layer: Any) -> Any:
    shape = problem.in_features, problem.num_control_points, problem.out_features
    return numpy(layer.get_interp_tensor()).reshape(shape)


def released_version() -> str:
    """Return the version of the distribution that `KANditioned` came from."""
    owners = importlib.metadata.packages_distributions().get("KANditioned", ["kanditioned"])
    return importlib.metadata.version(owners[0])


def tensor(problem: Problem, array: Any) -> torch.Tensor:
    """Copy an array to the problem's dtype, as a leaf that requires a gradient."""
    values = torch.from_numpy(np.array(array))
    return values.to(getattr(torch, problem.dtype)).requires_grad_()


def numpy(result: torch.Tensor) -> Any:
    """Return the values in the NumPy dtype that holds them (bfloat16 in float32)."""
    result = result.detach()
    return (result.float() if result.dtype == torch.bfloat16 else result).numpy()


embedding, embedding_bag = TwiceDifferentiable("embedding"), Released("embedding_bag")
sparse_matmul_csr = Released("sparse_matmul_csr")  # the default of 1.0.4, which 1.0.3 has not
