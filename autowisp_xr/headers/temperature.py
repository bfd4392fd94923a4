"""The temperature of the detector in degrees Celsius, whatever scale its header counts in."""

import math
from typing import NamedTuple

from autowisp_xr.headers.sentences import doubt, named
from autowisp_xr.headers.values import (
    COMMON_UNITS,
    FAHRENHEITS,
    KELVINS,
    Cards,
    unit_in_comment,
    with_unit,
)

_ZERO = -273.15
_WARMEST = 100.0
"""Degrees Celsius that no working detector exceeds."""
_KELVIN = (150.0, 330.0)
"""The range in which a number without unit is kelvin, from liquid nitrogen to a warm camera."""
_DOUBTFUL = 60.0
_CODES = (127.0, 128.0)
"""Ends of a byte, which drivers write that have no sensor."""
_BELOW_SETTING = 50.0
"""Degrees by which no cooler makes a detector colder than it was set to."""

_TAKEN = "taken for kelvin"


class Temperature(NamedTuple):
    """The temperature of a detector, as its header gives it."""

    celsius: float
    """NaN where it is unknown; the one that was set where the measured one is impossible."""
    doubt: str = ""


def read_temperature(cards: Cards) -> Temperature:
    """Return the temperature of the detector: the measured one, else the one that was set.

    At or below absolute zero, or above 100 C, there is none: drivers write that for no sensor.
    """
    setting = cards.number("temperature_set", above=_ZERO)
    if setting == 0 or setting > _WARMEST:
        setting = math.nan  # nothing that was set
    doubted = ""
    for name, value in cards.values("temperature", "temperature_set"):
        celsius, unit = in_celsius(value, unit_in_comment(cards.header, name))
        card = named(name, value)
        measured = name not in cards.names("temperature_set")
        if measured and _ZERO < celsius < setting - _BELOW_SETTING and unit != _TAKEN:
            doubted = doubt("too_cold", card=card, setting=setting)
        elif _ZERO < celsius <= _WARMEST:
            if unit == _TAKEN:
                return Temperature(celsius)
            if not unit and celsius > _DOUBTFUL:
                doubted = doubt("hot", card=card, name=name)
            return Temperature(celsius, doubted)
        elif not unit and _WARMEST < celsius < _KELVIN[0] and celsius not in _CODES:
            doubted = doubt("too_hot", card=card, name=name)
    return Temperature(math.nan, doubted)


def in_celsius(value: object, commented: str) -> tuple[float, str]:
    """Return the degrees Celsius of a value, and the unit that it, or its comment, names.

    They are NaN where the value has another unit behind it.
    """
    number, written = with_unit(value)
    unit = written or commented
    if unit in FAHRENHEITS:
        return round((number - 32) / 1.8, 6), unit
    if unit in KELVINS:
        return round(number + _ZERO, 6), unit
    if not written and _KELVIN[0] <= number <= _KELVIN[1]:
        return round(number + _ZERO, 6), _TAKEN
    return (number if written in COMMON_UNITS else math.nan), unit
