"""The step of a competitor at a case, whatever its framework."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import torch

from . import environments, torch_steps
from .cases import Case
from .competitors import PENALISED, Competitor
from .step import Step


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
        jax_steps = importlib.import_module(".jax_steps", __package__)  # which imports JAX
        made: Step = jax_steps.step(make(**arguments), competitor.framework, case)
        return made
    torch.manual_seed(0)
    return torch_steps.step(make(**arguments).to(case.device), case, competitor.compiled)


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
