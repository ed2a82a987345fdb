"""What is in the wheels and sdists of the folder that `KANDITIONED_DIST` names."""

from __future__ import annotations

import os
import re
import tarfile
import zipfile
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import parse_sdist_filename, parse_wheel_filename

LINK = re.compile(r"\]\((?!https?://|#)([^)]*)\)|(?:src|href)=\"(?!https?://|#)([^\"]*)\"")

NATIVE_PLATFORMS = ("manylinux", "musllinux", "macosx")


@pytest.fixture(scope="module")
def dist() -> Path:
    """Return the folder of built files."""
    return Path(os.environ["KANDITIONED_DIST"])


@pytest.fixture(scope="module")
def wheels(dist: Path) -> list[Path]:
    """Return all wheels."""
    return sorted(dist.glob("*.whl"))


@pytest.fixture(scope="module")
def sdists(dist: Path) -> list[Path]:
    """Return all source distributions."""
    return sorted(dist.glob("*.tar.gz"))


def wheel_metadata(path: Path) -> Message:
    with zipfile.ZipFile(path) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        return BytesParser().parsebytes(archive.read(name))


def sdist_metadata(path: Path) -> Message:
    with tarfile.open(path) as archive:
        file = archive.extractfile(f"{path.name.removesuffix('.tar.gz')}/PKG-INFO")
        assert file is not None
        return BytesParser().parse(file)


def metadata(wheels: list[Path], sdists: list[Path]) -> Iterator[tuple[str, Message]]:
    yield from ((path.name, wheel_metadata(path)) for path in wheels)
    yield from ((path.name, sdist_metadata(path)) for path in sdists)


def test_every_distribution_is_built(
    wheels: list[Path], sdists: list[Path], projects: dict[Path, dict[str, Any]], version: str
) -> None:
    names = {(project["name"], version) for project in projects.values()}
    parsed = (parse_wheel_filename(path.name) for path in wheels)
    assert {(name, str(found)) for name, found, *_ in parsed} == names
    assert {(n, str(v)) for n, v in (parse_sdist_filename(p.name) for p in sdists)} == names


def test_wheels_are_for_every_python(wheels: list[Path]) -> None:
    for path in wheels:
        *_, tags = parse_wheel_filename(path.name)
        for tag in tags:
            assert (tag.interpreter, tag.abi) == ("py3", "none"), path.name
            expected = NATIVE_PLATFORMS if "_cpu-" in path.name else ("any",)
            assert tag.platform.startswith(expected), path.name


def test_wheels_hold_the_licence(wheels: list[Path], root: Path) -> None:
    for path in wheels:
        assert wheel_metadata(path).get_all("License-File") == ["LICENSE"], path.name
        with zipfile.ZipFile(path) as archive:
            (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/licenses/LICENSE"))
            assert archive.read(name) == (root / "LICENSE").read_bytes(), path.name


def test_sdists_hold_the_licence(sdists: list[Path], root: Path) -> None:
    for path in sdists:
        with tarfile.open(path) as archive:
            file = archive.extractfile(f"{path.name.removesuffix('.tar.gz')}/LICENSE")
            assert file is not None
            assert file.read() == (root / "LICENSE").read_bytes(), path.name


def test_metadata_says_whose_and_where(wheels: list[Path], sdists: list[Path]) -> None:
    for name, found in metadata(wheels, sdists):
        assert found["License-Expression"] == "Apache-2.0", name
        assert found["Author"] == "The kanditioned developers", name
        labels = {text.split(", ")[0] for text in found.get_all("Project-URL", [])}
        assert labels == {"Documentation", "Source", "Issues", "Changelog"}, name


def test_descriptions_have_no_relative_links(wheels: list[Path], sdists: list[Path]) -> None:
    """The index shows them, where there is nothing beside them to link to."""
    for name, found in metadata(wheels, sdists):
        text = str(found.get_payload())
        assert len(text) > 500, name
        assert not LINK.findall(text), name


def test_wheels_hold_types_and_no_tests(wheels: list[Path]) -> None:
    for path in wheels:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        assert any(name.endswith("/py.typed") for name in names), path.name
        assert not [name for name in names if "/tests/" in name], path.name
