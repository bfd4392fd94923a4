"""How warm the detector was, in degrees Celsius, whatever scale its header counts in."""

import math
from typing import NamedTuple

from autowisp_xr.headers.doubts import doubt, named
from autowisp_xr.headers.values import Cards, unit_in_comment, with_unit

_ZERO = -273.15
_WARMEST = 100.0
"""No detector that works is warmer, in degrees Celsius."""
_KELVIN = (150.0, 330.0)
"""A number without unit in this range is kelvin: cooled by liquid nitrogen to a warm camera."""
_DOUBTFUL = 60.0
_CODES = (127.0, 128.0)
"""Ends of a byte, by which drivers say that they have no sensor."""
_BELOW_SETTING = 50.0
"""No cooler makes a detector colder by this many degrees than it was told to."""

_TAKEN = "taken for kelvin"
_KELVINS = ("k", "kelvin", "kelvins", "deg k", "degk")
_FAHRENHEITS = ("f", "deg f", "degf", "fahrenheit")


class Temperature(NamedTuple):
    """What a header says of the temperature of its detector."""

    celsius: float
    """NaN where it does not say; the one that was set where what was measured is impossible."""
    doubt: str = ""


def read_temperature(cards: Cards) -> Temperature:
    """Temperature of the detector: measured, else as it was set.

    At or below absolute zero, or above 100 C, there is none: so drivers say that they have no
    sensor.
    """
    setting = cards.number("temperature_set", above=_ZERO)
    if setting == 0 or setting > _WARMEST:
        setting = math.nan  # nothing that was set
    doubted = ""
    for name, value in cards.values("temperature", "temperature_set"):
        celsius, unit = _celsius(value, unit_in_comment(cards.header, name))
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


def _celsius(value: object, commented: str) -> tuple[float, str]:
    """Degrees Celsius of a value, and the unit that it, or its comment, says it is in."""
    number, written = with_unit(value)
    unit = written or commented
    if unit in _FAHRENHEITS:
        return round((number - 32) / 1.8, 6), unit
    if unit in _KELVINS:
        return round(number + _ZERO, 6), unit
    if not written and _KELVIN[0] <= number <= _KELVIN[1]:
        return round(number + _ZERO, 6), _TAKEN
    return number, unit
