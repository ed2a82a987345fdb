"""A Griffe extension: our docstrings say `Example:` where the parser wants `Examples:`."""

from __future__ import annotations

import re
from typing import Any

import griffe

HEADING = re.compile(r"^( *)Example:$", re.MULTILINE)


class Examples(griffe.Extension):
    """Lets the examples of docstrings be set as code."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the heading of an object's example."""
        if obj.docstring:
            obj.docstring.value = HEADING.sub(r"\1Examples:", obj.docstring.value)
