"""Ways to damage a checkpoint file or to forge one, and how often each is tried."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

Mutator = Callable[[random.Random, bytes], bytes]


def split(content: bytes) -> tuple[Any, bytes]:
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def joined(header_text: str, data: bytes) -> bytes:
    header = header_text.encode(errors="surrogatepass")
    return len(header).to_bytes(8, "little") + header + data


def sealed(header: Any, data: bytes) -> bytes:
    """Return a file with the checksum that the schema prescribes, if it has a place for one."""
    text = header["__metadata__"]["kanditioned"]
    digest = hashlib.sha256(text.encode(errors="surrogatepass"))
    for key in sorted(set(header) - {"__metadata__", "sha256"}):
        entry = header[key]
        begin, end = entry["data_offsets"]
        shape = "x".join(map(str, entry["shape"]))
        digest.update(f"\n{key} {entry['dtype']} {shape}\n".encode() + data[begin:end])
    begin, end = header["sha256"]["data_offsets"]
    return joined(json.dumps(header), data[:begin] + digest.digest() + data[end:])


def resealed(content: bytes) -> bytes:
    """Return the file with a right checksum, or as it is where there is none to be had."""
    try:
        return sealed(*split(content))
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        return content


def flipped(rng: random.Random, content: bytes) -> bytes:
    """Change one to three bytes."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 3)):
        changed[rng.randrange(len(content))] ^= rng.randint(1, 255)
    return bytes(changed)


def resized(rng: random.Random, content: bytes) -> bytes:
    """Cut the end, the start or a middle part away, repeat a part, or add noise."""
    a, b = sorted(rng.sample(range(len(content) + 1), 2))
    noise = rng.randbytes(rng.randint(1, 64))
    return rng.choice(
        [
            content[:a], content[b:], content[:a] + content[b:], content[:b] + content[a:],
            content + noise, content[:a] + noise + content[a:], content[:a] + noise + content[b:],
        ]
    )  # fmt: skip


def flipped_with_right_checksum(rng: random.Random, content: bytes) -> bytes:
    """Change one to three bytes and compute the checksum anew, as an attacker would."""
    return resealed(flipped(rng, content))


def of_wrong_header_length(rng: random.Random, content: bytes) -> bytes:
    """State another length of the header."""
    right = int.from_bytes(content[:8], "little")
    near = right + rng.choice([-1, 1]) * rng.randint(1, 200)
    far = rng.choice([0, 2**22, 2**22 + 1, 2**31, 2**32 - 8, 2**63, 2**64 - 1, rng.getrandbits(64)])
    return (max(near, 0) if rng.random() < 0.5 else far).to_bytes(8, "little") + content[8:]


NUMBERS = (-1, 0, 1, 2, 3, 65536, 65537, 2**31, 2**63, 2**64, 10**30, -(2**63), 2.0, 0.5, 1e308)
WORDS = ("", "1", "NaN", "F32", "BF16", "U8", "float32", "bspline", "dct", "../../etc/passwd")
LISTS = ([], [0], [-1, 8], [0, 2**64 - 1], [2**32, 2**32, 2], [[]])
OTHERS = (None, True, False, -0.0, math.nan, math.inf, {}, {"a": 1}, {"degree": 1e9})
STRANGE = ("a\x00b", "\ud800", "x" * 3000, "@deep@", "@infinite@", "@digits@")
NASTY: tuple[Any, ...] = (*NUMBERS, *WORDS, *LISTS, *OTHERS, *STRANGE)
RAW = {"@deep@": "[" * 3000 + "]" * 3000, "@infinite@": "1e999", "@digits@": "9" * 5000}


def mutated_text(rng: random.Random, tree: Any) -> str:
    """Write JSON with one to three faults in random places."""
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        spots = [(node, key) for node in _nodes(tree) for key in _keys(node)]
        if not spots:
            break
        node, key = rng.choice(spots)
        other_node, other_key = rng.choice(spots)
        action = rng.randrange(6)
        if action == 0:
            del node[key]
        elif action == 1 and isinstance(node, dict):
            node[rng.choice(["x", "../x", "", "__class__", "layers/x", "tensors/x"])] = (
                copy.deepcopy(node[key])
            )
        elif action == 2 and isinstance(node, dict):
            node[rng.choice(["x", "../x", "tensors/y", str(key) + "."])] = node.pop(key)
        elif action == 3:
            node[key] = copy.deepcopy(other_node[other_key])
        elif isinstance(node[key], int | float) and action == 4:
            node[key] += rng.choice([-1, 1, 0.5, 8])
        else:
            node[key] = copy.deepcopy(rng.choice(NASTY))
    text = json.dumps(tree)
    for mark, raw in RAW.items():
        text = text.replace(f'"{mark}"', raw)
    if rng.random() < 0.1:
        keys = list(re.finditer(r'"[\w/.]+": ', text))
        if keys:
            at = rng.choice(keys)
            text = text[: at.start()] + at.group() + "1, " + text[at.start() :]  # a key twice
    return text


def _nodes(tree: Any) -> Iterator[Any]:
    if isinstance(tree, dict | list) and tree:
        yield tree
        for child in tree.values() if isinstance(tree, dict) else tree:
            yield from _nodes(child)


def _keys(node: Any) -> list[Any]:
    return list(node) if isinstance(node, dict) else list(range(len(node)))


def of_wrong_header(rng: random.Random, content: bytes) -> bytes:
    """Change the header's JSON, with a right checksum where the header still has one."""
    header, data = split(content)
    text = mutated_text(rng, header)
    return joined(text, data) if rng.random() < 0.5 else resealed(joined(text, data))


def of_wrong_document(rng: random.Random, content: bytes) -> bytes:
    """Change the document's JSON and make its checksum right again."""
    header, data = split(content)
    text = mutated_text(rng, json.loads(header["__metadata__"]["kanditioned"]))
    header["__metadata__"]["kanditioned"] = text
    return sealed(header, data)


DAMAGE: dict[Mutator, int] = {flipped: 3000, resized: 1500, of_wrong_header_length: 500}
FORGERY: dict[Mutator, int] = {
    flipped_with_right_checksum: 1500,
    of_wrong_header: 2500,
    of_wrong_document: 3000,
}
assert sum((DAMAGE | FORGERY).values()) >= 10_000
