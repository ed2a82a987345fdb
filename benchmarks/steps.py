"""What one timed call does, the same for every layer of a framework."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from . import environments
from .cases import Case
from .competitors import PENALISED, Competitor

SMOOTHING = 1e-3


@dataclass
class Step:
    """A layer that is ready to be timed.

    Attributes:
        layer: The layer.
        inputs: Makes fresh random arguments of `run` from a seed.
        run: Computes y, or y and the gradients by the input and every parameter.
        synchronize: Waits until everything is computed; takes what `run` returned.
        arrays: Maps arguments, or what `run` returned, to float64 arrays, y first.
    """

    layer: Any
    inputs: Callable[[int], tuple[Any, ...]]
    run: Callable[..., Any]
    synchronize: Callable[[Any], Any]
    arrays: Callable[[Any], list[npt.NDArray[np.float64]]]


def build(competitor: Competitor, case: Case, folder: Path, **options: Any) -> Step:
    """Build the layer of a competitor and its step.

    Args:
        competitor: Whose layer.
        case: Of which sizes, and what to compute.
        folder: Where competitors are installed.
        **options: Further constructor arguments: the parameterization, for our own.

    Raises:
        UnavailableError: The competitor is not installed.
    """
    make = environments.load(competitor, folder)
    arguments = {**competitor.arguments(case), **options}
    if competitor.framework != "torch":
        from . import jax_steps

        return jax_steps.step(make(**arguments), competitor.framework, case)
    torch.manual_seed(0)
    return torch_step(make(**arguments).to(case.device), case, competitor.compiled)


def variants(competitor: Competitor, case: Case) -> list[tuple[str, dict[str, Any]]]:
    """Return a name and options per variant: several in the mode with a penalty, else one.

    None where the case has no meaning: others have no such penalty, and JAX no autocast.
    """
    if case.precision == "autocast" and competitor.framework != "torch":
        return []
    if case.mode != "train_penalty":
        return [("", {})]
    if not (competitor.ours and competitor.framework == "torch"):
        return []
    return [(name, {"parameterization": name, **given}) for name, given in PENALISED]


def torch_step(layer: torch.nn.Module, case: Case, compiled: bool) -> Step:
    """Return the step of a PyTorch layer."""
    half = case.precision == "bfloat16"
    layer = layer.to(torch.bfloat16) if half else layer
    layer.train(case.mode != "inference")
    expansion = getattr(layer, "expansion", 1)
    feature_major = getattr(layer, "feature_major", False)
    parameters = [p for p in layer.parameters() if p.requires_grad]
    training, penalised = case.mode != "inference", case.mode == "train_penalty"
    torch.set_float32_matmul_precision("high" if case.precision == "high" else "highest")

    def loss_terms(x: Tensor) -> tuple[Tensor, ...]:
        output = layer(x)
        y = output[0] if isinstance(output, tuple) else output
        return (y, SMOOTHING * cast(Any, layer).penalty()) if penalised else (y,)

    # one code object serves every competitor, so each is a recompilation of it
    torch._dynamo.config.recompile_limit = 256
    evaluate = torch.compile(loss_terms) if compiled else loss_terms
    autocast = torch.autocast(case.device, torch.bfloat16, enabled=case.precision == "autocast")

    def inputs(seed: int) -> tuple[Tensor, Tensor]:
        generator = torch.Generator(case.device).manual_seed(seed)
        made: dict[str, Any] = {"generator": generator, "device": case.device}
        batch, in_features, out_features, _ = case.shape
        x = torch.randn(batch, in_features * expansion, **made)
        gy = torch.randn(batch, out_features, **made)
        if feature_major:
            x, gy = x.t().contiguous(), gy.t().contiguous()
        dtype = torch.bfloat16 if half else torch.float32
        return x.to(dtype).requires_grad_(training), gy

    def run(x: Tensor, gy: Tensor) -> tuple[Tensor, ...]:
        if not training:
            with torch.no_grad(), autocast:
                return evaluate(x)
        with autocast:
            terms = evaluate(x)
        cotangents = [gy.to(terms[0].dtype), *(torch.ones_like(term) for term in terms[1:])]
        return *terms, *torch.autograd.grad(terms, (x, *parameters), cotangents)

    def synchronize(_: Any) -> None:
        if case.device == "cuda":
            torch.cuda.synchronize()

    def arrays(tensors: tuple[Tensor, ...]) -> list[npt.NDArray[np.float64]]:
        copies = [tensor.detach().double().cpu().numpy() for tensor in tensors]
        return [a.T if feature_major and a.ndim == 2 else a for a in copies]

    return Step(layer, inputs, run, synchronize, arrays)
