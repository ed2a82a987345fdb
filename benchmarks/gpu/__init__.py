"""Comparisons with other packages on a GPU, as steps of `kanditioned_triton.selfcheck`.

python -m kanditioned_triton.selfcheck --with benchmarks.gpu --budget 560 --output FILE
python -m benchmarks.gpu FILE...          the table of targets, in Markdown
"""

from .steps import STEPS

__all__ = ["STEPS"]
