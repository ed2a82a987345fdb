"""The implementations as backends of the conformance protocol: NumPy in, NumPy out."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch
from torch import Tensor

import kanditioned_spec as spec
from kanditioned_spec import PARAMETERIZATIONS, SPEC_VERSION, BackendInfo, Problem, Shapes
from kanditioned_spec.checkpoint import LayerConfig
from kanditioned_spec.protocol import NumpyArray

from . import selection
from .functional import spline_forward
from .input_map import InputMap
from .layer import KANLayer
from .network import KAN
from .parameterizations import map_of

DTYPES = ("float64", "float32", "float16", "bfloat16")
PRODUCTS = ("auto", "dense", "triton")
"""What multiplies with the hat basis, or may choose what does."""
INTERPRETED_ROWS = 5000


class TorchBackend:
    """One implementation, evaluated through the public functions and PyTorch's autograd.

    Args:
        impl: A name in `selection.IMPL_NAMES`.
    """

    def __init__(self, impl: str) -> None:
        self.impl = impl

    @property
    def info(self) -> BackendInfo:
        return BackendInfo(
            name="torch" if self.impl == "auto" else f"torch-{self.impl}",
            framework=f"torch {torch.__version__}",
            spec_version=SPEC_VERSION,
            dtypes=DTYPES,
            devices=("cpu", "cuda") if torch.cuda.is_available() else ("cpu",),
            parameterizations=tuple(PARAMETERIZATIONS),
            accumulation={d: "float64" if d == "float64" else "float32" for d in DTYPES},
            spreads_non_finite=self.impl in PRODUCTS,
            one_thread=self._is_interpreted,
        )

    def supports(self, problem: Problem) -> bool | str:
        selection.check("TorchBackend", self.impl)
        if self._is_interpreted and problem.batch > INTERPRETED_ROWS:
            return f"more than {INTERPRETED_ROWS} rows, which take Triton's interpreter minutes"
        return True

    @property
    def _is_interpreted(self) -> bool:
        return self.impl == "triton" and os.environ.get("TRITON_INTERPRET") == "1"

    def forward(self, problem: Problem, x: NumpyArray, control_points: NumpyArray) -> NumpyArray:
        with torch.no_grad():
            return _numpy(self._evaluate(problem, *_tensors(problem, x, control_points)))

    def vjp(
        self, problem: Problem, x: NumpyArray, control_points: NumpyArray, grad_y: NumpyArray
    ) -> tuple[NumpyArray, NumpyArray]:
        inputs = _tensors(problem, x, control_points)
        (gy,) = _tensors(problem, grad_y)
        gx, gc = torch.autograd.grad(self._evaluate(problem, *inputs), inputs, gy)
        return _numpy(gx), _numpy(gc)

    def vjp_of_vjp(
        self,
        problem: Problem,
        x: NumpyArray,
        control_points: NumpyArray,
        grad_y: NumpyArray,
        cotangent_x: NumpyArray,
        cotangent_control_points: NumpyArray,
    ) -> tuple[NumpyArray, NumpyArray, NumpyArray]:
        *layer, gy = _tensors(problem, x, control_points, grad_y)
        cotangents = _tensors(problem, cotangent_x, cotangent_control_points)
        y = self._evaluate(problem, *layer)
        first = torch.autograd.grad(y, layer, gy, create_graph=True)
        by_x, by_c, by_gy = torch.autograd.grad(first, (*layer, gy), cotangents)
        return _numpy(by_x), _numpy(by_c), _numpy(by_gy)

    def feature_major(
        self, problem: Problem, x: NumpyArray, control_points: NumpyArray, grad_y: NumpyArray
    ) -> tuple[NumpyArray, NumpyArray, NumpyArray]:
        inputs = _tensors(problem, x, control_points)
        (gy,) = _tensors(problem, grad_y)
        y = self._evaluate(problem, *inputs, feature_major=True)
        gx, gc = torch.autograd.grad(y, inputs, gy)
        return _numpy(y), _numpy(gx), _numpy(gc)

    def control_points(self, problem: Problem, theta: NumpyArray) -> NumpyArray:
        return _numpy(self._of_theta(problem, theta).control_points())

    def control_points_transpose(self, problem: Problem, grad: NumpyArray) -> NumpyArray:
        layer = self._module(problem)
        (gradient,) = torch.autograd.grad(
            layer.control_points(), layer.theta, _tensors(problem, grad)
        )
        return _numpy(gradient)

    def vjp_of_layer(
        self, problem: Problem, x: NumpyArray, theta: NumpyArray, grad_y: NumpyArray
    ) -> tuple[NumpyArray, NumpyArray, NumpyArray]:
        layer = self._of_theta(problem, theta)
        inputs, gy = _tensors(problem, x, grad_y)
        y = layer(inputs)
        gx, gradient = torch.autograd.grad(y, (inputs, layer.theta), gy)
        return _numpy(y), _numpy(gx), _numpy(gradient)

    def penalty(self, problem: Problem, theta: NumpyArray) -> float:
        return float(self._of_theta(problem, theta).penalty().detach())

    def feasible(
        self, problem: Problem, control_points: NumpyArray, grad: NumpyArray
    ) -> tuple[NumpyArray, NumpyArray]:
        (free, gy) = _tensors(problem, control_points, grad)
        layer = KANLayer.from_control_points(free, impl=self.impl, **Shapes.of(problem)._asdict())
        layer.theta = torch.nn.Parameter(free)
        points = layer.control_points()
        (gradient,) = torch.autograd.grad(points, layer.theta, gy.to(points.dtype))
        return _numpy(points), _numpy(gradient)

    def map_input(
        self, input_map: spec.InputMap, x: NumpyArray, grad_z: NumpyArray, dtype: str
    ) -> tuple[NumpyArray, NumpyArray]:
        numbers = spec.InputMap(input_map.breakpoints, input_map.images)
        module = InputMap(numbers, dtype=getattr(torch, dtype))
        kind = torch.float64 if x.dtype == np.float64 else getattr(torch, dtype)
        given = torch.from_numpy(np.array(x)).to(kind).requires_grad_()
        z = module(given)
        (gradient,) = torch.autograd.grad(z, given, torch.from_numpy(np.array(grad_z)).to(z.dtype))
        return _numpy(z), _numpy(gradient)

    def parameters_from(self, problem: Problem, control_points: NumpyArray) -> NumpyArray:
        return _numpy(self._of_control_points(problem, control_points).theta)

    def initial_control_points(self, problem: Problem, init: str, seed: int) -> NumpyArray:
        generator = torch.Generator(problem.device).manual_seed(seed)
        layer = self._module(problem, init=init, generator=generator)
        return _numpy(layer.control_points())

    def refine(
        self, problem: Problem, control_points: NumpyArray, num_control_points: int
    ) -> NumpyArray:
        layer = self._of_control_points(problem, control_points).refine(num_control_points)
        return _numpy(layer.control_points())

    def widen(
        self, problem: Problem, control_points: NumpyArray, intervals: int
    ) -> tuple[NumpyArray, float]:
        layer = self._of_control_points(problem, control_points).widen(intervals)
        return _numpy(layer.control_points()), layer.spline_width

    def layer(self, **arguments: Any) -> KANLayer:
        return KANLayer(**arguments, impl=self.impl)

    def save(self, problem: Problem, theta: NumpyArray, path: str | os.PathLike[str]) -> None:
        self._of_theta(problem, theta).save(path)

    def load(self, path: str | os.PathLike[str]) -> tuple[Problem, NumpyArray]:
        layer = KANLayer.load(path, impl=self.impl)
        return layer.layer_config.problem(batch=0), _numpy(layer.theta)

    def forward_network(self, path: str | os.PathLike[str], x: NumpyArray) -> NumpyArray:
        """Evaluate the network of a file."""
        return _numpy(KAN.load(path, impl=self.impl).eval()(torch.as_tensor(x)))

    def _evaluate(
        self, problem: Problem, x: Tensor, control_points: Tensor, *, feature_major: bool = False
    ) -> Tensor:
        return spline_forward(
            x,
            control_points,
            problem.spline_width,
            self.impl,
            feature_major=feature_major,
            precision="highest",
        )

    def _module(self, problem: Problem, **arguments: Any) -> KANLayer:
        config = LayerConfig.of(problem)
        given = {"init": "zero", **config.arguments(), **arguments}
        dtype = getattr(torch, problem.dtype)
        layer = KANLayer(**given, impl=self.impl, device=problem.device, dtype=dtype)
        layer.parameterization_map = map_of(config.map(), layer.theta)
        return layer

    def _of_theta(self, problem: Problem, theta: NumpyArray) -> KANLayer:
        layer = self._module(problem)
        with torch.no_grad():
            layer.theta.copy_(_tensors(problem, theta)[0])
        return layer

    def _of_control_points(self, problem: Problem, control_points: NumpyArray) -> KANLayer:
        layer = self._module(problem)
        (points,) = _tensors(problem, control_points)
        return layer.replace_functions(points, layer.grid, layer.parameterization_spec)


def _tensors(problem: Problem, *arrays: NumpyArray) -> list[Tensor]:
    """Copy arrays to the problem's device and dtype, as leaves that require gradients."""
    dtype = getattr(torch, problem.dtype)
    return [
        torch.from_numpy(np.array(array)).to(problem.device, dtype).requires_grad_()
        for array in arrays
    ]


def _numpy(tensor: Tensor) -> NumpyArray:
    """Return the values in the NumPy dtype that holds them (bfloat16 in float32)."""
    tensor = tensor.detach().cpu()
    array: NumpyArray = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    return array


auto = TorchBackend("auto")
embedding = TorchBackend("embedding")
strided = TorchBackend("strided")
presorted = TorchBackend("presorted")
embedding_bag = TorchBackend("embedding_bag")
interleaved = TorchBackend("interleaved")
sorted = TorchBackend("sorted")
sparse_csr = TorchBackend("sparse_csr")
dense = TorchBackend("dense")
cpu = TorchBackend("cpu")
triton = TorchBackend("triton")
