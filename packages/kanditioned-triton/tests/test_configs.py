"""The table of tile sizes and the rule beyond it."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest

from kanditioned_triton import configs
from kanditioned_triton.configs import Config

PRECISIONS = ("medium", "high", "highest", "float64")
KERNELS = {
    "dense_interpolate": PRECISIONS[:3],
    "dense_contract": PRECISIONS[:3],
    "accumulate": PRECISIONS,
    "bucketed_accumulate": PRECISIONS,
    "lookup_interpolate": PRECISIONS,
    "lookup_contract": PRECISIONS,
}


@pytest.mark.parametrize("family", [*configs.FAMILIES, configs.INTERPRETER])
def test_table_has_every_kernel(family: str) -> None:
    for kernel, precisions in KERNELS.items():
        for precision in precisions:
            config = configs.config(family, kernel, precision)
            for side in (config.block_b, config.block_g, config.block_o):
                assert side & (side - 1) == 0
    for kernel in ("dense_interpolate", "dense_contract", "accumulate"):
        assert all(configs.dense_up_to(family, kernel, name) >= 0 for name in PRECISIONS)


def test_unknown_entry() -> None:
    with pytest.raises(LookupError, match=r"configs\.json has no entry for sm_90, nothing, medium"):
        configs.config("sm_90", "nothing", "medium")


def test_fitted_shrinks_to_the_problem() -> None:
    large = Config(128, 16, 128, num_warps=8)
    assert configs.fit(large, 10_000, 10_000, 10_000) == large
    assert configs.fit(large, 1, 1, 1) == Config(16, 2, 16, num_warps=4)
    assert configs.fit(large, 65, 9, 100) == large
    assert configs.fit(large, 40, 10_000, 20) == Config(64, 16, 32, num_warps=4)


@pytest.mark.parametrize(
    ("capability", "family"),
    [((7, 5), "sm_75"), ((8, 0), "sm_80"), ((8, 9), "sm_80"), ((9, 0), "sm_90"),
     ((10, 3), "sm_100"), ((12, 0), "sm_80"), (None, "gfx942")],
)  # fmt: skip
def test_family(capability: tuple[int, int] | None, family: str) -> None:
    assert configs.family(capability) == family


def test_table_is_stored_as_it_is_written() -> None:
    stored = files("kanditioned_triton").joinpath("configs.json").read_text(encoding="utf-8")
    assert configs.text(json.loads(stored)) == stored


def test_measured_entries_replace_those_of_their_family(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    best = {("accumulate", "medium"): Config(64, 8, 64, num_warps=4, num_stages=4)}
    contents = configs.replace_entries("sm_90", best, {"device": "a test"})
    with configs.using(contents):
        assert configs.config("sm_90", "accumulate", "medium") == best["accumulate", "medium"]
        assert configs.config("sm_90", "accumulate", "high").num_warps == 8
        assert configs.config("sm_80", "accumulate", "medium").num_warps == 8
    assert configs.config("sm_90", "accumulate", "medium").num_warps == 8
    file = tmp_path / "configs.json"
    file.write_text(configs.text(contents), encoding="utf-8")
    monkeypatch.setenv(configs.ENVIRONMENT_VARIABLE, str(file))
    monkeypatch.setattr(configs, "_IN_USE", [])
    assert configs.config("sm_90", "accumulate", "medium") == best["accumulate", "medium"]


def test_limits_can_be_replaced() -> None:
    with configs.using(configs.replace_entries("sm_90", {}, dense_up_to=0)):
        assert configs.dense_up_to("sm_90", "accumulate", "medium") == 0
    assert configs.dense_up_to("sm_90", "accumulate", "medium") > 0
