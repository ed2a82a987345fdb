"""Split-K: a long sum divided among several programs, and their partial sums added."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from . import kernels
from .configs import ceil_div
from .device import Device

PARTIAL_BYTES = 8 * 2**20
"""Partial sums are kept below this size."""
REDUCE_BLOCK = 1024


class Split(NamedTuple):
    """A sum divided among `number` programs that take `each` terms."""

    number: int
    each: int


def split_k(tiles: int, length: int, smallest: int, size: int, gpu: Device, step: int) -> Split:
    """Divide a sum so that `tiles` keep every multiprocessor busy.

    Args:
        tiles: Programs without division.
        length: Terms of the sum.
        smallest: Terms that are worth a program.
        size: Bytes of one partial sum.
        gpu: The device.
        step: Terms that a program takes at a time: parts are multiples of it.
    """
    number = min(
        ceil_div(gpu.units, tiles),
        ceil_div(length, smallest),
        max(1, PARTIAL_BYTES // size),
    )
    each = ceil_div(ceil_div(length, number), step) * step
    return Split(ceil_div(length, each), each)


def reduce_partials(partials: Tensor, total: Tensor, split: Split) -> None:
    """Add partial sums in their order, if there are several."""
    if split.number > 1:
        size = total.numel()
        grid = (ceil_div(size, REDUCE_BLOCK),)
        kernels.reduce_partials[grid](partials, total, size, split.number, REDUCE_BLOCK)
