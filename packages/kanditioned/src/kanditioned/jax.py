"""The layers of JAX: the names of `kanditioned_jax`."""

from __future__ import annotations

from .backends import package

package("jax")  # says how to install it, where it is not

from kanditioned_jax import *  # noqa: E402, F403
