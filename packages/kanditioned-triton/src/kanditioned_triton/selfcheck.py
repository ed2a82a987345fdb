"""Everything that needs a GPU, in one command, within a time that is given.

    python -m kanditioned_triton.selfcheck --budget 560 --output FILE
    python -m kanditioned_triton.selfcheck --plan

Values come first, then times that matter most. Each row is appended to the file as a line of JSON
when it is made. Run again with the same file, or with earlier ones (`--resume`), it makes what they
lack or what failed. Wrong values withhold the times of that kernel, dtype and precision, and of
nothing else. `--with benchmarks.gpu`, from a clone, adds the comparisons with other packages. The
status is 0 if nothing failed, 1 if something did, 2 without a GPU.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import runner

OURS = "kanditioned_triton.steps"


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run the steps."""
    parser = argparse.ArgumentParser("python -m kanditioned_triton.selfcheck")
    parser.add_argument("--budget", type=float, default=560.0, metavar="SECONDS")
    parser.add_argument("--output", type=Path, default=Path("selfcheck.jsonl"), metavar="FILE")
    parser.add_argument("--resume", type=Path, nargs="+", default=[], metavar="EARLIER")
    parser.add_argument("--only", nargs="+", default=[], metavar="STEP", help="run these steps")
    parser.add_argument("--with", nargs="+", default=[], dest="others", metavar="MODULE")
    parser.add_argument("--plan", action="store_true", help="print the steps and end")
    given = parser.parse_args(arguments)
    modules = [OURS, *given.others]
    steps = runner.load(modules)
    unknown = set(given.only) - {step.name for step in steps}
    if unknown:
        parser.error(f"--only takes {[s.name for s in steps]}, got {sorted(unknown)}")
    steps = [step for step in steps if not given.only or step.name in given.only]
    if given.plan:
        print("number  seconds  variants  step")
        for s in steps:
            print(f"{s.number:6g}  {s.seconds:7g}  {s.variants():8}  {s.name}")
        print(f"{sum(s.seconds for s in steps):g} s of {given.budget:g}")
        return 0
    files = [*given.resume, *([given.output] if given.output.exists() else [])]
    try:
        run = runner.Run(modules, given.output, runner.read(files), given.budget)
        status = run(steps)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    if status == 2:
        print("no GPU: nothing was checked", file=sys.stderr)
    else:
        print(f"{run.failed} rows failed: {given.output}")
    return status


if __name__ == "__main__":
    sys.exit(main())
