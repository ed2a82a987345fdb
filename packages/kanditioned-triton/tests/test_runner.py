"""Tests of the command for a GPU on steps of its own: what it stores, ends, resumes and refuses."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from kanditioned_triton import runner, selfcheck

STUB = "stub_steps"


@pytest.fixture(autouse=True)
def _stub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = str(Path(__file__).parent)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([folder, os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("STUB_CHILD", str(tmp_path / "child"))
    monkeypatch.setattr(runner, "GRACE_S", 1.0)
    monkeypatch.setattr(selfcheck, "OURS", STUB)


def run(output: Path, *only: str, budget: float = 60) -> tuple[int, dict[str, Any]]:
    """Run steps of the stub; return the status and the last row of each name."""
    arguments = ["--output", str(output), "--budget", str(budget), "--only", *only]
    status = selfcheck.main(arguments)
    rows = runner.read([output]) if output.exists() else []
    return status, {f"{row['step']}: {row['name']}": row for row in rows if "step" in row}


def test_rows_are_stored_and_later_checks_see_them(tmp_path: Path) -> None:
    output = tmp_path / "rows.jsonl"
    status, rows = run(output, "well")
    assert status == 0
    assert rows["well: one"]["ms"] == 1.0
    assert rows["well: two"]["earlier"] == 1
    assert runner.read([output])[0] == {"environment": {"device": "stub"}}


def test_an_error_is_a_row_and_the_process_goes_on(tmp_path: Path) -> None:
    status, rows = run(tmp_path / "rows.jsonl", "badly")
    assert status == 1
    assert "ZeroDivisionError" in rows["badly: raises"]["error"]
    assert rows["badly: after"]["ms"] == 2.0


def test_a_lost_device_gets_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_LOST", "1")
    status, rows = run(tmp_path / "rows.jsonl", "badly")
    assert status == 1
    assert set(rows) == {"badly: raises", "badly: after"}


def test_a_crash_is_a_row_and_the_step_goes_on(tmp_path: Path) -> None:
    status, rows = run(tmp_path / "rows.jsonl", "crashes", "last")
    assert status == 1
    assert "crashed" in rows["crashes: dies"]["error"]
    assert "last words" in rows["crashes: dies"]["error"]
    assert rows["crashes: before"]["ms"] == 1.0
    assert rows["crashes: after"]["ms"] == 2.0
    assert rows["last: two"]["earlier"] == 4


def test_what_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    began = time.monotonic()
    status, rows = run(tmp_path / "rows.jsonl", "hangs", "well", budget=10)
    assert time.monotonic() - began < 30
    assert status == 1
    assert rows["well: one"]["ms"] == 1.0  # of a smaller number, so before it
    assert "timed out" in rows["hangs: forever"]["error"]
    child = int((tmp_path / "child").read_text(encoding="utf-8"))
    state = Path(f"/proc/{child}/stat")
    for _ in range(50):
        if not state.exists() or state.read_text(encoding="utf-8").split()[2] == "Z":
            return
        time.sleep(0.1)
    pytest.fail("its child is still running")


def test_a_box_ends_between_checks(tmp_path: Path) -> None:
    status, rows = run(tmp_path / "rows.jsonl", "slow", budget=4)
    assert status == 0
    assert sum("slept" in row for row in rows.values()) < 30
    assert sum("cut" in row for row in rows.values()) == 1


def test_resumes_what_is_there_and_repeats_what_failed(tmp_path: Path) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    run(first, "well", "badly")
    with first.open("a", encoding="utf-8") as file:
        file.write('{"step": "well", "na')  # the run was cut short here
    status = selfcheck.main(
        ["--output", str(second), "--resume", str(first), "--only", "well", "badly"]
    )
    names = [row["name"] for row in runner.read([second]) if "step" in row]
    assert (status, names) == (1, ["raises"])


def test_rows_of_another_device_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "rows.jsonl"
    run(output, "well")
    before = output.read_bytes()
    monkeypatch.setenv("STUB_DEVICE", "another")
    status, _ = run(output, "badly")
    assert status == 2
    assert "name other files" in capsys.readouterr().err
    assert output.read_bytes() == before


def test_without_a_device_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_DEVICE", "")
    assert run(tmp_path / "rows.jsonl", "well") == (2, {})


def test_an_unknown_step_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        selfcheck.main(["--only", "wel"])
    assert "--only takes ['well'" in capsys.readouterr().err


def test_plan(capsys: pytest.CaptureFixture[str]) -> None:
    assert selfcheck.main(["--plan", "--only", "well"]) == 0
    assert "1        5         2  well" in capsys.readouterr().out
