"""What a planted fault says of itself."""

from __future__ import annotations

from typing import ClassVar

from ..tolerance import ConformanceError
from .plain import Plain

FAULTS: list[type[Fault]] = []


class Fault(Plain):
    """The plain backend with one step done wrong: the class's name says which.

    Attributes:
        caught_by: The chapter's test that must notice, as `chapter::Class::test`.
        dtype: The dtype at which it must.
        raises: What the test then raises.
    """

    caught_by: ClassVar[str]
    dtype: ClassVar[str] = "float32"
    raises: ClassVar[type[Exception]] = ConformanceError

    def __init_subclass__(cls) -> None:
        FAULTS.append(cls)
