"""Writing a checkpoint to disk without ever leaving half of one, and reading it back."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from .. import validate
from .encoding import decode, encode, library
from .schema import Checkpoint, CheckpointError


def write(path: str | os.PathLike[str], checkpoint: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all.

    A temporary file in the same folder is written, flushed to the disk and renamed to `path`.
    Whoever opens `path` at any time, after a crash too, finds the old file or the new one.

    Raises:
        OSError: The file system's own errors; an old file is left as it was.
        ValueError: The header would exceed `MAX_HEADER_BYTES`.
        ImportError: safetensors is not installed.

    Numerics:
        Bits are kept, those of NaNs included; the same checkpoint gives the same file.
    """
    content = encode(checkpoint)
    target = Path(path).resolve()  # a link is followed, not replaced
    temporary = target.with_name(f"{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            if target.exists():
                shutil.copymode(target, temporary)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    if os.name == "posix":  # make the renaming last too; Windows cannot open a folder
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def read(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint, or raise without having built anything.

    The file is taken to be hostile: nothing in it is executed or used as a path, and memory stays
    within a small multiple of its size.

    Raises:
        CheckpointError: It is not a whole, consistent checkpoint of this version or an older one.
        OSError: The file system's own errors, such as `FileNotFoundError`.
        ImportError: safetensors is not installed.
    """
    source = Path(path)
    damage = (ValueError, TypeError, RecursionError, library().SafetensorError)
    try:
        if source.exists() and not source.is_file():
            raise ValueError("it is no regular file")
        with source.open("rb") as file:
            return decode(file)
    except damage as error:
        reason = str(error)[:500]  # it may quote what the file says
        constraint, got = "a whole kanditioned checkpoint", f"{os.fspath(path)!r}: {reason}"
        raise CheckpointError(
            validate.message("checkpoint.read", "path", constraint, got, "Nothing was loaded.")
        ) from error
