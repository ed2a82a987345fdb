"""Tests of the GPU commands under Triton's interpreter, run by `test_interpreter`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from kanditioned_triton import configs, measure, selfcheck, timings, tune

torch.set_num_threads(1)


class TestSelfcheck:
    """The results file, with checks that only say what they are told to."""

    @pytest.fixture
    def run(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
        """Return a function that runs the command on named checks and reads the file."""
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
        monkeypatch.setattr(selfcheck, "environment", lambda: {"device": "none", "date": "today"})
        output = tmp_path / "results.json"

        def run(work: list[Any], *options: str) -> tuple[int, Any]:
            monkeypatch.setattr(selfcheck, "work", lambda profile: work)
            status = selfcheck.main(["--output", str(output), *options])
            return status, json.loads(output.read_text(encoding="utf-8"))

        return run

    def test_goes_on_where_it_ended(self, run: Any) -> None:
        def interrupted() -> Any:
            raise KeyboardInterrupt

        first = ("small case", "one", lambda: {"passed": True})
        with pytest.raises(KeyboardInterrupt):
            run([first, ("timings", "two", interrupted)])
        again = [("small case", "one", interrupted), ("timings", "two", lambda: {"ms": 1.0})]
        status, results = run(again)
        assert status == 0
        assert results["small case"] == {"one": {"passed": True}}
        assert results["timings"] == {"two": {"ms": 1.0}}

    def test_no_times_of_what_is_wrong(self, run: Any) -> None:
        work = [
            ("conformance", "one", lambda: {"passed": False}),
            ("timings", "two", lambda: {"ms": 1.0}),
        ]
        status, results = run(work)
        assert (status, results["timings"]) == (1, {})
        status, results = run(work, "--force")
        assert (status, results["timings"]) == (1, {"two": {"ms": 1.0}})

    def test_an_error_is_recorded(self, run: Any) -> None:
        def broken() -> Any:
            raise RuntimeError("does not compile")

        rows = [("timings", "one", broken), ("timings", "two", lambda: {"ms": 1.0})]
        status, results = run(rows)
        assert status == 1
        assert "does not compile" in results["timings"]["one"]["error"]
        assert results["timings"]["two"] == {"ms": 1.0}

    def test_another_device(self, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        run([("small case", "one", lambda: {"passed": True})])
        monkeypatch.setattr(selfcheck, "environment", lambda: {"device": "b", "date": "today"})
        with pytest.raises(ValueError, match="name another file"):
            run([])

    def test_work_is_named_once(self) -> None:
        work = list(selfcheck.work("dev"))
        names = [(section, name) for section, name, _ in work]
        assert len(names) == len(set(names))
        assert {section for section, _ in names} >= set(selfcheck.SECTIONS) - {"sanitizer"}


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
        selfcheck.small_case()

    def test_timings(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(timings, "SHAPES", ((3, 4, 2, 5),))
        monkeypatch.setattr(timings, "STOCK", ())
        monkeypatch.delenv("KANDITIONED_1X", raising=False)
        rows = {name: measured() for name, measured in timings.rows()}
        names = {"triton", "matmul of equal parameters", "nn.Linear"}
        assert {row["competitor"] for row in rows.values()} == names
        assert len(rows) == len(names) * len(timings.PRECISIONS)
        assert all(row["inference edges/s"] == 3 * 4 * 2 * 1e3 for row in rows.values())

    def test_once_in_parallel(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(timings, "SHAPES", ((3, 4, 2, 5),))
        monkeypatch.setattr(selfcheck, "PRECISIONS", selfcheck.PRECISIONS[:1])
        monkeypatch.setattr(selfcheck, "PROCESSES", 1)
        assert selfcheck.once_in_parallel() == {"passed": True}

    def test_selfcheck_same_bits(self) -> None:
        entry = selfcheck._same_bits((5, 3, 2, 9), torch.float32, "highest")
        assert entry == {"passed": True, "different": []}

    def test_tune(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tune, "SHAPES", ((3, 4, 2),))
        monkeypatch.setattr(tune, "COUNTS", {})
        monkeypatch.setattr(tune, "neighbours", lambda config: [config])
        monkeypatch.setattr(tune, "environment", lambda: {"device": "none"})
        contents = tune.measured()
        assert contents["measured"] == {configs.INTERPRETER: {"device": "none"}}
        with configs.using(contents):
            for row in configs.table()["configs"]:
                for bits in row["bits"]:
                    configs.config(row["family"], row["kernel"], bits)

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
                assert configs.config(configs.INTERPRETER, kernel, 32).num_warps == 2
            assert configs.config(configs.INTERPRETER, "dense_interpolate", 32).num_warps == 4

    @pytest.mark.parametrize(
        ("count", "kernels"),
        [(5, ["dense_interpolate", "dense_contract", "accumulate"]),
         (37, ["lookup_interpolate", "lookup_contract", "bucketed_accumulate", "bucket"])],
    )  # fmt: skip
    def test_autotune(
        self, count: int, kernels: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def in_use(kernel: str) -> int:
            return configs.config(configs.INTERPRETER, kernel, 32).num_warps

        def median_ms(call: Any) -> float:  # twice the warps of any kernel are faster than 4
            call()
            return 2.0 - max(map(in_use, kernels)) / 8

        monkeypatch.setattr(measure, "median_ms", median_ms)
        before = configs.table()
        with configs.using(before):
            tune.autotune(3, 2, 2, count)
            assert {kernel: in_use(kernel) for kernel in kernels} == dict.fromkeys(kernels, 8)
            assert configs.config("sm_90", "accumulate", 16).block_g == 16
        assert configs.table() is before

    def test_neighbours_are_valid(self) -> None:
        start = configs.config("sm_90", "dense_interpolate", 16)
        near = list(tune.neighbours(start))
        assert near[0] == start
        assert len(near) == len(set(near)) == 11
