"""Check an implementation on the vectors; the definition of their format, in NumPy alone.

    python check.py module:attribute [--chapter NAME]... [--dtype NAME]...
    python check.py --results results.json [--verdict verdict.json] ...

The attribute has methods named like the operations (`FORMAT.md`); what it lacks is skipped. An
implementation that Python cannot call writes its results to a file instead.
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


def difference(got, want, bound):
    """Return the entry that is farthest out of its bound, in words; nothing if none is.

    NaN and infinities must be the same.
    """
    got = np.asarray(got, np.float64)
    if got.shape != want.shape:
        return f"got shape {list(got.shape)}, want {list(want.shape)}"
    same = (got == want) | (np.isnan(got) & np.isnan(want))
    finite = np.isfinite(got) & np.isfinite(want)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(same, 0, np.where(finite, np.abs(got - want) / bound, np.inf))
    if not (ratio > 1).any():
        return ""
    at = np.unravel_index(ratio.argmax(), ratio.shape)
    return (
        f"at {[int(i) for i in at]} got {got[at]!s}, want {want[at]!s}, bound {bound[at]:.3g}; "
        f"{(ratio > 1).sum()} of {ratio.size} entries differ"
    )


def evaluate(implementation, vector, tensors):
    """Return the results of an operation, as a list of arrays in the order of the manifest."""
    arguments = dict(vector["arguments"])
    operation = getattr(implementation, vector["operation"])
    if vector["operation"] == "layer":
        return operation(**arguments)
    if vector["operation"] == "load":
        return [operation(FOLDER / arguments["path"])[1]]
    if vector["operation"] == "forward_network":
        x = tensors[f"{vector['name']}.x"].copy()
        return [operation(FOLDER / arguments["path"], x)]
    unsaid = {"device": "cpu", "monotone": (), "convex": ()}
    problem = SimpleNamespace(**unsaid | vector["problem"])
    problem.options = tuple(problem.options.items())
    inputs = (tensors[f"{vector['name']}.{name}"].copy() for name in vector["inputs"])
    if vector["operation"] == "map_input":
        numbers = SimpleNamespace(breakpoints=next(inputs), images=next(inputs))
        return list(operation(numbers, *inputs, problem.dtype))
    results = operation(problem, *inputs, **arguments)
    return list(results) if len(vector["results"]) > 1 else [results]


def answer(implementation, vector, tensors):
    """Return what an implementation gives when asked twice, or the error that it raises."""
    try:
        outputs, again = (evaluate(implementation, vector, tensors) for _ in range(2))
        return {"outputs": [np.asarray(o) for o in outputs], "again": [*map(np.asarray, again)]}
    except Exception as error:
        kinds = [kind.__name__ for kind in type(error).__mro__]
        return {"error": kinds, "message": str(error)}


def read_answers(path):
    """Read a file of results: by the name of a vector its outputs, or an error."""
    answers = json.loads(Path(path).read_text("utf-8"))
    if unknown := set(answers) - {vector["name"] for vector in manifest()}:
        sys.exit(f"{path}: no vector is named {', '.join(sorted(unknown))}")
    for name, given in answers.items():
        for key in ("outputs", "again"):
            try:
                given |= {key: [tensor(raw) for raw in given[key]]} if key in given else {}
            except (KeyError, TypeError, ValueError) as error:
                sys.exit(f"{path}: {name}: `{key}` must be a list of tensors: {error!r}")
        if not given.keys() & {"outputs", "error"}:
            sys.exit(f"{path}: {name}: must have `outputs` or `error`")
        given["error"] = [given["error"]] if "error" in given else []
    return answers


def tensor(raw):
    """Return an array from its shape and its values, in which NaN and infinities are strings."""
    return np.array([float(value) for value in raw["values"]]).reshape(raw["shape"])


def fault(vector, tensors, given):
    """Return what is wrong with an answer to a vector, or nothing."""
    wanted = vector["error"]
    if given.get("error"):
        said = f"raised {given['error'][0]}: {given.get('message', '')}"
        return "" if wanted in given["error"] else said + f", want {wanted or 'a result'}"
    outputs = given["outputs"]
    if wanted or len(outputs) != len(vector["results"]):
        return f"got {len(outputs)} results, want {wanted or len(vector['results'])}"
    for name, got in zip(vector["results"], outputs, strict=True):
        full = f"{vector['name']}.{name}"
        if found := difference(got, tensors[full], tensors[f"{full}.bound"]):
            return f"{name} {found}"
    for name, got, again in zip(
        vector["results"], outputs, given.get("again", outputs), strict=False
    ):
        if got.tobytes() != again.tobytes():
            return f"{name} has other bits when asked twice"
    return ""


def manifest():
    """Return all vectors."""
    return json.loads((FOLDER / "manifest.json").read_text("utf-8"))["vectors"]


def choose(chapters, dtypes):
    """Return the vectors of these chapters and dtypes, of all where none is named; exit if none."""
    vectors = manifest()
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


def judge(vectors, answers):
    """Return for each vector its name, its outcome and what is wrong.

    Args:
        vectors: To be judged.
        answers: Takes a vector and its tensors and returns what was given, or None.
    """
    verdict = []
    for vector in vectors:
        path = FOLDER / f"{vector['chapter']}.safetensors"
        tensors = read_tensors(path) if path.exists() else {}
        given = answers(vector, tensors)
        found = fault(vector, tensors, given) if given else ""
        outcome = "failed" if found else "passed" if given else "skipped"
        verdict.append({"name": vector["name"], "outcome": outcome, "fault": found})
    return verdict


def main(options):
    """Judge the chosen vectors, print those that fail, and return how many."""
    vectors = choose(options.chapter, options.dtype)
    if options.results:
        results = read_answers(options.results)
        verdict = judge(vectors, lambda vector, _: results.get(vector["name"]))
    else:
        module, _, attribute = options.target.partition(":")
        port = getattr(importlib.import_module(module), attribute)

        def ask(vector, tensors):
            offers = hasattr(port, vector["operation"])
            return answer(port, vector, tensors) if offers else None

        verdict = judge(vectors, ask)
    for each in verdict:
        if each["fault"]:
            print(f"failed {each['name']}\n  {each['fault']}")
    outcomes = [each["outcome"] for each in verdict]
    counts = {name: outcomes.count(name) for name in ("passed", "failed", "skipped")}
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    if options.verdict:
        text = json.dumps({**counts, "vectors": verdict}, indent=1)
        Path(options.verdict).write_text(text, "utf-8")
    return counts["failed"] or not counts["passed"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Check an implementation on the vectors.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("target", metavar="module:attribute", nargs="?")
    what.add_argument("--results", metavar="FILE", help="results as JSON, instead of calling")
    parser.add_argument("--verdict", metavar="FILE", help="write the verdict as JSON")
    parser.add_argument("--chapter", action="append", default=[], help="of these chapters alone")
    parser.add_argument("--dtype", action="append", default=[], help="in these dtypes alone")
    sys.path.insert(0, str(Path.cwd()))
    sys.exit(main(parser.parse_args()) > 0)
