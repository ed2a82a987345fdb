"""Where the kernels run: a GPU, or Triton's interpreter on CPU tensors."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import triton
from torch import Tensor
from triton.compiler import CompilationError
from triton.runtime.errors import OutOfResources, PTXASError

from kanditioned_spec import validate

from . import configs

INTERPRETED: bool = triton.knobs.runtime.interpret
"""Whether this process runs kernels in the interpreter: set by TRITON_INTERPRET=1 before import."""
KIND = "cpu" if INTERPRETED else "cuda"
"""Where the tensors are that this process can run kernels on."""


@dataclass(frozen=True)
class Device:
    """What the choice of tiles depends on.

    Attributes:
        family: Of the table in `configs`.
        units: Programs that run at the same time, one to a multiprocessor.
        is_hip: Whether it is an AMD GPU.
    """

    family: str
    units: int
    is_hip: bool = False


def of(x: Tensor) -> Device:
    """Return the device of a tensor.

    Raises:
        ValueError: The kernels cannot run there.
    """
    if INTERPRETED:
        return Device(configs.INTERPRETER, units=4)
    if x.is_cuda:
        return _gpu(x.device.index)
    raise ValueError(
        validate.message(
            "spline_forward",
            "x",
            'on a GPU for impl="triton"',
            x.device,
            'Move the layer and its input with .to("cuda"), or choose impl="auto".',
        )
    )


@contextlib.contextmanager
def guard(x: Tensor) -> Iterator[None]:
    """Return a context in which kernels are launched on the GPU of `x`.

    In the interpreter, NumPy computes and would warn of infinities, which are valid here.

    Raises:
        ValueError: A kernel does not compile for the GPU, or does not fit on it.
    """
    with np.errstate(all="ignore") if INTERPRETED else torch.cuda.device(x.device):
        try:
            yield
        except (CompilationError, OutOfResources, PTXASError, RuntimeError) as error:
            # Of the passes of Triton's compiler, a failure is a RuntimeError by this name.
            if isinstance(error, RuntimeError) and "PassManager" not in str(error):
                raise
            raise ValueError(_unusable(x, error)) from error


def _unusable(x: Tensor, error: Exception) -> str:
    name = "Triton's interpreter" if INTERPRETED else torch.cuda.get_device_name(x.device)
    reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
    return validate.message(
        "spline_forward",
        "impl",
        f"one whose kernels Triton {triton.__version__} can run on {name}",
        f'"triton", with {type(error).__name__}: {reason}',
        'Choose impl="dense" for few control points, impl="embedding" for many.',
    )


@functools.cache
def _gpu(index: int) -> Device:
    properties = torch.cuda.get_device_properties(index)
    is_hip = torch.version.hip is not None
    capability = None if is_hip else (properties.major, properties.minor)
    return Device(configs.family(capability), properties.multi_processor_count, is_hip)
