"""The command: `python -m benchmarks.gpu FILE...` prints what the rows say, in Markdown."""

from __future__ import annotations

import sys
from pathlib import Path

from kanditioned_triton import runner

from .render import text

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("python -m benchmarks.gpu FILE...: name the files that selfcheck has written")
    print(text(runner.read(map(Path, sys.argv[1:]))))
