"""Tests of the GPU commands under Triton's interpreter, run by `test_interpreter`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from kanditioned_triton import configs, integration, measure, tune

torch.set_num_threads(1)


class TestScripts:
    """What the GPU commands do beside measuring, with a clock that calls once and says 1 ms."""

    @pytest.fixture(autouse=True)
    def _clock(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def median_ms(call: Any) -> float:
            call()
            return 1.0

        monkeypatch.setattr(measure, "median_ms", median_ms)
        monkeypatch.setattr(measure, "peak_bytes", lambda call: 0)

    def test_small_case(self) -> None:
        integration.small_case()

    def test_tune(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tune, "SHAPES", ((3, 4, 2),))
        monkeypatch.setattr(tune, "COUNTS", {})
        monkeypatch.setattr(tune, "neighbours", lambda config: [config])
        monkeypatch.setattr(tune, "environment", lambda: {"device": "none"})
        contents = tune.measure_entries(tune.entries(configs.INTERPRETER))
        before = configs.table()["measured"]
        assert contents["measured"] == {**before, configs.INTERPRETER: {"device": "none"}}
        with configs.using(contents):
            for row in configs.table()["configs"]:
                for precision in row["precision"]:
                    configs.config(row["family"], row["kernel"], precision)

    def test_tune_stores_each_kernel(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(tune, "SHAPES", ((3, 4, 2),))
        monkeypatch.setattr(tune, "neighbours", lambda config: [replace(config, num_warps=2)])
        monkeypatch.setattr(tune, "environment", lambda: {"device": "none"})
        output = tmp_path / "configs.json"
        kernels = ("dense_contract", "accumulate")
        with configs.using(configs.table()):
            assert tune.main(["--output", str(output), *(f"--kernel={k}" for k in kernels)]) == 0
        with configs.using(json.loads(output.read_text(encoding="utf-8"))):
            for kernel in kernels:
                assert configs.config(configs.INTERPRETER, kernel, "highest").num_warps == 2
            assert (
                configs.config(configs.INTERPRETER, "dense_interpolate", "highest").num_warps == 4
            )

    def test_tune_takes_what_matters_first_and_ends_in_time(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        order = tune.entries("sm_90")
        assert set(order[:2]) == {("dense_interpolate", "medium"), ("accumulate", "medium")}
        assert len(order) == len(set(order))
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        assert tune.main(["--budget", "0"]) == 0
        assert "no time left for accumulate medium" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("count", "kernels"),
        [(5, ["dense_interpolate", "dense_contract", "accumulate"]),
         (37, ["lookup_interpolate", "lookup_contract", "bucketed_accumulate"])],
    )  # fmt: skip
    def test_autotune(
        self, count: int, kernels: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def in_use(kernel: str) -> int:
            return configs.config(configs.INTERPRETER, kernel, "highest").num_warps

        def median_ms(call: Any) -> float:  # twice the warps of any kernel are faster than 4
            call()
            return 2.0 - max(map(in_use, kernels)) / 8

        monkeypatch.setattr(measure, "median_ms", median_ms)
        before = configs.table()
        with configs.using(before):
            tune.autotune(3, 2, 2, count)
            assert {kernel: in_use(kernel) for kernel in kernels} == dict.fromkeys(kernels, 8)
            assert configs.config("sm_90", "accumulate", "medium").num_warps == 8
        assert configs.table() is before

    def test_neighbours_are_valid(self) -> None:
        start = configs.config("sm_90", "dense_interpolate", "medium")
        near = list(tune.neighbours(start))
        assert near[0] == start
        assert len(near) == len(set(near)) == 11
