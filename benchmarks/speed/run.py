"""Verify and time every competitor at every case: a row each in `results/speed.csv`.

The verb `verify` stops before the timing and writes `results/verify.csv`.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from typing import Any

import psutil
import torch
from tqdm import tqdm

from kanditioned_spec.costs import Sizes

from .. import machine
from ..results import FOLDER, Table, row
from . import memory, verify
from .cases import SHAPES, SWEEPS, Case, random_shapes
from .competitors import COMPETITORS, Competitor
from .environments import UnavailableError
from .step import Step
from .steps import build, variants
from .timing import CLOCKS, Timing, rounds, warm_up

KEY = (
    *Sizes._fields,
    "mode",
    "precision",
    "competitor",
    "parameterization",
    "device",
    "threads",
    "clock",
)
MEASURED = ("warm_up_s", "p20_ms", "p50_ms", "p80_ms", "rounds", "peak_mib")


def cases(given: argparse.Namespace) -> Iterator[Case]:
    """Return the cases that the command line asks for."""
    shapes = [Sizes(*sizes) for sizes in given.shape]
    shapes += [shape for name in given.sweep for shape in SWEEPS[name]]
    shapes += random_shapes(given.random, seed=given.seed)
    for shape, mode, precision in itertools.product(
        shapes or SHAPES[given.device], given.mode, given.precision
    ):
        yield Case(shape, mode, precision, given.device)


def choose(given: argparse.Namespace) -> list[Competitor]:
    """Return the competitors whose label contains one of the words asked for."""
    return [
        competitor
        for competitor in COMPETITORS
        if given.device in competitor.devices
        and (not given.only or any(word in competitor.label for word in given.only))
        and not (given.eager and competitor.compiled)
    ]


def run(given: argparse.Namespace) -> int:
    """Measure what is missing, case by case; return the number of wrong rows of ours."""
    table = Table(FOLDER / ("speed.csv" if given.verb == "run" else "verify.csv"), KEY)
    limits = ceilings(given)
    for case in tqdm(list(cases(given)), unit="case"):
        entries = [
            (competitor, *variant)
            for competitor in choose(given)
            for variant in variants(competitor, case)
        ]
        blanks = {
            (competitor.label, variant): _row(case, competitor, variant, limits, given)
            for competitor, variant, _ in entries
        }
        if not given.again and all(blank in table for blank in blanks.values()):
            continue
        torch.compiler.reset()
        for key, (status, error, timing) in measure(case, entries, given).items():
            if status == "absent":  # which may be another time
                tqdm.write(f"{key[0]}: {error}")
                continue
            measured = {**blanks[key], "status": status, "error": error, **_figures(timing)}
            if given.memory and timing and timing.seconds and not key[1]:
                measured["peak_mib"] = _peak(key[0], case, given)
            if given.again or measured not in table:
                table.append(measured)
    ours = {c.label for c in COMPETITORS if c.ours}
    latest = {tuple(r[column] for column in KEY): r for r in table.rows}
    return sum(r["status"] == "wrong" and r["competitor"] in ours for r in latest.values())


Outcome = tuple[str, str, Timing | None]


def measure(
    case: Case, entries: list[tuple[Competitor, str, dict[str, Any]]], given: argparse.Namespace
) -> dict[tuple[str, str], Outcome]:
    """Build, verify, warm up and time; whoever cannot run has a status that says why."""
    steps: dict[tuple[str, str], Step] = {}
    timings: dict[tuple[str, str], Timing] = {}
    outcomes: dict[tuple[str, str], Outcome] = {}
    for competitor, variant, options in tqdm(entries, leave=False, desc=str(tuple(case.shape))):
        key = (competitor.label, variant)
        if competitor.bytes_per_edge * case.edges > 0.4 * _free_bytes(case.device):
            outcomes[key] = ("too large", "", None)
            continue
        try:
            step = build(competitor, case, given.competitors, **options)
            timings[key] = warm_up(step)  # first of all, since its first call compiles
            error, allowed = verify.error(step, competitor, case)
        except UnavailableError as reason:
            outcomes[key] = ("absent", str(reason), None)
        except Exception as reason:  # what a foreign layer raises is its result
            if competitor.ours and not isinstance(reason, ImportError):
                raise
            outcomes[key] = ("raises", f"{type(reason).__name__}: {reason}".splitlines()[0], None)
        else:
            status = "ok" if error <= allowed else "wrong"
            outcomes[key] = (status, f"{error:.2g}", timings[key])
            if status == "ok" or not competitor.ours:
                steps[key] = step
    if given.verb == "verify":
        return outcomes
    progress = rounds(steps, timings, given.rounds, given.seconds, CLOCKS[given.clock])
    for _ in tqdm(progress, total=given.rounds, leave=False, desc="rounds"):
        pass
    return outcomes


def ceilings(given: argparse.Namespace) -> dict[str, float]:
    """Return the machine's measured rates, measuring them if they are not in the results."""
    key = ("device", "threads", "clock")
    table = Table(FOLDER / "machine.csv", key)
    place = {**machine.description(given.device, given.threads), "clock": given.clock}
    if place not in table:
        rates = machine.ceilings(given.device, CLOCKS[given.clock])
        written = {name: f"{rates[name]:.4g}" if name in rates else "" for name in machine.RATES}
        table.append({**place, **written})
    known = next(r for r in table.rows if all(r[name] == str(place[name]) for name in key))
    return {name: float(known[name]) for name in machine.RATES if known[name]}


def _row(
    case: Case,
    competitor: Competitor,
    variant: str,
    limits: dict[str, float],
    given: argparse.Namespace,
) -> dict[str, Any]:
    precision = "bfloat16" if case.precision == "autocast" else case.precision
    rate = limits.get(f"matmul_{precision}", limits["matmul_highest"])  # a CPU has no TF32
    columns = {
        "precision": case.precision,
        "competitor": competitor.label,
        "parameterization": variant,
        "status": "",
        "error": "",
        **dict.fromkeys(MEASURED, ""),
        "dense_limit_ms": round(case.dense_flops / rate * 1e3, 5),
        "memory_limit_ms": round(case.bytes_moved / limits["copy"] * 1e3, 5),
    }
    return row(case.shape, case.mode, case.device, given, **columns)


def _figures(timing: Timing | None) -> dict[str, Any]:
    if timing is None or not timing.seconds:
        return {}
    milliseconds = [round(timing.percentile(percent) * 1e3, 4) for percent in (20, 50, 80)]
    values = (round(timing.warm_up, 2), *milliseconds, len(timing.seconds))
    return dict(zip(MEASURED[:-1], values, strict=True))


def _peak(label: str, case: Case, given: argparse.Namespace) -> str:
    competitor = next(c for c in COMPETITORS if c.label == label)
    if case.device == "cuda" and competitor.framework != "torch":
        return ""  # its allocator takes the device's memory in advance
    try:
        return f"{memory.peak_mib(competitor, case, given.competitors, given.threads):.2f}"
    except RuntimeError as error:
        tqdm.write(f"no peak memory of {error}")
        return ""


def _free_bytes(device: str) -> int:
    return torch.cuda.mem_get_info()[0] if device == "cuda" else psutil.virtual_memory().available
