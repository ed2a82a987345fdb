"""Writing a checkpoint to disk without ever leaving half of one, and reading it back."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .. import validate
from .encoding import MAX_BUILD_BYTES, decode, encode, library
from .schema import Checkpoint, CheckpointError
from .temporary import replace, temporary_beside


def write(path: str | bytes | os.PathLike[str], checkpoint: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all.

    A temporary file in the same folder is written, flushed to the disk and renamed to `path`.
    Whoever opens `path` at any time, after a crash too, finds the old file or the new one. What a
    killed process has left in the folder is removed.

    Raises:
        OSError: The file system's own errors; an old file is left as it was.
        ValueError: The header would exceed `MAX_HEADER_BYTES`, or `path` is a device, a pipe or
            anything else that is no regular file.
        ImportError: safetensors is not installed.

    Numerics:
        Bits are kept, those of NaNs included; the same checkpoint gives the same file.
    """
    content = encode(checkpoint)
    target = _target(path)
    with temporary_beside(target) as (temporary, file):
        if target.exists():
            shutil.copymode(target, temporary)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        replace(temporary, file, target)
    if os.name == "posix":  # make the renaming last too; Windows cannot open a folder
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _decode(where: str, path: Any) -> str:
    remedy = "Pass a string or a pathlib.Path."
    try:
        decoded = os.fsdecode(path)
    except TypeError:
        got = f"a {type(path).__name__}"
        raise TypeError(validate.message(where, "path", "a path", got, remedy)) from None
    if not decoded or "\0" in decoded:
        constraint = "a path, not empty and without the character of number 0"
        raise ValueError(validate.message(where, "path", constraint, repr(decoded), remedy))
    return decoded


def _target(path: str | bytes | os.PathLike[str]) -> Path:
    """Return the file that a path names: a link is followed, not replaced."""
    target = Path(os.path.realpath(_decode("checkpoint.write", path)))
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(target))
    if target.exists() and not target.is_file() and not target.is_dir():
        constraint, remedy = "a regular file or a new one", "Nothing was written."
        got = f"{os.fsdecode(path)!r}, which is a device, a pipe or a socket"
        raise ValueError(validate.message("checkpoint.write", "path", constraint, got, remedy))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(target.parent))
    return target


@contextlib.contextmanager
def building(where: str, path: str | bytes | os.PathLike[str]) -> Iterator[None]:
    """Report what goes wrong while layers of a file are built as an error of the file.

    Args:
        where: The callable that the path is an argument of.
        path: The file.

    Raises:
        CheckpointError: The layers cannot be built, for example in their dtype.
    """
    try:
        yield
    except (ValueError, TypeError, ArithmeticError) as error:
        constraint, remedy = "a checkpoint of layers that can be built", "Nothing was loaded."
        got = f"{os.fsdecode(path)!r}: {str(error)[:500]}"
        raise CheckpointError(validate.message(where, "path", constraint, got, remedy)) from error


def read(
    path: str | bytes | os.PathLike[str], *, max_build_bytes: int = MAX_BUILD_BYTES
) -> Checkpoint:
    """Read a checkpoint, or raise without having built anything.

    The file is taken to be hostile: nothing in it is executed or used as a path, and memory stays
    within a small multiple of its size. What layers would take to be built is known beforehand.

    Args:
        path: The file.
        max_build_bytes: Limit of the memory that the maps from parameters to control points may
            take to be built, of all layers together.

    Raises:
        CheckpointError: It is not a whole, consistent checkpoint of this version or an older one.
        OSError: The file system's own errors, such as `FileNotFoundError`.
        ImportError: safetensors is not installed.
    """
    where = "checkpoint.read"
    source = Path(_decode(where, path))
    remedy = "It is the most that building the layers may take, in bytes."
    limit = validate.integer(where, "max_build_bytes", max_build_bytes, 0, remedy)
    damage = (ValueError, TypeError, RecursionError, library().SafetensorError)
    try:
        if source.exists() and not source.is_file():
            raise ValueError("it is no regular file")
        with source.open("rb") as file:
            return decode(file, limit)
    except damage as error:
        reason = str(error)[:500]  # it may quote what the file says
        constraint, got = "a whole kanditioned checkpoint", f"{os.fsdecode(path)!r}: {reason}"
        raise CheckpointError(
            validate.message(where, "path", constraint, got, "Nothing was loaded.")
        ) from error
