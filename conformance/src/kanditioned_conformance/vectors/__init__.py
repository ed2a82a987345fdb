"""Test vectors: inputs, results and bounds of every chapter, for ports in any language.

    python -m kanditioned_conformance.vectors conformance/vectors

The format is described in `conformance/vectors/FORMAT.md`; the same spec gives the same bytes.
"""

from .files import write
from .vector import Vector

__all__ = ["Vector", "write"]
