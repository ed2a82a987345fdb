"""Run the kit on software that is not ours, each with its expected failures.

`adopters.py released FOLDER...` takes releases 1.x, each installed in a folder with its version as
a name. `adopters.py strangers FOLDER` installs other KAN libraries into a folder, shows the reason
of each expected failure, runs the rows of the scoreboard, and writes its page.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

HERE = Path("conformance/adopters")
PAGE = "docs/pages/backends/scoreboard.md"


def run_releases(*folders: str) -> None:
    """Run the kit on every `impl` of the releases 1.x."""
    for folder in folders:
        impls = ["embedding", "embedding_bag"]
        if Path(folder).name == "1.0.4":
            impls.append("sparse_matmul_csr")
        for impl in impls:
            kit(f"kanditioned_1x:{impl}", HERE / f"{impl}.xfails", folder)


def strangers(folder: str) -> None:
    """Run the kit on the rows of `scoreboard.toml`, and write the scoreboard."""
    rows = tomllib.loads((HERE / "strangers/scoreboard.toml").read_text(encoding="utf-8"))["row"]
    libraries = [row["library"] for row in rows if "library" in row]
    run(folder, "pip", "install", "--quiet", "--no-deps", "--target", folder, *libraries)
    run(folder, "pytest", str(HERE / "tests/test_reasons.py"))
    reports = []
    for row in rows:
        name = row["backend"].rpartition(":")[2]
        reports.append(f"{folder}/{name}.json")
        options = ("--spec", "2.0", "--report", reports[-1])
        kit(row["backend"], HERE / f"strangers/{name}.xfails", folder, *options)
    run(folder, "kanditioned_conformance.scoreboard", PAGE, *reports)


def kit(backend: str, xfails: Path, folder: str, *options: str) -> None:
    """Run the kit in the profile of CI; without a file of expected failures there are none.

    What others warn of is shown: our tests make errors of it, and PyTorch deprecates what its own
    exporter uses.
    """
    known = ("--xfails", str(xfails)) if xfails.exists() else ()
    what = ("--backend", backend, "--profile", "ci", "-W", "default", *known, *options)
    run(folder, "kanditioned_conformance", *what)


def run(folder: str, module: str, *arguments: str) -> None:
    """Run a module where the adapters and a folder of packages can be imported."""
    path = os.pathsep.join([str(HERE), folder])
    command = [sys.executable, "-m", module, *arguments]
    print(">", module, *arguments, flush=True)
    subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, check=True)


JOBS: dict[str, Callable[..., None]] = {"released": run_releases, "strangers": strangers}

if __name__ == "__main__":
    JOBS[sys.argv[1]](*sys.argv[2:])
