"""Input maps."""

# ruff: noqa: D101 - the name of a class says what it does

from __future__ import annotations

import numpy as np

from kanditioned_spec import InputMap
from kanditioned_spec.rounding import round_to

from .base import Fault
from .steps import Floats, as_it_lies

VALUES = "input_maps::TestMap::test_values"
COUNTS = "input_maps::TestMap::test_any_number_of_breakpoints"
NON_FINITE = "input_maps::TestMap::test_non_finite"


class MapIsFlatWhereItIsLeastSteep(Fault):
    caught_by = "input_maps::TestMap::test_values"

    def apply_map(self, input_map: InputMap, x: Floats) -> Floats:
        piece, i = input_map.pieces(x), np.arange(input_map.in_features)
        flat = input_map.slopes[i, piece] <= 1.5 * input_map.slopes.min(1)
        return np.where(flat, input_map.images[i, piece], input_map(x))


class MapEndsInConstants(Fault):
    caught_by = "input_maps::TestMap::test_values"

    def apply_map(self, input_map: InputMap, x: Floats) -> Floats:
        return input_map(np.clip(x, input_map.breakpoints[:, 0], input_map.breakpoints[:, -1]))


class SlopeOfThePieceOnTheLeft(Fault):
    caught_by = "input_maps::TestMap::test_slopes"

    def map_slope(self, input_map: InputMap, x: Floats) -> Floats:
        return input_map.slope(np.nextafter(x.astype(np.float64), -np.inf))


class OffsetRoundedToTheDtype(Fault):
    caught_by = "input_maps::TestMap::test_offsets"

    def apply_map(self, input_map: InputMap, x: Floats) -> Floats:
        return input_map(round_to(x, "float32"))


class NanOfTheMapHasASlope(Fault):
    caught_by = "input_maps::TestMap::test_non_finite"

    def map_slope(self, input_map: InputMap, x: Floats) -> Floats:
        return input_map.slope(np.nan_to_num(x))


class OneNaNSpoilsTheOtherFeatures(Fault):
    caught_by = NON_FINITE

    def apply_map(self, input_map: InputMap, x: Floats) -> Floats:
        return np.where(np.isnan(x).any(1, keepdims=True), np.nan, input_map(x))


class OneNaNSpoilsTheOtherSlopes(Fault):
    caught_by = NON_FINITE

    def map_slope(self, input_map: InputMap, x: Floats) -> Floats:
        return np.where(np.isnan(x).any(1, keepdims=True), np.nan, input_map.slope(x))


class WrongForManyBreakpoints(Fault):
    caught_by = COUNTS
    least: int = 65
    most: int = 10**6

    def apply_map(self, input_map: InputMap, x: Floats) -> Floats:
        wrong = self.least <= input_map.breakpoints.shape[1] <= self.most
        return -input_map(x) if wrong else input_map(x)


class WrongForTwoBreakpoints(WrongForManyBreakpoints):
    caught_by = COUNTS
    least, most = 2, 2


class WrongAtInnerBreakpoints(Fault):
    caught_by = VALUES

    def apply_map(self, input_map: InputMap, x: Floats) -> Floats:
        at_one = np.isin(x, round_to(input_map.breakpoints[:, 1:-1], "float32"))
        return input_map(x) + np.where(at_one, 1e-2, 0)


class RefusesToMapNoRows(Fault):
    caught_by = "input_maps::TestMap::test_any_strides"
    raises = ValueError

    def apply_map(self, input_map: InputMap, x: Floats) -> Floats:
        if not len(x):
            raise ValueError("the batch is empty")
        return input_map(x)


class MapsStoredOrder(Fault):
    caught_by = "input_maps::TestMap::test_any_strides"

    def apply_map(self, input_map: InputMap, x: Floats) -> Floats:
        return input_map(as_it_lies(x))


class WritesToTheInputOfAMap(Fault):
    caught_by = "input_maps::TestMap::test_slopes"

    def apply_map(self, input_map: InputMap, x: Floats) -> Floats:
        z = input_map(x)
        x -= x.dtype.type(1)
        return z


class MapsInFloat64WhateverTheDtype(Fault):
    caught_by = "input_maps::TestMap::test_dtype"

    def map_input(
        self, input_map: InputMap, x: Floats, grad_z: Floats, dtype: str
    ) -> tuple[Floats, Floats]:
        return super().map_input(input_map, x, grad_z, "float64")


class GradientOfTheMapIsNotRounded(Fault):
    caught_by = "input_maps::TestMap::test_dtype"
    dtype = "bfloat16"

    def map_input(
        self, input_map: InputMap, x: Floats, grad_z: Floats, dtype: str
    ) -> tuple[Floats, Floats]:
        z, gradient = super().map_input(input_map, x, grad_z, "float32")
        return round_to(z, dtype), gradient
