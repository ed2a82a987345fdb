"""Between a checkpoint and the bytes of its safetensors file."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any, BinaryIO

import numpy as np

from .. import validate
from ..protocol import SPEC_VERSION
from .schema import Checkpoint, Layer, LayerConfig, StoredArray, dtype_name

FORMAT_VERSION = 1
"""Version of the schema; a file of a newer one is refused."""
MAX_HEADER_BYTES = 2**22
"""Limit of a file's header, which is parsed before anything else is known of the file."""
MAX_BUILD_BYTES = 2**27
"""Limit of the memory that the maps of a file's layers may take to be built, together: 128 MiB.

It suffices for any K with `bspline`, `prefix_sum` and `dct` by FFT, for `legendre` up to K = 2048
(of a low degree for any), `dct` by a matrix up to 2364, `demmler_reinsch` up to 1182 and
`parallel_scan` up to 915. A file of a few hundred bytes per layer could claim more."""

DOCUMENT, CHECKSUM, LAYER, TENSOR = "kanditioned", "sha256", "layers/", "tensors/"
"""The entry of the metadata, the key of the checksum, and the prefixes of the other keys."""

OPTIONAL = ("monotone", "convex")
"""Keys of a layer that are left out if none of its features has such a shape."""
REQUIRED = tuple(field.name for field in fields(LayerConfig) if field.name not in OPTIONAL)

DTYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
}
"""How safetensors calls the dtypes of the schema, and how NumPy stores them."""
TAGS = {dtype: tag for tag, dtype in DTYPES.items()}


def library() -> Any:
    """Import safetensors, which only files need.

    Raises:
        ImportError: It is not installed.
    """
    try:
        import safetensors
    except ImportError as error:
        raise ImportError(
            'Checkpoints need safetensors. Install it: pip install "kanditioned-spec[files]"'
        ) from error
    return safetensors


def encode(checkpoint: Checkpoint) -> bytes:
    """Return the content of a checkpoint's file.

    Raises:
        ValueError: The header would exceed `MAX_HEADER_BYTES`.
    """
    arrays = {LAYER + name: layer.parameters for name, layer in checkpoint.layers.items()}
    arrays |= {TENSOR + name: array for name, array in checkpoint.tensors.items()}
    text = _document_of(checkpoint)
    stored = arrays | {CHECKSUM: np.frombuffer(_checksum(text, arrays), np.uint8)}
    safetensors = library()
    tensors = {
        key: safetensors.TensorSpec(
            dtype=dtype_name(array),
            shape=array.shape,
            data_ptr=array.ctypes.data,
            data_len=array.nbytes,
        )
        for key, array in stored.items()
    }
    content: bytes = safetensors.serialize(tensors, metadata={DOCUMENT: text})
    length = int.from_bytes(content[:8], "little")
    if length > MAX_HEADER_BYTES:
        constraint, got = f"described in {MAX_HEADER_BYTES} bytes", f"{length} bytes of header"
        remedy = "Shorten its metadata, or write its layers to several files."
        raise ValueError(
            validate.message("checkpoint.write", "checkpoint", constraint, got, remedy)
        )
    return content


def decode(file: BinaryIO, max_build_bytes: int) -> Checkpoint:
    """Return the checkpoint in an open file.

    The document is read and checked first, so that most wrong files are refused by their header.

    Raises:
        ValueError, TypeError, RecursionError, safetensors.SafetensorError: It is not a whole,
            consistent checkpoint; the message is a clause about the file.
    """
    text = _read_text(file)
    document = _parse_document(text)
    file.seek(0)
    entries = dict(library().deserialize(file.read()))
    checksum = entries.pop(CHECKSUM, None)
    arrays = {key: _array(entry) for key, entry in entries.items()}
    if checksum is None or checksum["data"] != _checksum(text, arrays):
        raise ValueError("its checksum is not that of its content")
    layers, build_bytes = {}, 0
    for name, config in document["layers"].items():
        if LAYER + name not in arrays:
            raise ValueError(f"layer {name!r} has no parameters")
        layers[name] = Layer(LayerConfig(**config), arrays.pop(LAYER + name))
        build_bytes += layers[name].config.map().build_bytes
    if build_bytes > max_build_bytes:
        raise ValueError(
            f"the maps of its layers take {build_bytes} bytes to build, and max_build_bytes is "
            f"{max_build_bytes}; pass a larger one if you trust the file"
        )
    strangers = [key for key in arrays if not key.startswith(TENSOR)]
    if strangers:
        raise ValueError(f"tensor {strangers[0]!r} belongs to nothing")
    tensors = {key.removeprefix(TENSOR): array for key, array in arrays.items()}
    return Checkpoint(layers, tensors, document["metadata"])


def _document_of(checkpoint: Checkpoint) -> str:
    layers = {name: _entry_of(layer.config) for name, layer in checkpoint.layers.items()}
    document = {
        "format_version": FORMAT_VERSION,
        "spec_version": SPEC_VERSION,
        "layers": layers,
        "metadata": dict(checkpoint.metadata),
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False)


def _entry_of(config: LayerConfig) -> dict[str, Any]:
    entry = asdict(config) | {"options": dict(config.options)}
    return {key: value for key, value in entry.items() if key not in OPTIONAL or value}


def _read_text(file: BinaryIO) -> str:
    """Return the document's text from a file's header."""
    size = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(8), "little")
    if not 0 < length <= min(size - 8, MAX_HEADER_BYTES):
        raise ValueError(f"its header cannot have {length} bytes in a file of {size}")
    header = parse(file.read(length).decode())
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    if not isinstance(metadata, dict) or list(metadata) != [DOCUMENT]:
        raise ValueError("its metadata is not a kanditioned document")
    text = metadata[DOCUMENT]
    if not isinstance(text, str):
        raise TypeError("its document is not a string")
    return text


def _parse_document(text: str) -> dict[str, Any]:
    """Parse the document and check its version, its keys and the kinds of their values."""
    document = parse(text)
    version = document.get("format_version") if isinstance(document, dict) else None
    if type(version) is not int or version < 1:
        raise ValueError("its document has no format version")
    if version > FORMAT_VERSION:
        raise ValueError(
            f"its format version {version} is newer than {FORMAT_VERSION}, upgrade: "
            'pip install --upgrade "kanditioned-spec[files]"'
        )
    document = _object(
        "document", document, ("format_version", "spec_version", "layers", "metadata")
    )
    spec, major = document["spec_version"], SPEC_VERSION.partition(".")[0]
    if not isinstance(spec, str) or spec.partition(".")[0] != major:
        raise ValueError(f"it was written for spec {spec!r}, and this is spec {SPEC_VERSION}")
    _object("metadata", document["metadata"])
    for config in _object("layers", document["layers"]).values():
        given = [key for key in OPTIONAL if key in config]
        _object("layer", config, [*REQUIRED, *given])
        if not all(isinstance(config[key], list) and config[key] for key in given):
            raise TypeError("a shape in its document is not a list of signs")
        _object("options", config["options"])
    return document


def _object(what: str, found: Any, keys: Iterable[str] | None = None) -> dict[str, Any]:
    """Check that `found` is a JSON object, with exactly these keys if any are given."""
    if not isinstance(found, dict) or (keys is not None and set(found) != set(keys)):
        raise TypeError(f"{what!r} in its document is not the object of this schema")
    return found


def _array(entry: dict[str, Any]) -> StoredArray:
    if entry["dtype"] not in DTYPES:
        raise TypeError(f"it holds a tensor of dtype {entry['dtype']}")
    return np.ndarray(entry["shape"], DTYPES[entry["dtype"]], buffer=entry["data"])


def _checksum(text: str, arrays: Mapping[str, StoredArray]) -> bytes:
    digest = hashlib.sha256(text.encode())
    for key in sorted(arrays):
        shape = "x".join(map(str, arrays[key].shape))
        digest.update(f"\n{key} {TAGS[arrays[key].dtype]} {shape}\n".encode())
        digest.update(arrays[key].reshape(-1).view(np.uint8).data)
    return digest.digest()


def parse(text: str) -> Any:
    """Parse JSON without keys that occur twice, without NaN, infinities and what rounds to them.

    Raises:
        ValueError, RecursionError: It is not such; the message is a clause about the file.
    """
    return json.loads(
        text,
        object_pairs_hook=_without_duplicates,
        parse_constant=_no_constant,
        parse_float=_finite,
    )


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError("a key of its header occurs twice")
    return result


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"its header holds {text[:20]}, which is beyond float64")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"its header holds {name}, which is not JSON")
