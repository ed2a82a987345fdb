"""The layers of any backend under one name.

The backend is the argument `backend=`, else the environment variable `KANDITIONED_BACKEND`, else
the first installed of `kanditioned_spec.registry.DEFAULT_ORDER`. One that is asked for and absent
is an error, never replaced by another.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from kanditioned_spec import protocol, registry, validate

_PACKAGES = {"torch": "kanditioned_torch", "jax": "kanditioned_jax"}
"""Packages with a layer and a network of their own."""


def KANLayer(  # noqa: N802
    in_features: int,
    out_features: int,
    init: str = "random_normal",
    num_control_points: int = 32,
    spline_width: float = 4.0,
    parameterization: str = "bspline",
    impl: str = "auto",
    *,
    backend: str | None = None,
    seed: int | None = None,
    **options: Any,
) -> Any:
    """Make a Kolmogorov-Arnold layer: y[..., o] = Σ_i s_io(x[..., i]), each s_io a linear spline.

    Args:
        in_features: I.
        out_features: O.
        init: Initial functions, all linear: `"random_normal"`, `"identity"` or `"zero"`.
        num_control_points: K >= 2, evenly spaced over the domain.
        spline_width: Width w of the domain [-w/2, w/2] in input units.
        parameterization: One of `kanditioned_spec.PARAMETERIZATIONS`.
        impl: How the backend evaluates the splines; its own names.
        backend: `"torch"`, `"jax"`, the name of any other backend that has layers, or
            `module:attribute`. By default the selection rule of the module.
        seed: Seed of `init="random_normal"`. By default PyTorch's own generator, as for every
            PyTorch layer, or for JAX a fresh seed of the operating system.
        **options: What else the backend's layer takes, such as `dtype=`, and options of the
            parameterization.

    Returns:
        The backend's own layer: a `torch.nn.Module`, or a pytree for JAX.

    Raises:
        BackendNotInstalledError: The backend is not installed; the message says how to install it.
        ValueError: The backend is unknown or has no layers, or a value is out of range.
        TypeError: A value has the wrong type.

    Example:
        >>> import torch
        >>> layer = KANLayer(3, 2, num_control_points=8, backend="torch", seed=0)
        >>> layer(torch.zeros(5, 3)).shape
        torch.Size([5, 2])
    """
    arguments = {
        "in_features": in_features,
        "out_features": out_features,
        "init": init,
        "num_control_points": num_control_points,
        "spline_width": spline_width,
        "parameterization": parameterization,
        **options,
    }
    name, package = _resolved("KANLayer", backend)
    if package is None:
        for argument, value, only in (("impl", impl, "auto"), ("seed", seed, None)):
            if value != only:
                remedy = f"The backend {name!r} leaves no choice of it."
                raise ValueError(
                    validate.message("KANLayer", argument, repr(only), repr(value), remedy)
                )
        return _layer_of_other(name, arguments)
    arguments["impl"] = impl
    if name == "torch":
        return package.KANLayer(**arguments, **_torch_generator(seed, options))
    return package.KANLayer.init(_jax_key(seed), **arguments)


def KAN(  # noqa: N802
    widths: Sequence[int],
    *,
    backend: str | None = None,
    seed: int | None = None,
    **options: Any,
) -> Any:
    """Make a Kolmogorov-Arnold network: a normalisation before each of a stack of layers.

    Args:
        widths: Number of features before, between and after the layers.
        backend: See `KANLayer`.
        seed: See `KANLayer`.
        **options: What else the backend's `KAN` takes: `norm=`, `residual=`, `dropout=`, and the
            arguments of its layers.

    Returns:
        The backend's own network: a `torch.nn.Module`, or a pytree for JAX.

    Raises:
        BackendNotInstalledError: The backend is not installed; the message says how to install it.
        ValueError: The backend is unknown or has no networks, or a value is out of range.
        TypeError: A value has the wrong type.

    Example:
        >>> import torch
        >>> model = KAN([3, 8, 1], num_control_points=8, backend="torch", seed=0)
        >>> model(torch.zeros(5, 3)).shape
        torch.Size([5, 1])
    """
    name, package = _resolved("KAN", backend)
    if package is None:
        raise ValueError(_without("KAN", name, "networks"))
    if name == "torch":
        return package.KAN(widths, **options, **_torch_generator(seed, options))
    return package.KAN(widths, key=_jax_key(seed), **options)


def _resolved(where: str, backend: str | None) -> tuple[str, ModuleType | None]:
    """Return the chosen backend's name and, for torch and JAX, its package."""
    name, _ = registry.selected(backend)
    registry.load(name)
    package = _PACKAGES.get(name)
    return name, None if package is None else importlib.import_module(package)


def _layer_of_other(name: str, arguments: dict[str, Any]) -> object:
    backend = registry.load(name)
    if not protocol.offers(backend, "layer"):
        raise ValueError(_without("KANLayer", name, "layers"))
    layer: object = backend.layer(**arguments)  # type: ignore[attr-defined]
    return layer


def _without(where: str, name: str, what: str) -> str:
    constraint = f"a backend with {what}"
    return validate.message(where, "backend", constraint, repr(name), 'Use "torch" or "jax".')


def _torch_generator(seed: int | None, options: dict[str, Any]) -> dict[str, Any]:
    if seed is None:
        return {}
    import torch

    device = torch.empty(0, device=options.get("device")).device
    return {"generator": torch.Generator(device).manual_seed(seed)}


def _jax_key(seed: int | None) -> Any:
    import jax

    fresh = np.random.SeedSequence().generate_state(1)[0]
    return jax.random.key(int(fresh) if seed is None else seed)
