"""What a planted fault says of itself."""

from __future__ import annotations

from typing import ClassVar

from ..plain import Plain

FAULTS: list[type[Fault]] = []


class Fault(Plain):
    """The plain backend with one step done wrong: the class's name says which.

    Attributes:
        caught_by: The chapter test that must notice.
        dtype: The dtype at which it must.
    """

    caught_by: ClassVar[str]
    dtype: ClassVar[str] = "float32"

    def __init_subclass__(cls) -> None:
        FAULTS.append(cls)
