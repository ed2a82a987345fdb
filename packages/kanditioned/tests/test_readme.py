"""The examples of the READMEs run as they are written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1]
FILES = [PACKAGE / "README.md", PACKAGE.parents[1] / "README.md"]


@pytest.mark.parametrize("file", FILES, ids=["package", "top"])
def test_examples_run(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KANDITIONED_BACKEND", raising=False)
    blocks = re.findall(r"```python\n(.*?)```", file.read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(block, {})
