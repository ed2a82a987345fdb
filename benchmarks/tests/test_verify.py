"""No speed before correct values: what `verify` lets through, and what it does not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.cases import MODES, PRECISIONS, Case
from benchmarks.competitors import OURS
from benchmarks.steps import Step, build
from benchmarks.verify import our_error
from kanditioned_spec.costs import Sizes

EMBEDDING = next(c for c in OURS if c.label == "torch embedding")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_correct_layer_is_within_the_bound(mode: str, precision: str) -> None:
    case = Case(Sizes(40, 5, 6, 9), mode, precision)
    assert our_error(build(EMBEDDING, case, Path()), case) <= 1


@pytest.mark.parametrize("mode", ["train", "train_penalty"])
@pytest.mark.parametrize("fault", [0, -2, -1])
def test_a_wrong_result_is_out_of_it(mode: str, fault: int) -> None:
    """One thousandth off in y, in the gradient by x, or in that by the parameters."""
    case = Case(Sizes(40, 5, 6, 9), mode)
    step = build(EMBEDDING, case, Path())

    def run(*arguments: torch.Tensor) -> list[torch.Tensor]:
        outputs = list(step.run(*arguments))
        outputs[fault] = outputs[fault] * 1.001
        return outputs

    faulty = Step(step.layer, step.inputs, run, step.synchronize, step.arrays)
    assert our_error(faulty, case) > 1


def test_a_forgotten_penalty_is_noticed() -> None:
    plain, penalised = (Case(Sizes(40, 5, 6, 9), mode) for mode in ("train", "train_penalty"))
    step = build(EMBEDDING, penalised, Path())
    without = build(EMBEDDING, plain, Path())
    with torch.no_grad():
        step.layer.theta.normal_(std=10)
        without.layer.theta.copy_(step.layer.theta)

    def run(*arguments: torch.Tensor) -> list[torch.Tensor]:
        return [*step.run(*arguments)[:-1], without.run(*arguments)[-1]]

    faulty = Step(step.layer, step.inputs, run, step.synchronize, step.arrays)
    assert our_error(faulty, penalised) > 1
