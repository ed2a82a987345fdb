"""Check an implementation on the vectors; the definition of their format, in NumPy alone.

    python check.py module:attribute [--chapter NAME]... [--dtype NAME]...

The attribute has methods named like the operations (`FORMAT.md`); what it lacks is skipped.
"""

import argparse
import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np

FOLDER = Path(__file__).resolve().parent
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}


def read_tensors(path):
    """Read a safetensors file: header length (8 bytes), header (JSON), data."""
    raw = path.read_bytes()
    start = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:start])
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = (start + offset for offset in entry["data_offsets"])
            values = np.frombuffer(raw[begin:end], DTYPES[entry["dtype"]])
            if entry["dtype"] == "BF16":  # the upper half of a float32
                values = (values.astype("<u4") << 16).view("<f4")
            tensors[name] = values.reshape(entry["shape"])
    return tensors


def agrees(got, want, bound):
    """Whether a result has the shape of `want` and is within `bound`, NaN and infinity equal."""
    got = np.asarray(got, np.float64)
    if got.shape != want.shape:
        return False
    same = (got == want) | (np.isnan(got) & np.isnan(want))
    with np.errstate(invalid="ignore"):
        return bool(np.all(same | (np.isfinite(want) & (np.abs(got - want) <= bound))))


def run(implementation, vector, tensors):
    """Return the results of an operation, as a list of arrays in the order of the manifest."""
    arguments = dict(vector["arguments"])
    operation = getattr(implementation, vector["operation"])
    if vector["operation"] == "layer":
        return operation(**arguments)
    if vector["operation"] == "load":
        return [operation(FOLDER / arguments["path"])[1]]
    unsaid = {"device": "cpu", "monotone": (), "convex": ()}
    problem = SimpleNamespace(**unsaid | vector["problem"])
    problem.options = tuple(problem.options.items())
    inputs = (tensors[f"{vector['name']}.{name}"].copy() for name in vector["inputs"])
    if vector["operation"] == "map_input":
        numbers = SimpleNamespace(breakpoints=next(inputs), images=next(inputs))
        return list(operation(numbers, *inputs, problem.dtype))
    results = operation(problem, *inputs, **arguments)
    return list(results) if len(vector["results"]) > 1 else [results]


def passes(implementation, vector, tensors):
    """Whether an implementation gives what a vector wants: the same bits when asked twice."""
    if vector["error"]:
        try:
            run(implementation, vector, tensors)
        except Exception as error:
            return vector["error"] in (kind.__name__ for kind in type(error).__mro__)
        return False
    once, twice = (run(implementation, vector, tensors) for _ in range(2))
    wanted = [f"{vector['name']}.{name}" for name in vector["results"]]
    return len(once) == len(wanted) and all(
        agrees(got, tensors[name], tensors[f"{name}.bound"])
        and np.asarray(got).tobytes() == np.asarray(again).tobytes()
        for got, again, name in zip(once, twice, wanted, strict=True)
    )


def chosen(chapters, dtypes):
    """Return the vectors of these chapters and dtypes, of all where none is named; exit if none."""
    vectors = json.loads((FOLDER / "manifest.json").read_text("utf-8"))["vectors"]
    for names, known in (
        (chapters, {vector["chapter"] for vector in vectors}),
        (dtypes, {vector["problem"]["dtype"] for vector in vectors}),
    ):
        if unknown := set(names) - known:
            sys.exit(f"no vector is of {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    found = [
        vector
        for vector in vectors
        if (not chapters or vector["chapter"] in chapters)
        and (not dtypes or vector["problem"]["dtype"] in dtypes)
    ]
    return found or sys.exit("no vector of these chapters is in these dtypes")


def main(target, chapters=(), dtypes=()):
    """Check the chosen vectors, print those that fail, and return how many."""
    module, _, attribute = target.partition(":")
    implementation = getattr(importlib.import_module(module), attribute)
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for vector in chosen(chapters, dtypes):
        path = FOLDER / f"{vector['chapter']}.safetensors"
        tensors = read_tensors(path) if path.exists() else {}
        outcome = "skipped"
        if hasattr(implementation, vector["operation"]):
            outcome = "passed" if passes(implementation, vector, tensors) else "failed"
        counts[outcome] += 1
        if outcome == "failed":
            print("failed", vector["name"])
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    return counts["failed"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Check an implementation on the vectors.")
    parser.add_argument("target", metavar="module:attribute")
    parser.add_argument("--chapter", action="append", default=[], help="of these chapters alone")
    parser.add_argument("--dtype", action="append", default=[], help="in these dtypes alone")
    options = parser.parse_args()
    sys.path.insert(0, str(Path.cwd()))
    sys.exit(main(options.target, options.chapter, options.dtype) > 0)
