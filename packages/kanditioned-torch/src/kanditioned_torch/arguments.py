"""Checks of what is PyTorch's own, with the messages of `kanditioned_spec.validate`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kanditioned_spec import validate

DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
"""Dtypes of inputs and parameters."""


def check_tensor(where: str, argument: str, value: Any) -> None:
    """Check that an argument is a dense tensor of one of `DTYPES`.

    Raises:
        TypeError: It is not.
    """
    if not isinstance(value, Tensor):
        remedy = "Convert it, for example with torch.as_tensor."
        got = f"a {type(value).__name__}"
        raise TypeError(validate.message(where, argument, "a tensor", got, remedy))
    if value.layout is not torch.strided:
        remedy = "Convert it with .to_dense()."
        raise TypeError(validate.message(where, argument, "a dense tensor", value.layout, remedy))
    validate.floating(where, argument, value.dtype in DTYPES, value.dtype)


def check_dtype(where: str, dtype: Any) -> None:
    """Check that a dtype is one of `DTYPES`, or None.

    Raises:
        TypeError: It is not.
    """
    if dtype is not None and dtype not in DTYPES:
        remedy = "Pass a dtype of PyTorch itself, for example torch.float32."
        constraint = f"one of {', '.join(map(str, DTYPES))}"
        raise TypeError(validate.message(where, "dtype", constraint, repr(dtype), remedy))


def check_device(where: str, device: Any) -> None:
    """Check that tensors can be made on a device, or that it is None.

    Raises:
        TypeError: It is not the name of a device, nor one.
        ValueError: This PyTorch does not have it.
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        constraint, remedy = "a device that this PyTorch has", 'For example device="cpu".'
        got = f"{device!r} ({str(error).partition(chr(10))[0][:200].rstrip('. ')})"
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(validate.message(where, "device", constraint, got, remedy)) from error


def check_generator(where: str, generator: Any, device: torch.device) -> None:
    """Check that random numbers for a device can be drawn from a generator, or that it is None.

    Raises:
        TypeError: It is not a generator.
        ValueError: It is one of another device.
    """
    if generator is None:
        return
    remedy = "For example generator=torch.Generator().manual_seed(0)."
    validate.instance(where, "generator", generator, torch.Generator, "a torch.Generator", remedy)
    if device.type not in (generator.device.type, "meta"):
        constraint, got = f"a generator of the parameters' device, {device}", generator.device
        remedy = f'Make one with torch.Generator("{device.type}").'
        raise ValueError(validate.message(where, "generator", constraint, got, remedy))
