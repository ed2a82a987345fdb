"""What `hooks.py` makes of results and of formulas."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

HEADS = (
    "batch,in_features,out_features,num_control_points,mode,kernels,clock,device,beside,competitor,"
    "p50_ms"
)
ROWS = (
    "1,2,3,8,train,stock operations,wall,A,1.0.3,torch auto,0.1",
    "1,2,3,8,train,stock operations,wall,B,1.0.3,torch auto,9.0",  # measured again below
    "1,2,3,8,train,stock operations,wall,B,1.0.3,torch auto,4.0",
    '1,2,3,8,train,stock operations,wall,B,1.0.3,"torch auto, compiled",2.0',
    "1,2,3,8,train,stock operations,wall,B,1.0.3,kanditioned 1.0.3 embedding,8.0",
    "1,2,3,8,train,stock operations,wall,B,1.0.3,kanditioned 1.0.3 embedding_bag,5.0",
    "1,2,3,8,train,stock operations,wall,B,nn.Linear,nn.Linear,0.1",
    "1,2,3,8,train,stock operations,wall,B,nn.Linear,torch auto,0.1",
    "1,2,3,8,train,stock operations,cpu,B,1.0.3,torch auto,0.1",
)


@pytest.fixture
def hooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the module, with results of our own."""
    spec = spec_from_file_location("hooks", Path(__file__).parent.parent / "hooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "speed.csv").write_text("\n".join((HEADS, *ROWS)), encoding="utf-8")
    monkeypatch.setattr(module, "RESULTS", tmp_path)
    return module


def test_speedups_compare_the_best_of_the_latest_rows(hooks: ModuleType) -> None:
    page = hooks.on_page_markdown("<!-- speedups speed -->")
    assert "| 1 | 2 | 3 | 8 | 2.50 |  |  |  |" in page


def test_a_table_of_the_latest_rows(hooks: ModuleType) -> None:
    where = '"clock=wall,beside=1.0.3,competitor=torch auto"'
    directive = "<!-- results speed mode batch,in_features p50_ms {} latest -->"
    page = hooks.on_page_markdown(directive.format(where.replace("clock", "device=B,clock")))
    assert page.splitlines()[:3] == ["| mode | 1 × 2 |", "| --- | --- |", "| train | 4 |"]
    page = hooks.on_page_markdown(directive.format(where))
    assert page.splitlines()[0] == "| device | mode | 1 × 2 |"
    assert page.splitlines()[2:4] == ["| A | train | 0.1 |", "| B | train | 4 |"]


def test_what_is_wrong_is_marked(hooks: ModuleType, tmp_path: Path) -> None:
    text = "\n".join(("name,status,p50_ms", "a,wrong,1", "a,ok,2", "b,ok,3", "b,wrong,4"))
    (tmp_path / "speed.csv").write_text(text, encoding="utf-8")
    page = hooks.on_page_markdown("<!-- results speed name name p50_ms - latest -->")
    assert page.splitlines()[2:4] == ["| a | 2 |  |", r"| b |  | 4 \* |"]


def test_columns_of_few_values_stay_out(hooks: ModuleType, tmp_path: Path) -> None:
    text = "\n".join(("name,size,p50_ms", "a,1,1", "a,2,2", "b,1,3", "b,2,", "c,1,4", "c,2,"))
    (tmp_path / "speed.csv").write_text(text, encoding="utf-8")
    page = hooks.on_page_markdown("<!-- results speed name size p50_ms - latest common -->")
    assert page.splitlines()[0] == "| name | 1 |"


def test_a_table_of_what_validation_chooses(hooks: ModuleType, tmp_path: Path) -> None:
    rows = ("0,a,0.1,5", "0,a,0.2,1", "1,a,0.4,9", "1,a,0.3,7", "2,a,nan,0", "2,a,0.5,8")
    text = "\n".join(("seed,name,validation,test", *rows))
    (tmp_path / "deep.csv").write_text(text, encoding="utf-8")
    page = hooks.on_page_markdown("<!-- results deep name name test - validated -->")
    assert page.splitlines()[2] == "| a | 7 |"


def test_formulas_that_stand_apart_are_apart(hooks: ModuleType) -> None:
    page = hooks.on_page_content(r'<div class="arithmatex">\[a = -|b|, \qquad c\]</div>')
    assert page.count("<math") == 2
    assert "arithmatex" not in page
    assert '<mo form="prefix">&#x02212;</mo>' in page
    assert page.count('lspace="0"') == 2
