"""Arguments of a layer that are taken and should not be, or are refused and should not be."""

# ruff: noqa: D101 - the name of a class says what it does

from __future__ import annotations

from typing import Any

import numpy as np

from .base import Fault
from .plain import Plain

BAD = "errors::TestMessages::test_bad_arguments"
GOOD = "errors::TestMessages::test_good_arguments"


class _Converts(Plain):
    """Converts a kind of value of one argument, and leaves what it cannot convert."""

    argument: str = "in_features"
    kinds: tuple[type, ...] = (bool,)

    def convert(self, value: Any) -> Any:
        return int(value)

    def layer(self, **arguments: Any) -> object:
        value = arguments.get(self.argument, "")
        if isinstance(value, self.kinds):
            try:
                arguments[self.argument] = self.convert(value)
            except (TypeError, ValueError, OverflowError):
                arguments[self.argument] = value
        return super().layer(**arguments)


class TakesTrueForOneInput(_Converts, Fault):
    caught_by = BAD


class TakesTrueForOneOutput(_Converts, Fault):
    caught_by = BAD
    argument = "out_features"


class TakesTrueForAWidth(_Converts, Fault):
    caught_by = BAD
    argument = "spline_width"


class TakesANumberOfInputsInQuotes(_Converts, Fault):
    caught_by = BAD
    kinds = (str, bytes)


class TakesAWidthInQuotes(TakesANumberOfInputsInQuotes):
    caught_by = BAD
    argument = "spline_width"

    def convert(self, value: Any) -> Any:
        return float(value)


class TakesAWholeFloatForACount(_Converts, Fault):
    caught_by = BAD
    argument = "num_control_points"
    kinds = (float,)


class TakesAnArrayForAWidth(_Converts, Fault):
    caught_by = BAD
    argument = "spline_width"
    kinds = (np.ndarray,)

    def convert(self, value: Any) -> Any:
        return float(value.item())


class TakesAnArrayForACount(_Converts, Fault):
    caught_by = BAD
    argument = "out_features"
    kinds = (np.ndarray, list)

    def convert(self, value: Any) -> Any:
        return int(np.asarray(value).item())


class TakesAnyInfinityForTheDefaultWidth(_Converts, Fault):
    caught_by = BAD
    argument = "spline_width"
    kinds = (float,)

    def convert(self, value: Any) -> Any:
        return 4.0 if value == -np.inf else value


class TakesNamesInCapitals(_Converts, Fault):
    caught_by = BAD
    argument = "parameterization"
    kinds = (str,)

    def convert(self, value: Any) -> Any:
        return value.lower()


class TakesNoneForTheDefaultWidth(Fault):
    caught_by = BAD
    argument: str = "spline_width"

    def layer(self, **arguments: Any) -> object:
        if arguments.get(self.argument, "") is None:
            del arguments[self.argument]
        return super().layer(**arguments)


class TakesNoneForTheDefaultCount(TakesNoneForTheDefaultWidth):
    caught_by = BAD
    argument = "num_control_points"


class TakesNoneForTheDefaultInit(TakesNoneForTheDefaultWidth):
    caught_by = BAD
    argument = "init"


class RefusesIntegersOfNumPy(_Converts, Fault):
    caught_by = GOOD
    kinds = (np.integer,)
    raises = TypeError

    def convert(self, value: Any) -> Any:
        return float(value)


class RefusesWidthsOfNumPy(_Converts, Fault):
    caught_by = GOOD
    argument = "spline_width"
    kinds = (np.floating,)
    raises = TypeError

    def convert(self, value: Any) -> Any:
        return str(value)


class AcceptsASingleControlPoint(Fault):
    caught_by = "errors::TestMessages::test_bad_arguments"

    def layer(self, **arguments: Any) -> object:
        if arguments.get("num_control_points") == 1:
            arguments["num_control_points"] = 2
        return super().layer(**arguments)


class RefusesWithoutSayingWhatToDo(Fault):
    caught_by = "errors::TestMessages::test_bad_arguments"

    def layer(self, **arguments: Any) -> object:
        try:
            return super().layer(**arguments)
        except ValueError as error:
            raise ValueError(str(error).partition(". ")[0]) from error


class CallsAWrongTypeAWrongValue(Fault):
    caught_by = "errors::TestMessages::test_bad_arguments"

    def layer(self, **arguments: Any) -> object:
        try:
            return super().layer(**arguments)
        except TypeError as error:
            raise ValueError(str(error)) from error


class RefusesAnIntegerWidth(Fault):
    caught_by = "errors::TestMessages::test_good_arguments"
    raises = TypeError

    def layer(self, **arguments: Any) -> object:
        if not isinstance(arguments.get("spline_width", 4.0), float):
            raise TypeError("spline_width must be a float")
        return super().layer(**arguments)


class TakesNegativeSmoothing(_Converts, Fault):
    caught_by = "errors::TestMessages::test_bad_options"
    argument = "smoothing"
    kinds = (float,)

    def convert(self, value: Any) -> Any:
        return abs(value)


class CutsDegreesToWholeNumbers(_Converts, Fault):
    caught_by = "errors::TestMessages::test_bad_options"
    argument = "degree"
    kinds = (float,)


class TakesTheSignOfANumberForAShape(_Converts, Fault):
    caught_by = "errors::TestMessages::test_bad_shapes"
    argument = "monotone"
    kinds = (tuple,)

    def convert(self, value: Any) -> Any:
        return tuple(int(np.sign(sign)) for sign in value)


class RepeatsTheShapesOfTooFewFeatures(TakesTheSignOfANumberForAShape):
    caught_by = "errors::TestMessages::test_bad_shapes"

    def convert(self, value: Any) -> Any:
        return (value * 2)[:2]


class TakesOneShapeForAllFeatures(_Converts, Fault):
    caught_by = "errors::TestMessages::test_bad_shapes"
    argument = "convex"
    kinds = (int,)

    def convert(self, value: Any) -> Any:
        return (value, value)
