"""How warm the detector was, in degrees Celsius, whatever scale its header counts in."""

import math
from typing import NamedTuple

from astropy.io import fits

from autowisp_xr.headers.spellings import Spellings
from autowisp_xr.headers.values import first_number, known_values, unit_in_comment, with_unit

__all__ = ["Temperature", "read_temperature"]

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

_KELVINS = ("k", "kelvin", "kelvins", "deg k", "degk")
_FAHRENHEITS = ("f", "deg f", "degf", "fahrenheit")


class Temperature(NamedTuple):
    """What a header says of the temperature of its detector."""

    celsius: float
    """NaN where it does not say; the one that was set where what was measured is impossible."""
    card: str = ""
    doubt: str = ""


def read_temperature(header: fits.Header, spellings: Spellings) -> Temperature:
    """Temperature of the detector: measured, else as it was set.

    At or below absolute zero, or above 100 C, there is none: so drivers say that they have no
    sensor.
    """
    setting = first_number(header, spellings.temperature_set, above=_ZERO)
    if setting == 0 or setting > _WARMEST:
        setting = math.nan  # nothing that was set
    doubt = ""
    for name, value in known_values(header, (*spellings.temperature, *spellings.temperature_set)):
        number, written = with_unit(value)
        unit = written or unit_in_comment(header, name)
        if unit in _KELVINS:
            celsius = round(number + _ZERO, 6)
        elif unit in _FAHRENHEITS:
            celsius = round((number - 32) / 1.8, 6)
        elif not written and _KELVIN[0] <= number <= _KELVIN[1]:
            return Temperature(round(number + _ZERO, 6), name)
        else:
            celsius = number
        if name not in spellings.temperature_set and _ZERO < celsius < setting - _BELOW_SETTING:
            doubt = (
                f"{name} = {value!r} is much colder than the {setting:g} C that was set, and is "
                "not believed; if it is right, correct the temperature that was set"
            )
            continue
        if _ZERO < celsius <= _WARMEST:
            hot = unit == "" and celsius > _DOUBTFUL
            return Temperature(
                celsius,
                name,
                doubt=(
                    f"{name} = {value!r} is hot for a detector in degrees Celsius; if it is in "
                    f"kelvin, write [K] into the comment of {name}"
                    if hot
                    else doubt
                ),
            )
        elif not unit and _WARMEST < celsius < _KELVIN[0] and celsius not in _CODES:
            doubt = (
                f"{name} = {value!r} is too hot for a detector, and counts as unknown; if it is in "
                f"kelvin, write [K] into the comment of {name}"
            )
    return Temperature(math.nan, doubt=doubt)
