"""The implementations as backends of the conformance protocol: NumPy in, NumPy out.

Each operation is one compiled function, cached by shape, dtype and setting. float64 is computed in
a scope of `jax.enable_x64`; the caller's own setting is left alone.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import kanditioned_spec as spec
from kanditioned_spec import PARAMETERIZATIONS, SPEC_VERSION, BackendInfo, Problem
from kanditioned_spec.checkpoint import LayerConfig
from kanditioned_spec.protocol import NumpyArray

from .arrays import to_file
from .config import Config
from .functional import spline_forward
from .grid import compute_dtype
from .input_map import InputMap
from .layer import KANLayer
from .network import KAN
from .parameterizations import parameters_from

DTYPES = ("float64", "float32", "float16", "bfloat16")


class JaxBackend:
    """One implementation, evaluated through the public functions and JAX's differentiation.

    Args:
        impl: A name in `selection.IMPL_NAMES`.
    """

    def __init__(self, impl: str) -> None:
        self.impl = impl

    @property
    def info(self) -> BackendInfo:
        accelerated = {"gpu": "cuda"}.get(jax.default_backend())
        return BackendInfo(
            name="jax" if self.impl == "auto" else f"jax-{self.impl}",
            framework=f"jax {jax.__version__}",
            spec_version=SPEC_VERSION,
            dtypes=DTYPES,
            devices=("cpu", accelerated) if accelerated else ("cpu",),
            parameterizations=tuple(PARAMETERIZATIONS),
            accumulation={d: "float64" if d == "float64" else "float32" for d in DTYPES},
            spreads_non_finite=self.impl != "lookup",  # products with the hat basis
        )

    def supports(self, problem: Problem) -> bool | str:
        return problem.device in self.info.devices or f"JAX sees no device {problem.device!r}"

    def forward(self, problem: Problem, x: NumpyArray, control_points: NumpyArray) -> NumpyArray:
        with _scope(problem):
            return _numpy(_forward(*_arrays(problem, x, control_points), **self._static(problem)))

    def vjp(
        self, problem: Problem, x: NumpyArray, control_points: NumpyArray, grad_y: NumpyArray
    ) -> tuple[NumpyArray, NumpyArray]:
        with _scope(problem):
            arrays = _arrays(problem, x, control_points, grad_y)
            gx, gc = _vjp(*arrays, **self._static(problem))
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
        given = (x, control_points, grad_y, cotangent_x, cotangent_control_points)
        with _scope(problem):
            by_x, by_c, by_gy = _vjp_of_vjp(*_arrays(problem, *given), **self._static(problem))
            return _numpy(by_x), _numpy(by_c), _numpy(by_gy)

    def feature_major(
        self, problem: Problem, x: NumpyArray, control_points: NumpyArray, grad_y: NumpyArray
    ) -> tuple[NumpyArray, NumpyArray, NumpyArray]:
        with _scope(problem):
            arrays = _arrays(problem, x, control_points, grad_y)
            y, gx, gc = _feature_major(*arrays, **self._static(problem))
            return _numpy(y), _numpy(gx), _numpy(gc)

    def control_points(self, problem: Problem, theta: NumpyArray) -> NumpyArray:
        with _scope(problem):
            return _numpy(_control_points(self._layer(problem, theta)))

    def control_points_transpose(self, problem: Problem, grad: NumpyArray) -> NumpyArray:
        with _scope(problem):
            (array,) = _arrays(problem, grad)
            return _numpy(_control_points_transpose(array, config=self._config(problem)))

    def parameters_from(self, problem: Problem, control_points: NumpyArray) -> NumpyArray:
        with _scope(problem):
            return _numpy(self._layer_with(problem, control_points).theta)

    def vjp_of_layer(
        self, problem: Problem, x: NumpyArray, theta: NumpyArray, grad_y: NumpyArray
    ) -> tuple[NumpyArray, NumpyArray, NumpyArray]:
        config = replace(self._config(problem), impl=self.impl)
        with _scope(problem):
            parameters, *arrays = _arrays(problem, theta, x, grad_y)
            y, gx, by_theta = _vjp_of_layer(KANLayer.of(parameters, config), *arrays)
            return _numpy(y), _numpy(gx), _numpy(by_theta)

    def penalty(self, problem: Problem, theta: NumpyArray) -> float:
        with _scope(problem):
            return float(_penalty(self._layer(problem, theta)))

    def feasible(
        self, problem: Problem, control_points: NumpyArray, grad: NumpyArray
    ) -> tuple[NumpyArray, NumpyArray]:
        config = replace(self._config(problem), parameterization="bspline", options=())
        with _scope(problem):
            c, g = _arrays(problem, control_points, grad)
            points, gradient = _feasible(KANLayer.of(c, config), g)
            return _numpy(points), _numpy(gradient)

    def map_input(
        self, input_map: spec.InputMap, x: NumpyArray, grad_z: NumpyArray, dtype: str
    ) -> tuple[NumpyArray, NumpyArray]:
        with jax.enable_x64(dtype == "float64"):
            numbers = spec.InputMap(input_map.breakpoints, input_map.images)
            module = InputMap(numbers, jnp.dtype(dtype))
            z, gradient = _map_input(module, jnp.asarray(x, dtype), jnp.asarray(grad_z, dtype))
            on_host = x.dtype == np.float64 and dtype != "float64"
            return _numpy(module(x) if on_host else z), _numpy(gradient)

    def initial_control_points(self, problem: Problem, init: str, seed: int) -> NumpyArray:
        arguments = LayerConfig.of(problem).arguments()
        with _scope(problem):
            layer = KANLayer(**arguments, init=init, key=seed, dtype=problem.dtype)
            return _numpy(layer.control_points())

    def refine(
        self, problem: Problem, control_points: NumpyArray, num_control_points: int
    ) -> NumpyArray:
        with _scope(problem):
            layer = self._layer_with(problem, control_points).refine(num_control_points)
            return _numpy(layer.control_points())

    def widen(
        self, problem: Problem, control_points: NumpyArray, intervals: int
    ) -> tuple[NumpyArray, float]:
        with _scope(problem):
            layer = self._layer_with(problem, control_points).widen(intervals)
            return _numpy(layer.control_points()), layer.spline_width

    def layer(self, **arguments: Any) -> KANLayer:
        return KANLayer(**arguments, impl=self.impl, key=0)

    def save(self, problem: Problem, theta: NumpyArray, path: str | os.PathLike[str]) -> None:
        with _scope(problem):
            self._layer(problem, theta).save(path)

    def load(self, path: str | os.PathLike[str]) -> tuple[Problem, NumpyArray]:
        with jax.enable_x64(True):
            layer = KANLayer.load(path, self.impl)
            config = to_file(layer.theta, layer.config).config
            return config.problem(0), _numpy(layer.theta)

    def forward_network(self, path: str | os.PathLike[str], x: NumpyArray) -> NumpyArray:
        """Evaluate the network of a file."""
        with jax.enable_x64(True):
            return _numpy(KAN.load(path, self.impl)(x))

    def _static(self, problem: Problem) -> dict[str, Any]:
        return {"spline_width": problem.spline_width, "impl": self.impl}

    def _config(self, problem: Problem) -> Config:
        """Return what control points depend on: all implementations share what is compiled."""
        return Config.of("Backend", LayerConfig.of(problem), "auto", "highest")

    def _layer(self, problem: Problem, theta: NumpyArray) -> KANLayer:
        (array,) = _arrays(problem, theta)
        return KANLayer.of(array, self._config(problem))

    def _layer_with(self, problem: Problem, control_points: NumpyArray) -> KANLayer:
        """Return the layer with these control points under the problem's parameterization."""
        config = self._config(problem)
        layer: KANLayer = _with_control_points(*_arrays(problem, control_points), config=config)
        return layer


_layer_jit = partial(jax.jit, static_argnames=("spline_width", "impl"))
_config_jit = partial(jax.jit, static_argnames=("config",))


@_layer_jit
def _forward(x: jax.Array, c: jax.Array, **static: Any) -> jax.Array:
    return spline_forward(x, c, **static, precision="highest")


@_layer_jit
def _vjp(x: jax.Array, c: jax.Array, gy: jax.Array, **static: Any) -> tuple[jax.Array, jax.Array]:
    _, pull = jax.vjp(lambda x, c: spline_forward(x, c, **static, precision="highest"), x, c)
    gx, gc = pull(gy)
    return gx, gc


@_layer_jit
def _vjp_of_vjp(
    x: jax.Array, c: jax.Array, gy: jax.Array, v: jax.Array, V: jax.Array, **static: Any
) -> tuple[jax.Array, jax.Array, jax.Array]:
    _, pull = jax.vjp(lambda x, c, gy: _vjp(x, c, gy, **static), x, c, gy)
    by_x, by_c, by_gy = pull((v, V))
    return by_x, by_c, by_gy


@_layer_jit
def _feature_major(
    x: jax.Array, c: jax.Array, gy: jax.Array, **static: Any
) -> tuple[jax.Array, jax.Array, jax.Array]:
    evaluate = partial(spline_forward, **static, feature_major=True, precision="highest")
    y, pull = jax.vjp(evaluate, x, c)
    gx, gc = pull(gy)
    return y, gx, gc


def _vjp_of_layer(
    layer: KANLayer, x: jax.Array, gy: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Not compiled as a whole: then all maps share what is compiled of the evaluation."""
    y, pull = jax.vjp(lambda layer, x: layer(x), layer, x)
    by_layer, gx = pull(gy)
    return y, gx, by_layer.theta


@jax.jit
def _control_points(layer: KANLayer) -> jax.Array:
    return layer.control_points()


def _feasible(layer: KANLayer, grad: jax.Array) -> tuple[jax.Array, jax.Array]:
    points, pull = jax.vjp(lambda layer: layer.control_points(), layer)
    return points, pull(grad.astype(points.dtype))[0].theta


@jax.jit
def _map_input(module: InputMap, x: jax.Array, grad: jax.Array) -> tuple[jax.Array, jax.Array]:
    z, pull = jax.vjp(module, x)
    return z, pull(grad)[0]


@jax.jit
def _penalty(layer: KANLayer) -> jax.Array:
    return layer.penalty()


@_config_jit
def _control_points_transpose(grad: jax.Array, config: Config) -> jax.Array:
    in_features, _, out_features = grad.shape
    shape = (in_features, config.spec.num_parameters, out_features)
    theta = jnp.zeros(shape, grad.dtype)
    evaluate = jax.linear_transpose(lambda t: KANLayer.of(t, config).control_points(), theta)
    (gradient,) = evaluate(grad)
    return jnp.asarray(gradient)


@_config_jit
def _with_control_points(control_points: jax.Array, config: Config) -> KANLayer:
    wide = control_points.astype(compute_dtype(control_points.dtype))
    theta = parameters_from(config.spec, wide).astype(control_points.dtype)
    return KANLayer.of(theta, config)


def _scope(problem: Problem) -> Any:
    return jax.enable_x64(problem.dtype == "float64")


def _arrays(problem: Problem, *arrays: NumpyArray) -> list[jax.Array]:
    """Copy arrays to the problem's device and dtype."""
    device = jax.devices("gpu" if problem.device == "cuda" else problem.device)[0]
    dtype = jnp.dtype(problem.dtype)
    return [jax.device_put(np.array(array, dtype=dtype), device) for array in arrays]


def _numpy(array: jax.Array) -> NumpyArray:
    """Return the values in the NumPy dtype that holds them (bfloat16 in float32)."""
    values = np.asarray(array)
    return values.astype(np.float32) if array.dtype == jnp.bfloat16 else values


auto = JaxBackend("auto")
lookup = JaxBackend("lookup")
dense = JaxBackend("dense")
pallas = JaxBackend("pallas")
