"""The kernels: plain `triton.jit` functions, importable without PyTorch.

`basis` and `product` are what they are made of; `interpolate`, `contract` and `accumulate` hold the
three contractions, named as in `kanditioned_torch.impls.base`; `bucket` sorts a batch.

Tiles are noted as `# [B, G]`, with B rows of the batch, G groups of eight knots, F features, O
outputs; `stride_xb` is the stride of x along the batch, `v` a direction, `gy` a gradient by y.
"""

from .accumulate import accumulate
from .basis import GROUP
from .bucket import count_keys, place_samples
from .contract import dense_contract, lookup_contract
from .interpolate import dense_interpolate, lookup_interpolate
from .reduce import reduce_partials

__all__ = [
    "GROUP",
    "accumulate",
    "count_keys",
    "dense_contract",
    "dense_interpolate",
    "lookup_contract",
    "lookup_interpolate",
    "place_samples",
    "reduce_partials",
]
