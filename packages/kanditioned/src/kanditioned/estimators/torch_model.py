"""The estimators' network in PyTorch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any, TypeVar, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kanditioned_spec.refinement import GridChange
from kanditioned_torch import KAN

from .training import Array, ModelSpec, Samples, Vector

Method = TypeVar("Method", bound=Callable[..., Any])


def _apart(method: Method) -> Method:
    """Let a method compute by the model's own rules, whatever modes its caller has set."""

    @functools.wraps(method)
    def computed(*arguments: Any, **options: Any) -> Any:
        with ExitStack() as modes:
            modes.enter_context(torch.inference_mode(False))
            modes.enter_context(torch.enable_grad())
            for kind in ("cpu", "cuda"):
                if torch.is_autocast_enabled(kind):
                    modes.enter_context(torch.autocast(kind, enabled=False))
            if torch.get_default_device().type != "cpu":
                modes.enter_context(torch.device("cpu"))
            return method(*arguments, **options)

    return cast(Method, computed)


class Model:
    """See `training.Model`."""

    @_apart
    def __init__(self, spec: ModelSpec) -> None:
        self.kind, self.smoothing = spec.loss, spec.smoothing
        self._coordinates = spec.coordinates
        device = torch.device(spec.device or "cpu")
        self.network = KAN(
            spec.widths,
            norm="none",
            generator=torch.Generator(device).manual_seed(spec.seed),
            device=device,
            dtype=getattr(torch, spec.dtype),
            **spec.grid._asdict(),
            **self._coordinates(spec.grid.num_control_points),
        )
        torch.nn.init.zeros_(self._like())
        self._optimizer = torch.optim.Adam(self.network.parameters())

    @_apart
    def step(self, samples: Samples, learning_rate: float) -> float:
        self._optimizer.param_groups[0]["lr"] = learning_rate
        objective = self._differentiate(samples)
        self._optimizer.step()
        return objective

    @_apart
    def objective(self, samples: Samples) -> tuple[float, Vector]:
        value = self._differentiate(samples)
        return value, _vector(parameter.grad for parameter in self.network.parameters())

    @_apart
    def refine(self, change: GridChange) -> None:
        refined = self.network.change_grid(change)
        coordinates = self._coordinates(change.grid.num_control_points)
        self.network = refined.reparameterize(**coordinates)
        self._optimizer = torch.optim.Adam(self.network.parameters())

    @_apart
    @torch.no_grad()
    def loss(self, samples: Samples) -> float:
        return float(self._loss(samples))

    @_apart
    @torch.no_grad()
    def outputs(self, x: Array) -> Array:
        y: Array = self.network(self._tensor(x)).cpu().numpy()
        return y

    @_apart
    def parameters(self) -> Vector:
        return _vector(parameter.detach() for parameter in self.network.parameters())

    @_apart
    def set_parameters(self, vector: Vector) -> None:
        values = self._tensor(vector)
        torch.nn.utils.vector_to_parameters(values, self.network.parameters())

    def finish(self) -> None:
        del self._optimizer, self._coordinates
        self.network.zero_grad()
        self.network.eval()

    def _differentiate(self, samples: Samples) -> float:
        self.network.zero_grad()
        objective = self._loss(samples)
        if self.smoothing:
            objective = objective + self.smoothing * self.network.penalty("continuous")
        objective.backward()  # type: ignore[no-untyped-call]
        return float(objective.detach())

    def _loss(self, samples: Samples) -> Tensor:
        outputs, weight = self.network(self._tensor(samples.x)), self._tensor(samples.weight)
        if samples.offset is not None:
            outputs = outputs + self._tensor(samples.offset)
        if self.kind == "cross_entropy":
            target = torch.as_tensor(samples.y, device=outputs.device)
            each = F.cross_entropy(outputs, target, reduction="none")
        else:
            loss = F.mse_loss if self.kind == "squared" else F.binary_cross_entropy_with_logits
            each = loss(outputs, self._tensor(samples.y), reduction="none").mean(1)
        return (weight * each).mean()

    def _like(self) -> Tensor:
        theta = self.network.layers[-1].theta
        assert isinstance(theta, Tensor)
        return theta

    def _tensor(self, array: Any) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(array)).to(self._like())


def _vector(tensors: Iterable[Tensor | None]) -> Vector:
    parts = [tensor.double().cpu().numpy().ravel() for tensor in tensors if tensor is not None]
    return np.concatenate(parts)
