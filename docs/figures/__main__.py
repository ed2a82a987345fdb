"""Draw every figure of the site: `python docs/figures`."""

from __future__ import annotations

import runpy
from pathlib import Path

for script in sorted(Path(__file__).parent.glob("[!_]*.py")):
    runpy.run_path(str(script), run_name="__main__")
