"""The implementations by name, each three functions with the signatures of `base.Impl`.

embedding      gather two rows, interpolate; one fused loop under torch.compile
strided        the two rows as one overlapping view
presorted      as embedding, rows gathered in the order of their addresses
embedding_bag  PyTorch's embedding bag and its own derivatives
interleaved    the same, both rows of a feature side by side
sorted         embedding bag forward, control-point gradient from the batch bucketed by interval
sparse_csr     the hat basis as a sparse matrix
dense          the hat basis as a matrix, made a few features at a time
"""

from __future__ import annotations

from .base import Impl, SplineConfig
from .dense import dense
from .embedding import embedding
from .embedding_bag import embedding_bag, interleaved
from .presorted import presorted
from .sorted import sorted
from .sparse_csr import sparse_csr
from .strided import strided

IMPLS: dict[str, Impl] = {
    "embedding": embedding,
    "strided": strided,
    "presorted": presorted,
    "embedding_bag": embedding_bag,
    "interleaved": interleaved,
    "sorted": sorted,
    "sparse_csr": sparse_csr,
    "dense": dense,
}

__all__ = ["IMPLS", "Impl", "SplineConfig"]
