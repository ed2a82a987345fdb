"""What each `pyproject.toml` declares agrees with the others', and with what CI runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

Projects = dict[Path, dict[str, Any]]
SHARED = ("version", "license", "license-files", "authors", "requires-python", "urls")
PYTHON = "Programming Language :: Python :: 3."


def all_requirements(project: dict[str, Any]) -> list[Requirement]:
    extras = project.get("optional-dependencies", {}).values()
    return [Requirement(text) for texts in (project["dependencies"], *extras) for text in texts]


def test_seven_distributions(projects: Projects) -> None:
    assert len(projects) == 7


@pytest.mark.parametrize("field", SHARED)
def test_shared_fields_are_the_same(projects: Projects, field: str) -> None:
    values = [project[field] for project in projects.values()]
    assert all(value == values[0] for value in values)


def test_the_version_is_that_of_one_place(projects: Projects, version: str) -> None:
    assert {project["version"] for project in projects.values()} == {version}


def test_our_distributions_pin_each_other(projects: Projects, version: str) -> None:
    ours = {project["name"] for project in projects.values()}
    for project in projects.values():
        for requirement in all_requirements(project):
            if requirement.name in ours and requirement.name != project["name"]:
                assert str(requirement.specifier) == f"=={version}", requirement


def test_every_other_requirement_has_a_lower_bound(projects: Projects) -> None:
    ours = {project["name"] for project in projects.values()}
    for project in projects.values():
        for requirement in all_requirements(project):
            bounds = [bound.operator for bound in requirement.specifier]
            assert requirement.name in ours or bounds == [">="], requirement


def test_a_package_has_one_lower_bound(projects: Projects) -> None:
    bounds: dict[str, set[str]] = {}
    for project in projects.values():
        for requirement in all_requirements(project):
            bounds.setdefault(requirement.name, set()).add(str(requirement.specifier))
    assert not {name for name, found in bounds.items() if len(found) > 1}


def test_every_distribution_has_the_licence(projects: Projects, root: Path) -> None:
    for folder in projects:
        assert (folder / "LICENSE").read_bytes() == (root / "LICENSE").read_bytes()


def test_declared_pythons_are_those_of_ci(projects: Projects, root: Path) -> None:
    workflow = yaml.safe_load((root / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    tested = workflow["jobs"]["tests"]["strategy"]["matrix"]["python"]
    for project in projects.values():
        named = [text for text in project["classifiers"] if text.startswith(PYTHON)]
        assert [text.removeprefix("Programming Language :: Python :: ") for text in named] == tested
        assert project["requires-python"] == f">={tested[0]}"


MACHINES = {
    ("linux", "x86_64"): {"cpu", "jax", "onnx", "plot", "sklearn", "torch", "triton"},
    ("linux", "aarch64"): {"cpu", "jax", "onnx", "plot", "sklearn", "torch", "triton"},
    ("linux", "riscv64"): {"plot", "sklearn"},
    ("darwin", "arm64"): {"cpu", "jax", "onnx", "plot", "sklearn", "torch"},
    ("darwin", "x86_64"): {"plot", "sklearn"},
    ("win32", "AMD64"): {"jax", "onnx", "plot", "sklearn", "torch"},
}
"""What has wheels where, and so what `kanditioned[all]` is there."""


@pytest.mark.parametrize("machine", MACHINES, ids="-".join)
def test_all_is_what_has_wheels(projects: Projects, root: Path, machine: tuple[str, str]) -> None:
    environment = dict(zip(("sys_platform", "platform_machine"), machine, strict=True))
    extras = projects[root / "packages/kanditioned"]["optional-dependencies"]
    taken = {
        extra
        for requirement in map(Requirement, extras["all"])
        if requirement.marker is None or requirement.marker.evaluate(environment)
        for extra in requirement.extras
    }
    assert taken == MACHINES[machine]


def test_all_covers_every_extra_but_the_data_of_the_demo(projects: Projects, root: Path) -> None:
    extras = projects[root / "packages/kanditioned"]["optional-dependencies"]
    assert set().union(*MACHINES.values()) == set(extras) - {"all", "demo"}


PINNED = re.compile(r"^([\w.-]+)==([^\s;]+)", re.MULTILINE)


def test_what_a_release_is_made_with_has_the_versions_of_ci_and_hashes(root: Path) -> None:
    locked = (root / ".ci/release.txt").read_text("utf-8")
    assert locked.count("==") <= locked.count("--hash=sha256:")
    by_name = dict(PINNED.findall(locked))
    constraints = dict(PINNED.findall((root / ".ci/constraints.txt").read_text("utf-8")))
    assert {name: constraints.get(name, found) for name, found in by_name.items()} == by_name
    wanted = (root / ".ci/release.in").read_text("utf-8").splitlines()
    assert {Requirement(line).name for line in wanted if line[0] != "#"} <= set(by_name)


def test_every_action_is_pinned_by_digest(root: Path) -> None:
    paths = [*root.glob(".github/workflows/*.yml")]
    assert paths
    lines = [line for path in paths for line in path.read_text("utf-8").splitlines()]
    uses = [line.split("uses:")[1].strip() for line in lines if "uses:" in line]
    assert uses
    for use in uses:
        pinned = re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v[\d.]+", use)
        assert use.startswith("./") or pinned, use
