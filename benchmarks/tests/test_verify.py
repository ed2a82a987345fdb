"""No speed before correct values: what `verify` lets through, and what it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.speed import torch_steps
from benchmarks.speed.cases import MODES, PRECISIONS, Case
from benchmarks.speed.competitors import OURS, Competitor
from benchmarks.speed.step import Step
from benchmarks.speed.steps import build, variants
from benchmarks.speed.verify import LARGEST_ERROR, demand, our_error, their_error
from kanditioned_spec.costs import Sizes

EMBEDDING = next(c for c in OURS if c.label == "torch embedding")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_correct_layer_is_within_the_bound(mode: str, precision: str) -> None:
    case = Case(Sizes(40, 5, 6, 9), mode, precision)
    for name, options in variants(EMBEDDING, case):
        assert our_error(build(EMBEDDING, case, Path(), **options), case) <= 1, name


@pytest.mark.parametrize("mode", ["train", "train_penalty"])
@pytest.mark.parametrize("fault", [0, -2, -1])
def test_a_wrong_result_is_out_of_it(mode: str, fault: int) -> None:
    """One thousandth off in y, in the gradient by x, or in that by the parameters."""
    case = Case(Sizes(40, 5, 6, 9), mode)
    for name, options in variants(EMBEDDING, case):
        step = build(EMBEDDING, case, Path(), **options)

        def run(*arguments: torch.Tensor, step: Step = step) -> list[torch.Tensor]:
            outputs = list(step.run(*arguments))
            outputs[fault] = outputs[fault] * 1.001
            return outputs

        faulty = Step(step.layer, step.inputs, run, step.synchronize, step.arrays)
        assert our_error(faulty, case) > 1, name
        with pytest.raises(ArithmeticError, match="torch embedding is wrong"):
            demand(faulty, EMBEDDING, case)


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


class Doubled(torch.autograd.Function):
    """Twice its argument, with a derivative that is off by a hundredth."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return 2 * x

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        return 2.02 * grad


class Foreign(torch.nn.Linear):
    """A competitor with a fault."""

    fault = ""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = super().forward(x)
        if self.fault == "gradient":
            return Doubled.apply(y)  # type: ignore[no-any-return, no-untyped-call]
        return y + 0.01 * (y.dtype == torch.float32) if self.fault == "value" else y


@pytest.mark.parametrize("mode", MODES[:2])
@pytest.mark.parametrize("fault", ["", "value", "gradient"])
def test_a_competitor_is_held_to_its_own_definition(mode: str, fault: str) -> None:
    case = Case(Sizes(40, 5, 6, 9), mode)
    layer = Foreign(5, 6)
    layer.fault = fault
    error = their_error(torch_steps.step(layer, case, compiled=False), case)
    assert (error > LARGEST_ERROR) == bool(fault)
    assert layer.weight.dtype == torch.float32


@pytest.mark.parametrize("fault", ["", "value", "gradient"])
def test_a_jax_competitor_too(fault: str) -> None:
    nnx = pytest.importorskip("flax.nnx")
    import jax

    from benchmarks.speed.jax_steps import step

    @jax.custom_vjp
    def doubled(x: jax.Array) -> jax.Array:
        return 2 * x

    doubled.defvjp(lambda x: (2 * x, None), lambda _, grad: (2.02 * grad,))

    class Layer(nnx.Linear):  # type: ignore[misc, name-defined]
        def __call__(self, x: jax.Array) -> jax.Array:
            y: jax.Array = super().__call__(x)
            if fault == "gradient":
                return doubled(y)
            return y + 0.01 * (y.dtype == "float32") if fault == "value" else y

    case = Case(Sizes(40, 5, 6, 9))
    made = step(Layer(5, 6, rngs=nnx.Rngs(0)), "nnx", case)
    jaxkan = Competitor("linear", "", lambda case: {}, framework="nnx")
    if fault:
        with pytest.raises(ArithmeticError, match="linear is wrong"):
            demand(made, jaxkan, case)
    else:
        demand(made, jaxkan, case)
