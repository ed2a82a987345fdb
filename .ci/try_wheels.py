"""Try installed wheels: `try_wheels.py WHAT [ARGUMENT]`.

`version1` runs code of version 1.x, `file BACKEND` carries a network through a file, `blocks FILE`
runs the Python blocks of a page of Markdown.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def version1() -> None:
    """Run a layer of version 1.x, and the same functions as a layer of this version."""
    import torch

    from kanditioned.kan_layer import KANLayer

    torch.manual_seed(0)
    for impl in ("embedding", "embedding_bag"):
        layer = KANLayer(3, 3, init="random_normal", num_control_points=8, impl=impl)
        x = torch.randn(5, 3)
        assert torch.allclose(layer(x), layer.upgrade()(x), atol=1e-5)


def file(backend: str) -> None:
    """Save a network of a backend and load it."""
    kinds = import_module(f"kanditioned.{backend}")
    x: Any = np.random.default_rng(0).standard_normal((5, 3)).astype("float32")
    model = kinds.KAN([3, 8, 2], **({"key": 0} if backend == "jax" else {}))
    if backend == "torch":
        import torch

        x = torch.from_numpy(x)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        model.save(path)
        again = type(model).load(path)
    assert (again(x) == model(x)).all()


def blocks(path: str) -> None:
    """Run every Python block of a page, in its order, in one namespace."""
    found = BLOCK.findall(Path(path).read_text(encoding="utf-8"))
    assert found, path
    namespace = {"__name__": "__main__"}
    for block in found:
        exec(compile(block, path, "exec"), namespace)


JOBS: dict[str, Callable[..., None]] = {"version1": version1, "file": file, "blocks": blocks}

if __name__ == "__main__":
    JOBS[sys.argv[1]](*sys.argv[2:])
