"""Gain and read noise that flats and biases of a night show, held against what headers say."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr import measure
from autowisp_xr.amplifiers import Amplifier
from autowisp_xr.camera import Camera
from autowisp_xr.errors import AutowispWarning
from autowisp_xr.night.camera_words import UNITS, plain
from autowisp_xr.night.sentences import sentence

ASKED = {"gain": 0.2, "read_noise": 0.3}
"""Relative difference between what headers say and what is measured: nominal values are that far
off, and flats that are not quite alike, or a few pairs, tell no more."""

_SURE = 3.0
"""Errors of what was measured that it is off at least, as well."""

_PAIRS = 8
_TILE = 32
"""Pairs of flats and of biases, and pixels a side of their tiles; one pair in smaller ones tells
whether what headers say may be, in a quarter of the time."""


_LISTED = 4
"""Amplifiers that are named in a doubt."""


class Held(NamedTuple):
    """What was measured, and how it compares."""

    measured: xr.Dataset
    """As :func:`autowisp_xr.measure.gain_and_read_noise` gives it."""
    wrong: list[str]
    """What headers say otherwise."""
    remarks: list[str]
    """On the measurement, a line each."""


def held_against(
    flats: xr.Dataset,
    biases: xr.Dataset,
    stated: Mapping[str, float | None],
    camera: Camera | None = None,
) -> Held:
    """Gain and read noise of a camera, and which of them headers say otherwise.

    Parameters
    ----------
    flats, biases
        Raw frames.
    stated
        What headers say of each; None where they say nothing.
    camera
        As for :func:`autowisp_xr.measure.gain_and_read_noise`.
    """
    all_stated = None not in stated.values()
    for pairs, tile in ((1, _TILE // 2), (_PAIRS, _TILE))[0 if all_stated else 1 :]:
        recording = warnings.catch_warnings(record=True, action="always", category=AutowispWarning)
        with recording as caught:
            found = measure.gain_and_read_noise(
                flats, biases, camera=camera, max_pairs=pairs, tile=tile
            )
        wrong = [name for name, value in stated.items() if _is_off(name, value, found)]
        if not wrong:
            break
    return Held(found, wrong, [str(warning.message) for warning in caught])


def _is_off(name: str, value: float | None, found: xr.Dataset) -> bool:
    """Whether a number of headers is another than what was measured."""
    measured, error = (np.median(found[of].values) for of in (name, f"{name}_error"))
    allowed = max(ASKED[name] * measured, _SURE * error)
    return value is not None and bool(abs(value - measured) > allowed)


def held_amplifiers(
    flats: xr.Dataset, biases: xr.Dataset, camera: Camera, asked: Sequence[str]
) -> tuple[tuple[Amplifier, ...], tuple[str, ...]]:
    """Amplifiers with what flats and biases tell where headers say nothing, or something else.

    Parameters
    ----------
    flats, biases
        Raw frames.
    camera
        With amplifiers, as all headers say it.
    asked
        Which of "gain" and "read_noise" headers may say.

    Returns
    -------
    The amplifiers, and what was measured and what is in doubt, a line each; no line where all is
    as the headers say.

    Raises
    ------
    AutowispError
        Where an amplifier cannot be measured.
    """
    amplifiers = []
    measured: list[str] = []
    off: dict[str, list[str]] = {}
    for number, amplifier in enumerate(camera.amplifiers):
        part = camera.of_amplifier(number)
        stated = {name: getattr(part, name) for name in asked}
        # that few pixels tell it badly is no news of a part of a frame
        result, wrong, _ = held_against(flats, biases, stated, part)
        unknown = [name for name, value in stated.items() if value is None]
        open_ones: dict[str, Any] = dict.fromkeys((*wrong, *unknown))
        known = measure.completed_camera(replace(part, **open_ones), result)
        own = {name: getattr(known, name) for name in open_ones}
        for name in wrong:
            line = f"{amplifier}: {stated[name]:g}, measured {own[name]:.3g}"
            off.setdefault(name, []).append(line)
        if unknown:
            own_numbers = (f"{plain(name)} {own[name]:.3f} {UNITS[name]}" for name in unknown)
            measured.append(f"{amplifier}: {', '.join(own_numbers)}")
        amplifiers.append(replace(amplifier, **own))
    notes = []
    if measured:
        numbers = {"flats": flats.sizes["frame"], "biases": biases.sizes["frame"]}
        notes.append(sentence("measured", numbers="; ".join(measured), **numbers))
    for name, lines in off.items():
        notes.append(
            sentence(
                "amplifiers_otherwise",
                name=plain(name),
                number=len(lines),
                of=len(amplifiers),
                lines="; ".join(lines[:_LISTED]),
                more=f" and {len(lines) - _LISTED} more" if len(lines) > _LISTED else "",
                unit=UNITS[name],
            )
        )
    return tuple(amplifiers), tuple(notes)
