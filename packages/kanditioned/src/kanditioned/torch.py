"""The layers of PyTorch: the names of `kanditioned_torch`."""

from __future__ import annotations

from .backends import package

package("torch")  # says how to install it, where it is not

from kanditioned_torch import *  # noqa: E402, F403
