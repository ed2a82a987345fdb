"""The file schema: what goes in comes out, bit for bit, and what is wrong is refused in words."""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from kanditioned_spec import Parameterization
from kanditioned_spec.checkpoint import (
    LAYER_DTYPES,
    MAX_HEADER_BYTES,
    Checkpoint,
    CheckpointError,
    Layer,
    LayerConfig,
    read,
    write,
)

GOOD: dict[str, Any] = {"in_features": 2, "out_features": 2, "num_control_points": 4}
WORDS = {"float64": np.uint64, "float32": np.uint32, "float16": np.uint16, "bfloat16": np.uint16}
FLOATS = {"float64": np.float64, "float32": np.float32, "float16": np.float16}


def any_bits(config: LayerConfig, seed: int = 0) -> Layer:
    """A layer whose parameters are random words: NaNs of every kind and subnormals among them."""
    word = WORDS[config.dtype]
    bits = np.random.default_rng(seed).integers(0, np.iinfo(word).max, config.shape, word, True)
    return Layer(config, bits if config.dtype == "bfloat16" else bits.view(FLOATS[config.dtype]))


def assert_same(got: Checkpoint, want: Checkpoint) -> None:
    assert list(got.layers) == list(want.layers)
    assert list(got.tensors) == list(want.tensors)
    assert got.metadata == want.metadata
    pairs = [(got.tensors[name], want.tensors[name]) for name in want.tensors]
    for name, layer in want.layers.items():
        assert got.layers[name].config == layer.config
        pairs.append((got.layers[name].parameters, layer.parameters))
    for ours, theirs in pairs:
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
        assert ours.tobytes() == theirs.tobytes()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize("dtype", LAYER_DTYPES)
def test_every_dtype_comes_back_bit_for_bit(path: Path, dtype: str) -> None:
    layer = any_bits(LayerConfig(3, 5, 16, 2.5, dtype=dtype))
    write(path, Checkpoint({"layer": layer}))
    assert_same(read(path), Checkpoint({"layer": layer}))


def test_every_parameterization_comes_back(path: Path, p: Parameterization) -> None:
    layer = any_bits(LayerConfig(3, 2, p.num_control_points, 2.5, p.name, p.options))
    write(path, Checkpoint({"layer": layer}))
    assert_same(read(path), Checkpoint({"layer": layer}))
    assert read(path).only_layer().config == layer.config


def stack() -> Checkpoint:
    layers = {
        "layers.1": any_bits(LayerConfig(2, 3, 5, dtype="bfloat16")),
        "layers.0": any_bits(LayerConfig(3, 1, 4, 1.0, "legendre", {"degree": 2}, "float64")),
    }
    tensors = {
        "norms.0.weight": np.array([0.5, -0.0, np.inf], np.float32),
        "norms.0.count": np.array(2**62),
        "empty": np.zeros((0, 3), np.float16),
        "bits": np.arange(6, dtype=np.uint16).reshape(1, 2, 3),
        "small": np.array([-1, 1], np.int32),
    }
    return Checkpoint(layers, tensors, {"model": "KAN", "größe": "ü\n\x00\"'"})


def test_a_stack_comes_back_in_order(path: Path) -> None:
    write(path, stack())
    assert_same(read(path), stack())
    assert list(read(path).layers) == ["layers.1", "layers.0"]
    assert list(read(path).tensors) == sorted(stack().tensors)


def test_what_was_read_can_be_changed_in_place(path: Path) -> None:
    write(path, stack())
    read(path).layers["layers.0"].parameters[:] = 0


def test_the_same_content_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name, stack())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_any_layout_and_byte_order_is_taken(path: Path) -> None:
    config = LayerConfig(4, 3, 6)
    values = np.random.default_rng(0).normal(size=(3, 6, 8)).astype(">f4").T[::2]
    write(path, Checkpoint({"layer": Layer(config, values)}, {"t": values}))
    np.testing.assert_array_equal(read(path).layers["layer"].parameters, values)
    np.testing.assert_array_equal(read(path).tensors["t"], values)


def test_any_safetensors_reader_finds_the_arrays(path: Path) -> None:
    layer = any_bits(LayerConfig(2, 3, 4))
    write(path, Checkpoint({"a.b": layer}, {"c": np.arange(3.0)}))
    found = safetensors.numpy.load_file(path)
    assert sorted(found) == ["layers/a.b", "sha256", "tensors/c"]
    assert found["layers/a.b"].tobytes() == layer.parameters.tobytes()


def test_arrays_of_ml_dtypes_are_taken() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    layer = any_bits(LayerConfig(2, 3, 4, dtype="bfloat16"))
    same = Layer(layer.config, layer.parameters.view(ml_dtypes.bfloat16))
    np.testing.assert_array_equal(same.parameters, layer.parameters)
    np.testing.assert_array_equal(
        layer.values, layer.parameters.view(ml_dtypes.bfloat16).astype(np.float32)
    )


@pytest.mark.parametrize(
    "name", ["", ".", "a.", ".a", "a..b", "../a", "/a", "a/b", "a\\b", "C:", "a b", "a\n", "é", 3]
)
def test_names_are_dotted_words(name: Any) -> None:
    layer = any_bits(LayerConfig(**GOOD))
    with pytest.raises(ValueError, match="named by dotted words"):
        Checkpoint({name: layer})
    with pytest.raises(ValueError, match="named by dotted words"):
        Checkpoint({"layer": layer}, {name: np.zeros(1)})


def test_bad_checkpoints_are_refused() -> None:
    layer = any_bits(LayerConfig(**GOOD))
    with pytest.raises(ValueError, match="must be non-empty, got none"):
        Checkpoint({})
    with pytest.raises(TypeError, match=r"tensors=.*of dtype float64, .*, got bool"):
        Checkpoint({"layer": layer}, {"mask": np.zeros(3, bool)})
    with pytest.raises(TypeError, match="must be strings by strings"):
        Checkpoint({"layer": layer}, {}, {"epoch": 3})  # type: ignore[dict-item]


def test_only_layer_is_the_only_array() -> None:
    with pytest.raises(CheckpointError, match=r"a single layer, got layers\.1, layers\.0, bits"):
        stack().only_layer()
    with pytest.raises(CheckpointError, match="a single layer, got layer, scale"):
        Checkpoint({"layer": any_bits(LayerConfig(**GOOD))}, {"scale": np.ones(1)}).only_layer()


def test_a_header_beyond_the_limit_is_not_written(path: Path) -> None:
    layer = any_bits(LayerConfig(**GOOD))
    with pytest.raises(ValueError, match=rf"described in {MAX_HEADER_BYTES} bytes, got \d+"):
        write(path, Checkpoint({"layer": layer}, {}, {"text": "x" * MAX_HEADER_BYTES}))
    assert not path.exists()


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_is_full(_: int) -> None:
        raise OSError(28, "No space left on device")

    write(path, stack())
    monkeypatch.setattr(os, "fsync", disk_is_full)
    with pytest.raises(OSError, match="No space left"):
        write(path, Checkpoint({"layer": any_bits(LayerConfig(**GOOD))}))
    assert_same(read(path), stack())
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="needs links and permissions")
def test_a_link_is_followed_and_permissions_stay(path: Path) -> None:
    path.touch()
    path.chmod(0o640)
    link = path.with_name("link")
    link.symlink_to(path.name)
    write(link, stack())
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert_same(read(path), stack())


def test_a_missing_file_or_folder_is_an_error_of_the_file_system(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(path)
    with pytest.raises(FileNotFoundError, match=re.escape(str(path))):  # the folder's name
        write(path / "below", stack())
    with pytest.raises(IsADirectoryError, match=re.escape(repr(str(path.parent)))):
        write(path.parent, stack())


@pytest.mark.parametrize("name", ["", "a\0b", b"", b"a\0b"])
def test_what_can_name_no_file_is_refused(name: str | bytes) -> None:
    match = r"\(path=\.\.\.\)` must be a path, not empty"
    with pytest.raises(ValueError, match=match):
        write(name, stack())
    with pytest.raises(ValueError, match=match):
        read(name)


@pytest.mark.skipif(os.name != "posix", reason="needs a named pipe")
def test_what_is_no_regular_file_is_refused_at_once(path: Path) -> None:
    os.mkfifo(path)
    for other in (path, path.parent, Path("/dev/zero")):
        with pytest.raises(CheckpointError, match="it is no regular file"):
            read(other)


def rewritten(path: Path, **changes: object) -> None:
    """Change entries of the document of a written file; its checksum then no longer holds."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    document = json.loads(header["__metadata__"]["kanditioned"]) | changes
    header["__metadata__"]["kanditioned"] = json.dumps(document)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])


REFUSED: list[tuple[dict[str, object], str]] = [
    ({"format_version": 2}, r"version 2 is newer than 1, upgrade: pip install --upgrade"),
    ({"format_version": 2, "layers": None, "else": 1}, r"version 2 is newer than 1"),
    ({"format_version": True}, "has no format version"),
    ({"spec_version": "3.0"}, r"written for spec '3\.0', and this is spec 2\."),
    ({"else": 1}, "'document' in its document is not the object of this schema"),
    ({"metadata": {"other": "text"}}, "checksum"),
]


@pytest.mark.parametrize(("changes", "pattern"), REFUSED)
def test_other_documents_are_refused_in_words(
    path: Path, changes: dict[str, object], pattern: str
) -> None:
    write(path, stack())
    rewritten(path, **changes)
    with pytest.raises(CheckpointError, match=pattern) as caught:
        read(path)
    text = str(caught.value)
    assert text.startswith("`checkpoint.read(path=...)` must be a whole kanditioned checkpoint")
    assert repr(str(path)) in text
    assert text.endswith("Nothing was loaded.")


def test_other_files_are_refused_in_words(path: Path) -> None:
    safetensors.numpy.save_file({"weight": np.zeros(3)}, path)
    with pytest.raises(CheckpointError, match="its metadata is not a kanditioned document"):
        read(path)
    path.write_bytes(b"PK\x03\x04" * 20)
    with pytest.raises(CheckpointError, match=r"its header cannot have \d+ bytes in a file of 80"):
        read(path)


def test_without_safetensors_the_pip_line_is_given(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "safetensors", None)
    for call in (lambda: read(path), lambda: write(path, stack())):
        with pytest.raises(ImportError, match=r'pip install "kanditioned-spec\[files\]"'):
            call()
