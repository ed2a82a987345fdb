"""Run the conformance kit on the backends that our packages register: `kit.py GROUP PROFILE`.

A group is `jax`, `triton` (in its interpreter), or `others`. More arguments are pytest's. A backend
is one line among the entry points of its package's `pyproject.toml`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

CHAPTERS = ("--pyargs", "kanditioned_conformance.chapters")
APART = {"kanditioned-jax": "jax", "kanditioned-triton": "triton"}
"""Packages with a group of their own: JAX compiles for minutes, and Triton's interpreter is chosen
when Triton is imported."""
TORN = "ignore:Error reading persistent compilation cache entry"
"""JAX does not lock a cache without a bound; an entry that is half written is compiled again."""
BUILT_IN = {"others": ["reference", "torch"], "jax": [], "triton": []}
"""What `kanditioned_spec.registry` names itself, but `jax`, which is one of its implementations."""


def backends() -> dict[str, list[str]]:
    """Return the names of all backends, by group."""
    names = {group: list(known) for group, known in BUILT_IN.items()}
    for path in sorted(Path("packages").glob("*/pyproject.toml")):
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        points = project.get("entry-points", {}).get("kanditioned.backends", {})
        names[APART.get(path.parent.name, "others")] += points
    return names


def settings(group: str, folder: str) -> dict[str, str]:
    """Return the variables that a group runs with.

    XLA compiles a function once for all processes and backends: of the kit on one JAX backend,
    maps, penalties and shapes are half, and all three have the same. The cache has no bound, since
    JAX would look through all of it at each of 1000 writes: 50 of 224 s of a backend.
    """
    compiled_once = {
        "JAX_COMPILATION_CACHE_DIR": folder,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    return {"jax": compiled_once, "triton": {"TRITON_INTERPRET": "1"}, "others": {}}[group]


def main(group: str, profile: str, *arguments: str) -> int:
    """Run the kit on a group; return pytest's status."""
    named = [f"--kan-backend={name}" for name in backends()[group]]
    options = ["-n", "2", "-W", TORN, f"--kan-profile={profile}"]
    command = ["pytest", *options, *named, *arguments, *CHAPTERS]
    print(">", *command, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | settings(group, folder)
        return subprocess.run(
            [sys.executable, "-m", *command], env=environment, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
