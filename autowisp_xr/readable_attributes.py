"""What the attributes ``camera`` and ``history`` of a Dataset state, in words.

The attributes themselves are plain text of JSON. Text of a class of its own, with words for
``str()``, would be shown as words by xarray, but netCDF4 writes these words in place of the JSON,
and h5netcdf refuses to write it at all.
"""

from collections.abc import Mapping, Sequence
from typing import Any

UNITS = {"gain": "e/ADU", "read_noise": "e", "saturation": "ADU", "bias_level": "ADU"}
"""The unit of each number that is known of a camera."""

_OF_IMAGES = {"adu": "ADU", "1": "relative", "electron": "electrons"}

_LARGE = 1000.0
_OF_STACK = ("average", "reject")


def unit_in_words(units: str) -> str:
    """Return what people read for the unit of an image."""
    return _OF_IMAGES.get(units, units)


def camera_words(facts: Mapping[str, Any]) -> str:
    """Return what is known of a camera in a line.

    Parameters
    ----------
    facts
        The fields of a :class:`~autowisp_xr.Camera`, plain as JSON has them.

    Examples
    --------
    >>> camera_words({"name": "FLI", "gain": 1.5, "saturation": None, "bias_level": 0.0})
    'FLI: gain 1.5 e/ADU'
    """
    phrases = list(camera_phrases(facts).values()) or ["nothing is known of it"]
    name = facts.get("name")
    return f"{name}: {'; '.join(phrases)}" if name else "; ".join(phrases)


def camera_phrases(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return what is known of a camera, a phrase for each field; but for its name."""
    found = {}
    if facts.get("channels"):
        found["channels"] = f"channels {', '.join(facts['channels'])}"
    for name, unit in UNITS.items():
        if facts.get(name):
            found[name] = f"{name.replace('_', ' ')} {number_words(facts[name])} {unit}"
    if facts.get("linearity"):
        found["linearity"] = "linearity known"
    if facts.get("dark_doubling"):
        found["dark_doubling"] = f"dark current doubles in {facts['dark_doubling']:g} degrees"
    if facts.get("image_area"):
        found["image_area"] = f"image area {_area(facts['image_area'])}"
    if facts.get("overscan"):
        found["overscan"] = f"overscan {' and '.join(map(_area, facts['overscan']))}"
    if facts.get("amplifiers"):
        found["amplifiers"] = f"{len(facts['amplifiers'])} amplifiers"
    if facts.get("crosstalk"):
        found["crosstalk"] = "crosstalk known"
    return found


def history_words(steps: Sequence[Mapping[str, Any]]) -> str:
    """Return the steps of a history in a line.

    Examples
    --------
    >>> history_words([{"verb": "open_fits", "inputs": [{}, {}]}, {"verb": "trim"}])
    'open_fits (2 files), trim'
    """
    return ", ".join(map(step_words, steps))


def step_words(step: Mapping[str, Any]) -> str:
    """Return a step with its masters, and how many files or frames went into it."""
    options = step.get("options", {})
    inside = list(step.get("masters", {}))
    for part, unit in (("inputs", "file"), ("frames", "frame")):
        number = len(step.get(part, ()))
        inside += [f"{number} {unit}{'s' if number > 1 else ''}"] if number else []
    for name in _OF_STACK if step["verb"] == "stack" else ():
        value = options.get(name)
        inside += [str(value.get("type", "")) if isinstance(value, Mapping) else str(value or "")]
    listed = ", ".join(filter(None, inside))
    return f"{step['verb']} ({listed})" if listed else str(step["verb"])


def number_words(value: float | Mapping[str, float]) -> str:
    """Return a number, or one for each channel."""
    if isinstance(value, Mapping):
        return ", ".join(f"{number_words(one)} ({channel})" for channel, one in value.items())
    return f"{value:.4g}" if value < _LARGE else f"{value:g}"


def _area(area: Mapping[str, int]) -> str:
    return "{xmin} < x < {xmax}, {ymin} < y < {ymax}".format_map(area)
