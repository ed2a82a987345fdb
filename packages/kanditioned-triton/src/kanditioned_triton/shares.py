"""A sum that several programs share: how it is divided, and how its parts are added."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from . import kernels
from .configs import ceil_div
from .device import Device

SHARE_BYTES = 8 * 2**20
"""Partial sums are kept below this size."""
SUM_BLOCK = 1024


class Shares(NamedTuple):
    """A sum divided among `number` programs that take `each` terms."""

    number: int
    each: int


def divide_sum(tiles: int, length: int, smallest: int, size: int, gpu: Device, step: int) -> Shares:
    """Divide a sum so that `tiles` keep every multiprocessor busy.

    Args:
        tiles: Programs without division.
        length: Terms of the sum.
        smallest: Terms that are worth a program.
        size: Bytes of one partial sum.
        gpu: The device.
        step: Terms that a program takes at a time: shares are multiples of it.
    """
    number = min(
        ceil_div(gpu.units, tiles),
        ceil_div(length, smallest),
        max(1, SHARE_BYTES // size),
    )
    each = ceil_div(ceil_div(length, number), step) * step
    return Shares(ceil_div(length, each), each)


def add_shares(parts: Tensor, total: Tensor, shares: Shares) -> None:
    """Add partial sums in their order, if there are several."""
    if shares.number > 1:
        size = total.numel()
        grid = (ceil_div(size, SUM_BLOCK),)
        kernels.sum_shares[grid](parts, total, size, shares.number, SUM_BLOCK)
