"""Run uv, which does not read pip's settings, with those of its own that mean the same."""

from __future__ import annotations

import os
import subprocess
import sys

LINKS = os.environ.get("PIP_FIND_LINKS", "").split()
INDEX = os.environ.get("PIP_EXTRA_INDEX_URL", "")


def main(*arguments: str) -> int:
    """Run uv; return its status."""
    env = {"UV_INDEX_STRATEGY": "unsafe-best-match", **({"UV_INDEX": INDEX} if INDEX else {})}
    # On the command line, since `--find-links` there makes uv forget the same setting elsewhere.
    links = [f"--find-links={link}" for link in LINKS if arguments[:2] == ("pip", "install")]
    return subprocess.run(["uv", *arguments, *links], env=os.environ | env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
