"""What holds of every operation: the same bits, of the right dtype, whatever was called before."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from kanditioned_spec import Backend, Problem
from kanditioned_spec.protocol import CompleteBackend
from kanditioned_spec.rounding import is_rounded, round_to

from ..cases import Arrays, Case, ParameterArrays
from ..tolerance import ConformanceError, Ratios, describe
from .base import global_random_state, needs
from .calls import (
    CONSTRUCTIONS,
    MAP_OPERATIONS,
    ROUNDED_MAPS,
    UNROUNDED,
    Calls,
    bits,
    construction_calls,
    layer_calls,
    map_calls,
)
from .input_maps import OF_TWO

Factors = Mapping[str, tuple[str, ...]]
"""By operation, the arrays that it is linear in."""


def check_layer_determinism(backend: CompleteBackend, case: Case) -> Ratios:
    """Call value and gradients twice and compare the bits."""
    return _same_bits(case.problem, layer_calls(backend, case.problem, case.arrays()))


@needs(any_of=MAP_OPERATIONS)
def check_map_determinism(backend: CompleteBackend, case: Case) -> Ratios:
    """Call T, Tᵀ, its inverse, the penalty, feasible points and an input map twice.

    The bits must be the same. Once for all maps, what begins or changes a layer as well.
    """
    p = case.problem
    calls = map_calls(backend, p, case.parameter_arrays())
    once = construction_calls(backend, case) if p.parameterization == "bspline" else {}
    return _same_bits(p, calls | once)


def check_layer_ownership(backend: CompleteBackend, case: Case) -> Ratios:
    """Check that value and gradients do not write to the arrays they are given."""
    arrays = case.arrays()
    return _compare_untouched(case.problem, arrays, layer_calls(backend, case.problem, arrays))


@needs(any_of=MAP_OPERATIONS)
def check_map_ownership(backend: CompleteBackend, case: Case) -> Ratios:
    """Check the same of T, Tᵀ, its inverse, the penalty, feasible points and an input map."""
    arrays = case.parameter_arrays()
    return _compare_untouched(case.problem, arrays, map_calls(backend, case.problem, arrays))


def check_layer_dtype(backend: CompleteBackend, case: Case) -> Ratios:
    """Check that value and gradients are numbers of the storage dtype."""
    return _compare_rounded(case.problem, layer_calls(backend, case.problem, case.arrays()))


@needs(any_of=(*ROUNDED_MAPS, *CONSTRUCTIONS))
def check_map_dtype(backend: CompleteBackend, case: Case) -> Ratios:
    """Check that control points and parameters are numbers of the storage dtype."""
    p, arrays = case.problem, case.parameter_arrays()
    calls = map_calls(backend, p, arrays) | construction_calls(backend, case)
    return _compare_rounded(
        p, {name: call for name, call in calls.items() if name not in UNROUNDED}
    )


@needs("map_input")
def check_input_map_dtype(backend: CompleteBackend, case: Case) -> Ratios:
    """Check the same of z and of its gradient."""
    p = case.problem
    x = round_to([[-1.7, 0.3], [1.1, 4.9]], p.dtype)
    calls: Calls = {"map_input": lambda: backend.map_input(OF_TWO, x, x, p.dtype)}
    return _compare_rounded(p, calls)


def check_layer_results_are_kept(
    backend: CompleteBackend, case: Case, later: tuple[Case, ...]
) -> Ratios:
    """Check that no later call, of this shape or another, writes to results that were returned.

    Nor do they change when the caller writes to the arrays that they came from.
    """
    p, arrays = case.problem, case.arrays()
    calls = layer_calls(backend, p, arrays)
    again = [replace(case, seed=case.seed + n) for n in (1, 2, 3)]
    others = [other.on(p.dtype, p.device).under(case.extrapolation) for other in later]
    if fixed := backend.info.fixed_problems:
        others = [other.fit_to(fixed) for other in others]
    usable = [other for other in others if backend.supports(other.problem) is True]
    later_calls = [layer_calls(backend, o.problem, o.arrays()) for o in (*again, *usable)]
    return _compare_kept(p, calls, later_calls, arrays)


@needs(any_of=(*MAP_OPERATIONS, *CONSTRUCTIONS))
def check_map_results_are_kept(backend: CompleteBackend, case: Case) -> Ratios:
    """Check the same of maps, initial control points, refinement and widening."""
    p, arrays = case.problem, case.parameter_arrays()
    calls = map_calls(backend, p, arrays) | construction_calls(backend, case)
    later = [replace(case, seed=case.seed + n) for n in (1, 2, 3)]
    return _compare_kept(
        p,
        calls,
        [
            map_calls(backend, p, each.parameter_arrays()) | construction_calls(backend, each)
            for each in later
        ],
        arrays,
    )


def check_layer_remembers_nothing(backend: CompleteBackend, case: Case) -> Ratios:
    """Check that results follow from what is given now, whatever became of what was given before.

    The caller may write to results, and to the arrays of an earlier call before it is repeated;
    even if only to one of them.
    """
    p, arrays = case.problem, case.arrays()
    other = replace(case, seed=case.seed + 1).arrays()
    return _forgets(
        p, arrays, other, lambda given: layer_calls(backend, p, given), _factors(backend)
    )


@needs(any_of=(*MAP_OPERATIONS, *CONSTRUCTIONS))
def check_map_remembers_nothing(backend: CompleteBackend, case: Case) -> Ratios:
    """Check the same of maps, initial control points, refinement and widening."""
    p, arrays = case.problem, case.parameter_arrays()
    other = replace(case, seed=case.seed + 1).parameter_arrays()

    def calls(given: ParameterArrays) -> Calls:
        return map_calls(backend, p, given) | construction_calls(backend, case, given.grad)

    return _forgets(p, arrays, other, calls, {})


def check_declared_accumulation(backend: Backend, case: Case) -> Ratios:
    """Check that positions and sums are declared to be float32 or wider."""
    dtype = case.problem.dtype
    declared = backend.info.accumulation.get(dtype)
    if declared not in (("float64",) if dtype == "float64" else ("float32", "float64")):
        message = f"`info.accumulation[{dtype!r}]` is {declared!r}"
        raise ConformanceError("accumulation", np.inf, message)
    return {}


def _same_bits(p: Problem, calls: Calls) -> Ratios:
    for operation, call in calls.items():
        random.random()  # so that the state is that of no seed
        np.random.random()  # noqa: NPY002
        before = global_random_state()
        same = bits(call()) == bits(call())
        if global_random_state() != before:
            message = f"it touches a random state that is not its own\n{describe(p)}"
            raise ConformanceError(operation, np.inf, message)
        if not same:
            message = f"two calls on the same input differ in bits\n{describe(p)}"
            raise ConformanceError(operation, np.inf, message)
    return {}


def _compare_rounded(p: Problem, calls: Calls) -> Ratios:
    dtype = np.dtype("float32" if p.dtype == "bfloat16" else p.dtype)
    for operation, call in calls.items():
        results = call()
        for result in (each for each in results if isinstance(each, np.ndarray)):
            if result.dtype != dtype:
                message = f"a result of dtype {p.dtype} must be an array of {dtype}"
                got = f"{message}, got {result.dtype}\n{describe(p)}"
                raise ConformanceError(operation, np.inf, got)
        for result in map(np.asarray, results):
            stored = is_rounded(result, p.dtype)
            if not stored.all():
                first = tuple(int(i) for i in np.argwhere(~stored)[0])
                message = (
                    f"a result must be of dtype {p.dtype}, got {result[first]!r} at {list(first)}, "
                    f"which is none of its numbers\n{describe(p)}"
                )
                raise ConformanceError(operation, np.inf, message)
    return {}


def _compare_kept(
    p: Problem, calls: Calls, later: Sequence[Calls], given: Arrays | ParameterArrays
) -> Ratios:
    results = {name: [*map(np.asarray, call())] for name, call in calls.items()}
    copies = {name: bits(found) for name, found in results.items()}
    for array in given:
        array[...] = 0
    _same(p, results, copies, "the caller has written to the arrays that it was given")
    for other in later:
        for call in other.values():
            call()
        _same(p, results, copies, "there was another call")
    return {}


def _factors(backend: Backend) -> Factors:
    """Return what each operation of a layer is linear in, so that a result changes with it."""
    gradients = backend.info.gradients
    vjp = ("control_points", "grad_y") if "x" in gradients else ("grad_y",)
    second = ("control_points", "grad_y", "cotangent_x", "cotangent_control_points")
    return {
        "forward": ("control_points",),
        "vjp": vjp,
        "feature_major": ("control_points", *(("grad_y",) if gradients else ())),
        "vjp_of_layer": ("control_points", "grad_y"),
        "vjp_of_vjp": second,
    }


def _forgets(
    p: Problem, given: Any, other: Any, calls: Callable[[Any], Calls], factors: Factors
) -> Ratios:
    results = {name: [*map(np.asarray, call())] for name, call in calls(given).items()}
    alone = {name: bits(found) for name, found in results.items()}
    for result in (each for found in results.values() for each in found):
        if result.flags.writeable:
            result[...] = np.nan
    for operation, call in calls(given).items():
        before = alone[operation]
        _agree(operation, p, bits(call()), before, "the caller has written to its results")
        for between in calls(other).values():
            between()
        _agree(operation, p, bits(call()), before, "other calls")
        kept = [array.copy() for array in given]
        _write(given, other)
        when = "the caller has written to the arrays that it was given"
        _agree(operation, p, bits(call()), bits(calls(other)[operation]()), when)
        _write(given, kept)
        for name in factors.get(operation, ()):
            _expect_change(operation, p, call, name, getattr(given, name))
    return {}


def _expect_change(
    operation: str, p: Problem, call: Callable[[], Any], name: str, factor: npt.NDArray[Any]
) -> None:
    before = bits(call())
    factor *= 2
    after = bits(call())
    factor /= 2
    if before and after == before:
        message = f"a call repeated with twice the {name} gives the same bits\n{describe(p)}"
        raise ConformanceError(operation, np.inf, message)


def _write(arrays: Any, values: Any) -> None:
    for array, each in zip(arrays, values, strict=True):
        array[...] = each


def _agree(operation: str, p: Problem, got: list[bytes], want: list[bytes], when: str) -> None:
    if got != want:
        message = f"a call repeated after {when} gives other bits than it should\n{describe(p)}"
        raise ConformanceError(operation, np.inf, message)


def _same(
    p: Problem,
    results: dict[str, list[npt.NDArray[Any]]],
    copies: dict[str, list[bytes]],
    when: str,
) -> None:
    for operation, found in results.items():
        if bits(found) != copies[operation]:
            message = f"a result has changed after {when}\n{describe(p)}"
            raise ConformanceError(operation, np.inf, message)


def _compare_untouched(p: Problem, given: Arrays | ParameterArrays, calls: Calls) -> Ratios:
    before = bits(given)
    for operation, call in calls.items():
        call()
        for name, now, held in zip(given._fields, bits(given), before, strict=True):
            if now != held:
                message = f"it has written to {name}\n{describe(p)}"
                raise ConformanceError(operation, np.inf, message)
    return {}
