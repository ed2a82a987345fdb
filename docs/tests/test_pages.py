"""Every Python block of every page, run in the order of the page in one namespace."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent
CHECKOUT = ("conformance",)
"""What of the repository a page may read, as from a checkout of it."""
ALONE = ("pages/tutorials/jax.md",)
"""Pages that set up a framework before its first use, and so run in a process of their own."""
PAGES = sorted([*DOCS.glob("pages/**/*.md"), DOCS / "changelog.md"])
BLOCK = re.compile(r"^( *)```python[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


def blocks(text: str) -> list[tuple[int, str]]:
    """Return the line of each block's first statement, and the block."""
    return [
        (text.count("\n", 0, match.start(2)) + 1, textwrap.dedent(match[2]))
        for match in BLOCK.finditer(text)
    ]


WITH_CODE = [page for page in PAGES if blocks(page.read_text("utf-8"))]


def run(page: Path) -> None:
    """Run the blocks of a page in the current folder."""
    namespace = {"__name__": "__main__"}
    for line, block in blocks(page.read_text("utf-8")):
        # Empty lines in front, so that a traceback names the line of the page.
        code = compile("\n" * (line - 1) + block, str(page), "exec")
        exec(code, namespace)


@pytest.mark.filterwarnings("ignore:.*treespec:FutureWarning")  # PyTorch's own use, in its exporter
@pytest.mark.parametrize("page", WITH_CODE, ids=lambda p: str(p.relative_to(DOCS)))
def test_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in CHECKOUT:
        Path(name).symlink_to(DOCS.parent / name)
    if page in (DOCS / name for name in ALONE):
        subprocess.run([sys.executable, "-W", "error", __file__, str(page)], check=True)
    else:
        run(page)


def test_blocks_are_found_in_tabs_and_at_the_margin() -> None:
    text = "x\n```python\na = 1\n```\n    ```python\n    b = 2\n    ```\n```sh\nls\n```\n"
    assert blocks(text) == [(3, "a = 1\n"), (6, "b = 2\n")]


if __name__ == "__main__":
    run(Path(sys.argv[1]))
