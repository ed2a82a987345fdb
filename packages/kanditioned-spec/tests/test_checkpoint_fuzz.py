"""Damaged and hostile files: each is refused with `CheckpointError` or read for what it says.

Every mutation of a valid file is judged by a second reader, written here from the schema's text
alone: what was loaded must be what that reader finds, and after plain damage it must be what was
saved. Time and memory are watched as well.
"""

from __future__ import annotations

import gc
import json
import math
import random
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkpoint_mutations import (
    DAMAGE,
    FORGERY,
    Mutator,
    flipped,
    joined,
    of_wrong_document,
    resized,
    sealed,
    split,
)

from kanditioned_spec.checkpoint import (
    Checkpoint,
    CheckpointError,
    Layer,
    LayerConfig,
    encoding,
    files,
    read,
    write,
)

SECONDS = 2.0
MEGABYTES = 16
"""Limits for one file of at most 10 kB; the largest permitted K alone takes some megabytes."""


def originals() -> Iterator[Checkpoint]:
    rng = np.random.default_rng(0)
    config = LayerConfig(1, 1, 2)
    yield Checkpoint({"layer": Layer(config, rng.normal(size=(1, 2, 1)).astype("f4"))})
    options = {"smoothing": 1e-6, "density": "normal"}
    configs = {
        "layers.0": LayerConfig(2, 3, 4, 2.0, "demmler_reinsch", options, "float64"),
        "layers.1": LayerConfig(3, 2, 6, 4.0, "legendre", {"degree": 2}, "bfloat16"),
        "layers.2": LayerConfig(2, 2, 3, 4.0, "parallel_scan", (), "float16"),
        "layers.3": LayerConfig(2, 1, 5, 4.0, "dct"),
    }
    layers = {
        name: Layer(c, rng.integers(0, 2**16, c.shape).astype("u2"))
        if c.dtype == "bfloat16"
        else Layer(c, rng.normal(size=c.shape).astype(c.dtype))
        for name, c in configs.items()
    }
    tensors = {"norms.0.weight": rng.normal(size=3), "norms.0.count": np.array(5), "e": np.ones(0)}
    yield Checkpoint(layers, tensors, {"model": "KAN", "norm": "batch", "note": "ü"})


def assert_means(got: Checkpoint, content: bytes) -> None:
    """Check that `got` is what the file says."""
    header, data = split(content)
    document = json.loads(header.pop("__metadata__")["kanditioned"])
    assert sorted(document) == ["format_version", "layers", "metadata", "spec_version"]
    assert document["format_version"] == 1
    assert got.metadata == document["metadata"]
    assert list(got.layers) == list(document["layers"])
    arrays = {f"layers/{name}": layer.parameters for name, layer in got.layers.items()}
    arrays |= {f"tensors/{name}": array for name, array in got.tensors.items()}
    assert set(arrays) | {"sha256"} == set(header)
    for name, layer in got.layers.items():
        said, options = dict(document["layers"][name]), dict(layer.config.options)
        said_options = said.pop("options")
        assert_equal({key: options[key] for key in said_options}, said_options)
        assert_equal({key: getattr(layer.config, key) for key in said}, said)
        assert math.isfinite(layer.config.spline_width)
        assert layer.parameters.shape == layer.config.shape
    tags = {"float64": "F64", "float32": "F32", "float16": "F16", "uint16": "BF16"}
    tags |= {"int64": "I64", "int32": "I32"}
    for key, array in arrays.items():
        begin, end = header[key]["data_offsets"]
        assert [tags[array.dtype.name], list(array.shape)] == [
            header[key]["dtype"], header[key]["shape"],
        ]  # fmt: skip
        assert array.tobytes() == data[begin:end]


def assert_equal(found: dict[str, Any], said: dict[str, Any]) -> None:
    """Check values and their types; an integer may stand for a floating-point number."""
    for key, value in said.items():
        whole = type(value) is int and type(found[key]) is float
        assert found[key] == (float(value) if whole else value)
        assert whole or type(found[key]) is type(value)


def loads(path: Path, content: bytes) -> bool:
    """Judge one file: whether it was loaded, after all checks that hold for every file."""
    path.unlink(missing_ok=True)  # overwriting would wait for the disk
    path.write_bytes(content)
    tracemalloc.reset_peak()
    before, started = tracemalloc.get_traced_memory()[0], time.process_time()
    try:
        got = read(path)
    except CheckpointError as error:
        got, length = None, len(str(error))
    else:
        length = 0
    assert length < 1000
    assert time.process_time() - started < SECONDS
    assert tracemalloc.get_traced_memory()[1] - before < MEGABYTES * 2**20 + 30 * len(content)
    if got is not None:
        assert_means(got, content)
    return got is not None


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    gc.collect()
    gc.freeze()  # or each collection goes through all that other tests have left
    tracemalloc.start()
    yield tmp_path / "model"
    tracemalloc.stop()
    gc.unfreeze()


def fuzz(path: Path, mutate: Mutator, count: int) -> int:
    """Judge `count` mutations and return how many of them were loaded."""
    rng = random.Random(0)
    contents = []
    for checkpoint in originals():
        write(path, checkpoint)
        assert loads(path, path.read_bytes())
        contents.append(path.read_bytes())
    loaded = 0
    for number in range(count):
        original = contents[number % len(contents)]
        mutant = mutate(rng, original)
        if loads(path, mutant):
            loaded += 1
            if mutate in DAMAGE:
                assert_means(read(path), original)
    return loaded


@pytest.mark.parametrize(
    ("mutate", "count"),
    (DAMAGE | FORGERY).items(),
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_mutated_files_are_refused_or_read_for_what_they_say(
    mutate: Mutator, count: int, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = fuzz(path, mutate, count)
    with capsys.disabled():
        print(f"\n  {count} files {mutate.__name__}: {count - loaded} refused, {loaded} loaded")


def bombs() -> Iterator[tuple[str, bytes]]:
    """Small files that ask for much."""
    yield "empty", b""
    yield "zeros", bytes(10_000)
    yield "deep header", joined("[" * 200_000, b"")
    yield "deep object", joined('{"a":' * 200_000, b"")
    yield "many lists", joined("[" + "[]," * 500_000 + "[]]", b"")
    yield "long number", joined("9" * 1_000_000, b"")
    yield "number beyond float64", joined('{"__metadata__": {"a": 1e999}}', b"")
    for shape in ([2**62, 2], [2**32, 2**32], [2**64 - 1], [0, 2**63], [1] * 5000):
        entry = {"dtype": "F32", "shape": shape, "data_offsets": [0, 8]}
        yield f"shape {shape[:2]}", joined(json.dumps({"tensors/a": entry}), bytes(8))
    for checkpoint in originals():
        header, data = split(encoding.encode(checkpoint))
        for shape in ([2**62, 2], [0, 2**63], [1] * 100):
            entry = {"dtype": "F64", "shape": shape, "data_offsets": [0, 0]}
            yield f"added {shape[:2]}", sealed(header | {"tensors/a": entry}, data)
        document = json.loads(header["__metadata__"]["kanditioned"])
        config = next(iter(document["layers"].values()))
        for name in ("bspline", "dct", "legendre", "demmler_reinsch", "parallel_scan"):
            for count in (2**16, 2**40):
                options = {"degree": 1} if name == "legendre" else {}
                config |= {"num_control_points": count, "parameterization": name}
                config["options"] = options
                text = {"__metadata__": {"kanditioned": json.dumps(document)}}
                yield f"{name} with K = {count}", sealed(header | text, data)


@pytest.mark.parametrize(("name", "content"), list(bombs()), ids=lambda value: str(value)[:40])
def test_small_files_that_ask_for_much(name: str, content: bytes, path: Path) -> None:
    may_load = name == "legendre with K = 65536"  # two parameters an edge, at any K
    assert not loads(path, content) or may_load


def refuse_nothing(what: str, found: Any, keys: object = None) -> Any:
    return found


class OtherErrors:
    SafetensorError = KeyError
    TensorSpec = encoding.library().TensorSpec
    serialize = staticmethod(encoding.library().serialize)
    deserialize = staticmethod(encoding.library().deserialize)


PLANTED: list[tuple[object, str, object, Mutator, type[Exception]]] = [
    (encoding, "_checksum", lambda *_: bytes(32), flipped, AssertionError),
    (encoding, "_object", refuse_nothing, of_wrong_document, Exception),
    (files, "library", OtherErrors, resized, encoding.library().SafetensorError),
]


@pytest.mark.parametrize(("module", "name", "fault", "mutate", "symptom"), PLANTED)
def test_planted_faults_are_found(
    module: object,
    name: str,
    fault: object,
    mutate: Mutator,
    symptom: type[Exception],
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, name, fault)
    with pytest.raises(symptom):
        fuzz(path, mutate, 2000)
