"""The step of a PyTorch layer."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .cases import Case
from .step import Step

SMOOTHING = 1e-3
"""λ of the penalty in the mode that has one."""


def step(layer: torch.nn.Module, case: Case, compiled: bool) -> Step:
    """Return the step of a layer, compiled or not."""
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
