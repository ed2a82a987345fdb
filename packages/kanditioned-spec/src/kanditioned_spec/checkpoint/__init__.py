r"""The one file schema: what any backend writes, every other reads, bit for bit.

A checkpoint is a safetensors file. Its header's `__metadata__` has a single entry `kanditioned`,
a JSON document (keys in any order, none missing, none more):

    {"format_version": 1, "spec_version": "2.0",
     "layers": {NAME: {"in_features": 2, "out_features": 8, "num_control_points": 32,
                       "spline_width": 4.0, "parameterization": "dct",
                       "options": {"transform": "auto"}, "dtype": "float32"}},
     "metadata": {"any": "string"}}

and its tensors are

    layers/NAME     θ of a layer, shape (I, P, O), in the layer's dtype
    tensors/NAME    any other array of the model, such as the weight of a normalisation
    sha256          32 bytes, the checksum below

A layer with shapes has `monotone` or `convex` in its document too, or both: +1, 0 or -1 for each
feature. θ is that of the free control points then, see `shapes`.

A name is dotted words, as in `blocks.0.layer`; layers keep the document's order. The checksum is
SHA-256 over the document in UTF-8 and then, for each other tensor in the order of its key, the line
`\nKEY DTYPE SHAPE\n` (such as `layers/a F32 2x32x8`) and its little-endian bytes.

A network is such a checkpoint with names and metadata of its own: see `network`.

NumPy has no bfloat16: such an array holds its bits as `uint16`, which stands for nothing else here
(arrays of `ml_dtypes.bfloat16` are taken as well).
"""

from __future__ import annotations

from .encoding import FORMAT_VERSION, MAX_BUILD_BYTES, MAX_HEADER_BYTES
from .files import building, read, write
from .network import BatchStatistics, Network, float_values, read_network, write_network
from .schema import (
    LAYER_DTYPES,
    MAX_CONTROL_POINTS,
    Checkpoint,
    CheckpointError,
    Layer,
    LayerConfig,
    bfloat16_bits,
    bfloat16_values,
)

__all__ = [
    "FORMAT_VERSION",
    "LAYER_DTYPES",
    "MAX_BUILD_BYTES",
    "MAX_CONTROL_POINTS",
    "MAX_HEADER_BYTES",
    "BatchStatistics",
    "Checkpoint",
    "CheckpointError",
    "Layer",
    "LayerConfig",
    "Network",
    "bfloat16_bits",
    "bfloat16_values",
    "building",
    "float_values",
    "read",
    "read_network",
    "write",
    "write_network",
]
