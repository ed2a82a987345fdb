"""PyTorch's weighted embedding bag and its own derivatives: a bag per sample, two rows a feature.

The fastest stock forward on a CPU. Nothing of size B·I·O exists. A bag holds the left rows of all
features, then the right ones; or `interleaved`, both rows of one feature after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..grid import is_infinite
from ..tracing import is_traced
from .base import Impl
from .stock import stock
from .tables import correct_non_finite, rows, table, with_infinite

SUM = 0  # the aten code of mode="sum"


@dataclass(frozen=True)
class Bags:
    """The layer as bags whose two rows of each feature are in a given order.

    Attributes:
        join: Makes one tensor (B, 2 I) of what belongs to left and to right rows, (B, I) each.
        split: Undoes that.
    """

    join: Callable[[Tensor, Tensor], Tensor]
    split: Callable[[Tensor], tuple[Tensor, ...]]

    def impl(self) -> Impl:
        """Return the implementation."""
        return stock(self.interpolate, self.contract, self.accumulate)

    def interpolate(
        self, interval: Tensor, weight: Tensor, control_points: Tensor, affine: bool
    ) -> Tensor:
        pairs = self._pairs(rows(interval, control_points.shape[1]))
        if affine and weight.is_cpu and is_traced():
            return self._looking_bag(pairs, weight, control_points)

        def bag(weight: Tensor) -> Tensor:
            return _bag(pairs, self._weights(weight, affine), control_points)

        return with_infinite(bag, weight, control_points) if affine else bag(weight)

    def contract(self, interval: Tensor, control_points: Tensor, grad_y: Tensor) -> Tensor:
        """Take the dot product of gy with both rows, and the difference of the two."""
        indices, offsets, bags = self._flat(interval, control_points.shape[1])
        dots: Tensor = torch.ops.aten._embedding_bag_per_sample_weights_backward(
            _row_major(grad_y), table(control_points), indices, offsets, bags, SUM
        )
        left, right = self.split(dots.view(interval.shape[0], 2 * interval.shape[1]))
        return right - left

    def accumulate(
        self,
        interval: Tensor,
        weight: Tensor,
        grad_y: Tensor,
        num_control_points: int,
        affine: bool,
    ) -> Tensor:
        in_features, out_features = interval.shape[1], grad_y.shape[1]
        indices, offsets, bags = self._flat(interval, num_control_points)
        grad: Tensor = torch.ops.aten._embedding_bag_dense_backward(
            _row_major(grad_y),
            indices,
            bags,
            torch.full_like(offsets, 2 * in_features),
            torch.empty_like(offsets[:0]),
            in_features * num_control_points,
            False,
            SUM,
            self._weights(weight, affine).reshape(-1),
        )
        return grad.view(in_features, num_control_points, out_features)

    def _looking_bag(self, pairs: Tensor, weight: Tensor, control_points: Tensor) -> Tensor:
        """As `with_infinite`, but a compiled program looks at the weights when it runs.

        `torch.cond` without its checks: those start another compilation within this one.
        """

        def plain(pairs: Tensor, weights: Tensor, control_points: Tensor) -> tuple[Tensor]:
            return (_bag(pairs, weights, control_points),)

        def exact(pairs: Tensor, weights: Tensor, control_points: Tensor) -> tuple[Tensor]:
            def bag(weight: Tensor) -> Tensor:
                return _bag(pairs, self._weights(weight, True), control_points)

            return (correct_non_finite(bag, self.split(weights)[1], control_points),)

        operands = pairs, self._weights(weight, True), control_points
        y: Tensor
        (y,) = torch.ops.higher_order.cond(is_infinite(weight).any(), exact, plain, operands)
        return y

    def _pairs(self, row: Tensor) -> Tensor:
        """Return rows l and l + 1 of every feature, (B, 2 I)."""
        return self.join(row, row + 1)

    def _weights(self, weight: Tensor, affine: bool) -> Tensor:
        return self.join(float(affine) - weight, weight)

    def _flat(self, interval: Tensor, num_control_points: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return flat indices, the start of each sample's bag, and the bag of each index."""
        pairs = self._pairs(rows(interval, num_control_points)).long()
        batch, size = pairs.shape
        bag = torch.arange(batch, device=pairs.device)
        return pairs.reshape(-1), bag * size, bag.repeat_interleave(size)


def _row_major(values: Tensor) -> Tensor:
    """As `contiguous`, whose copy the compiler makes in columns if it reads columns.

    With those PyTorch's derivative by the weights takes ten times as long (torch 2.13, 2026-11).
    """
    return values.contiguous().as_strided(values.shape, (values.shape[1], 1))


def _bag(pairs: Tensor, weights: Tensor, control_points: Tensor) -> Tensor:
    return F.embedding_bag(pairs, table(control_points), mode="sum", per_sample_weights=weights)


stacked_bags = Bags(lambda left, right: torch.cat((left, right), 1), lambda both: both.chunk(2, 1))
embedding_bag = stacked_bags.impl()
interleaved = Bags(
    lambda left, right: torch.stack((left, right), -1).flatten(1),
    lambda both: both.reshape(both.shape[0], both.shape[1] // 2, 2).unbind(-1),
).impl()
