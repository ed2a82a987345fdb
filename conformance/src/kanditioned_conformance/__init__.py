"""Does a backend compute what the kanditioned spec says?

`command` starts pytest with `plugin`, which runs the test modules of `chapters` on every backend
and dtype that is asked for. A chapter draws a `Case` (`cases`, `shapes`, `strategies`) and runs a
check (`checks`) on a `Subject`; `tolerance` alone knows how far a result may be from the reference.
What came out is a `Report` (`report`, `page`).
"""

from __future__ import annotations

from .cases import Case
from .subject import Subject
from .tolerance import ConformanceError

__all__ = ["Case", "ConformanceError", "Subject"]
