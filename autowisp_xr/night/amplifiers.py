"""Gain and read noise of several amplifiers, held against the night's own flats and biases."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import xarray as xr

from autowisp_xr import measure
from autowisp_xr.amplifiers import Amplifier
from autowisp_xr.camera import Camera
from autowisp_xr.errors import AutowispWarning
from autowisp_xr.night.camera_words import UNITS

__all__ = ["held_amplifiers"]

_LISTED = 4


def held_amplifiers(
    flats: xr.Dataset,
    biases: xr.Dataset,
    camera: Camera,
    asked: Sequence[str],
    *,
    is_off: Callable[[str, float, xr.Dataset], bool],
    pairs: Sequence[int],
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
    is_off
        Whether a number is another than what was measured.
    pairs
        Of frames that are looked at; the next number only where something seems to be off.

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
        said = {name: getattr(part, name) for name in asked}
        wrong: list[str] = []
        for most in pairs:
            result = _measured(flats, biases, part, most)
            wrong = [
                name
                for name, value in said.items()
                if value is not None and is_off(name, value, result)
            ]
            if not wrong:
                break
        unknown = [name for name, value in said.items() if value is None]
        left: dict[str, Any] = dict.fromkeys((*wrong, *unknown))
        known = measure.completed_camera(replace(part, **left), result)
        own = {name: getattr(known, name) for name in left}
        for name in wrong:
            off.setdefault(name, []).append(
                f"{amplifier}: {said[name]:g}, measured {own[name]:.3g}"
            )
        if unknown:
            numbers = (
                f"{name.replace('_', ' ')} {own[name]:.3f} {UNITS[name]}" for name in unknown
            )
            measured.append(f"{amplifier}: {', '.join(numbers)}")
        amplifiers.append(replace(amplifier, **own))
    notes = []
    if measured:
        frames = f"{flats.sizes['frame']} flats and {biases.sizes['frame']} biases"
        notes.append(f"measured from {frames}: {'; '.join(measured)}")
    for name, lines in off.items():
        more = f" and {len(lines) - _LISTED} more" if len(lines) > _LISTED else ""
        notes.append(
            f"DOUBT: the {name.replace('_', ' ')} of {len(lines)} of {len(amplifiers)} amplifiers "
            f"in the headers differs from what the night's own flats and biases tell, which is "
            f"used: {'; '.join(lines[:_LISTED])}{more} ({UNITS[name]}); amplifiers in a camera "
            "file decide otherwise"
        )
    return tuple(amplifiers), tuple(notes)


def _measured(flats: xr.Dataset, biases: xr.Dataset, camera: Camera, pairs: int) -> xr.Dataset:
    with warnings.catch_warnings():
        # that few pixels tell it badly is no news of a part of a frame
        warnings.simplefilter("ignore", AutowispWarning)
        return measure.gain_and_read_noise(flats, biases, camera=camera, max_pairs=pairs)
