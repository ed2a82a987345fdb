"""Which backend the layers come from: one table, which is `kanditioned_spec.registry`.

A backend is chosen by the argument `backend=`, else by the environment variable
`KANDITIONED_BACKEND`, else it is the first installed of `registry.DEFAULT_ORDER`. One that is asked
for and absent is an error, never replaced by another.
"""

from __future__ import annotations

import importlib
import os
from types import ModuleType
from typing import Any

from kanditioned_spec import checkpoint, registry, validate

FROM_BACKEND = (
    "KAN",
    "KANLayer",
    "exportable",
    "flatten_edges",
    "importance",
    "param_groups",
    "prune",
    "spline_forward",
)
"""Names that `kanditioned` has from the package of the selected backend, where that has them."""


def packages() -> dict[str, str]:
    """Return the packages that have layers and networks, by the names of their backends."""
    known = registry.entries()
    return {name: known[name].package for name in registry.DEFAULT_ORDER}


def package(backend: str | None = None) -> ModuleType:
    """Import the package of a backend that has layers and networks.

    Raises:
        BackendNotInstalledError: It is not installed; the message says how to install it.
        ValueError: The backend is unknown, or has no layers.
        TypeError: `backend` is not a string.
    """
    name, reason = registry.select(backend)
    registry.load(name)
    if name not in packages():
        listed = ", ".join(f'"{known}"' for known in packages())
        remedy = "An implementation is chosen by the layer's argument `impl=`."
        got = f'"{name}" ({reason})'
        raise ValueError(
            validate.message("kanditioned", "backend", f"one of {listed}", got, remedy)
        )
    return importlib.import_module(packages()[name])


def load(path: str | os.PathLike[str], *, backend: str | None = None, **options: Any) -> Any:
    """Read a layer or a network from a file, whatever backend has written it.

    Args:
        path: The file.
        backend: `"torch"` or `"jax"`. By default the one that is selected.
        **options: Of `KANLayer.load` and `KAN.load` of the backend: `impl=`, `device=` for PyTorch,
            `precision=` for JAX.

    Returns:
        A `KANLayer` or a `KAN` of the backend, as the file says.

    Raises:
        CheckpointError: The file is damaged, or newer than this package. Nothing was built.
        BackendNotInstalledError: The backend is not installed; the message says how to install it.
        ValueError: The backend is unknown, or has no layers.

    Example:
        >>> import tempfile
        >>> from kanditioned.torch import KAN
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     KAN([4, 8, 1]).save(f"{folder}/model.safetensors")
        ...     type(load(f"{folder}/model.safetensors", backend="torch")).__name__
        'KAN'
    """
    home = package(backend)
    is_network = "kan" in checkpoint.read(path).metadata
    return (home.KAN if is_network else home.KANLayer).load(path, **options)
