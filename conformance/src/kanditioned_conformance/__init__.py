"""Does a backend compute what the kanditioned spec says?

`cli` starts pytest with `plugin`, which runs the test modules of `chapters` on every backend
and dtype that is asked for. A chapter draws a `Case` (`cases`, `shapes`, `strategies`) and runs a
check (`checks`) on a `BackendUnderTest`; `tolerance` alone knows how far a result may be from the
reference. What came out is a `Report` (`report`, `html`).
"""

from __future__ import annotations

from .backend_under_test import BackendUnderTest
from .cases import Case
from .tolerance import ConformanceError

__all__ = ["BackendUnderTest", "Case", "ConformanceError"]
