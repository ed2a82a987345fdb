"""What the tests of the metadata and of the built files share."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = (*sorted(ROOT.glob("packages/*")), ROOT / "conformance")


def read_toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def version() -> str:
    """Return the version that all distributions have."""
    return str(read_toml(ROOT / ".bumpversion.toml")["tool"]["bumpversion"]["current_version"])


@pytest.fixture(scope="session")
def projects() -> dict[Path, dict[str, Any]]:
    """Return the `[project]` table of each distribution, by folder."""
    return {folder: read_toml(folder / "pyproject.toml")["project"] for folder in FOLDERS}
