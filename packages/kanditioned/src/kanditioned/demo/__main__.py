"""Train on real data, print one table, write three pictures."""

from __future__ import annotations

import argparse
import os
import time
from functools import partial
from pathlib import Path

from threadpoolctl import threadpool_limits
from tqdm import tqdm

from kanditioned_spec import registry

from ..plot import save
from .comparison import FOLDS, compare, table
from .pictures import curves, smoothing
from .recipe import TRAINING, network
from .tasks import TASKS


def main() -> None:
    """Run the main job."""
    parser = argparse.ArgumentParser(prog="python -m kanditioned.demo", description=__doc__)
    parser.add_argument(
        "output",
        nargs="?",
        type=Path,
        default=Path("kanditioned-demo"),
        help="folder for the table and the pictures (default: %(default)s)",
    )
    parser.add_argument(
        "--backend",
        choices=sorted(TRAINING),
        help="what the networks run on (default: the first installed)",
    )
    arguments = parser.parse_args()
    if arguments.backend:
        os.environ[registry.ENVIRONMENT_VARIABLE] = arguments.backend
    folder: Path = arguments.output
    folder.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    registry.load(registry.select()[0])  # before the limit, which reaches what is loaded only
    with threadpool_limits(1):  # the models are small: several threads would wait for each other
        text = run(folder)
    print(f"\n{text}\n\n{time.perf_counter() - start:.0f} s. Table and pictures: {folder}/")


def run(folder: Path) -> str:
    """Compare the models, write table and pictures to a folder, and return the table."""
    backend, reason = registry.select()
    print(f"backend: {backend} ({reason})")
    results = [
        result for task in TASKS for result in compare(task, partial(tqdm, desc=f"{task.name:13}"))
    ]
    drawn, trained = network()
    for name, picture in ("curves", curves()), ("smoothing", smoothing()), ("network", drawn):
        save(picture, folder / f"{name}.png")
    text = (
        f"{table(results)}\n\n{trained}\n\n"
        f"Mean and standard deviation over {FOLDS} folds, every model with its defaults.\n"
        "Seconds are of one fit, on one core."
    )
    (folder / "table.txt").write_text(text + "\n", encoding="utf-8")
    return text


if __name__ == "__main__":
    main()
