"""Gain and read noise of a camera, measured from the night where nobody tells them.

What headers tell is held against the night's own flats and biases, too: a driver that gives the
gain of 12 bits for values that it shifted to 16, or a read noise of 0, would make every error wrong
in silence.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import xarray as xr

from autowisp_xr import measure, schema
from autowisp_xr.camera import Camera
from autowisp_xr.errors import AutowispError, AutowispWarning, HeaderError
from autowisp_xr.frames import FileRecord
from autowisp_xr.frames.resolve import settle_camera
from autowisp_xr.night.amplifiers import held_amplifiers
from autowisp_xr.night.camera_words import UNITS, setting_hint
from autowisp_xr.night.looks import Seen, look, opened, step_in
from autowisp_xr.night.said import card, disagreement, said_by
from autowisp_xr.night.sets import FrameSet

__all__ = ["KnownCamera", "know_camera", "unknown_noise"]

_ALLOWED = {"gain": 0.2, "read_noise": 0.3}
"""Relative difference between what headers say and what is measured: nominal values are that far
off, and flats that are not quite alike, or a few pairs, tell no more."""

_SURE = 3.0
"""Errors of what was measured that it is off at least, as well."""

_PAIRS = 8
_TILE = 32
"""Pairs of flats and of biases, and pixels a side of their tiles; one pair in smaller ones tells
whether what headers say may be, in a quarter of the time."""

_OPTIONS = {"gain": "--gain", "read_noise": "--read-noise"}


@dataclass(frozen=True, kw_only=True)
class KnownCamera:
    """What is known of the camera of one setup, after measuring."""

    camera: Camera | None
    notes: tuple[str, ...] = ()
    """What was measured, or why it could not be, and what is in doubt, a line each."""
    found: tuple[str, ...] = ()
    """Those of them that say what is new in the camera."""
    seen: Seen = field(default_factory=Seen)
    """What a look at some frames showed."""


def unknown_noise(sets: Sequence[FrameSet], camera: Camera | None) -> list[str]:
    """Which of gain and read noise neither the user nor the headers of a setup say."""
    said = settle_camera([record for one in sets for record in one.records], camera, None)
    return said.unknown_noise


def know_camera(sets: Sequence[FrameSet], camera: Camera | None) -> KnownCamera:
    """Complete and check what is known of a camera by frames of the night.

    Parameters
    ----------
    sets
        All frames of one setup.
    camera
        What the user says; this is never overruled. What headers say of the gain is where the read
        noise has to be measured, since both come from the same frames then; where headers
        contradict each other; and where two flats and two biases say something else.
    """
    seen = look(sets, camera)
    camera, lines, new = seen.saturation(camera, [r for one in sets for r in one.records])
    known = _noise(sets, camera, seen)
    return KnownCamera(
        camera=known.camera,
        notes=(*known.notes, *lines, *seen.notes),
        found=known.found + tuple(lines if new else ()),
        seen=seen,
    )


def _noise(sets: Sequence[FrameSet], camera: Camera | None, seen: Seen) -> KnownCamera:
    given = camera or Camera()
    asked = [name for name in _ALLOWED if getattr(given, name) is None]
    records = [record for one in sets for record in one.records]
    if not asked or given.amplifiers:
        return KnownCamera(camera=camera)
    said = {name: said_by(records, name) for name in asked}
    unknown = [name for name, values in said.items() if len(values) != 1]
    flats = [record for one in sets if one.traits.kind == "flat" for record in one.records]
    biases = max((one.records for one in sets if one.traits.kind == "bias"), key=len, default=())
    several = _amplifiers_of(records, camera)
    if several is not None:
        return _noise_of_amplifiers(sets, camera, several, flats, biases)
    disagree = [disagreement(name, said[name]) for name in unknown if said[name]]
    if min(len(flats), len(biases)) < 2:
        gains = [given.gain] if given.gain is not None else list(said["gain"])
        if unknown == ["read_noise"] and len(biases) > 1 and isinstance(gains[0], float):
            return _of_biases(sets, biases, given, gains[0])
        reason = f"that takes two flats and two biases, there are {len(flats)} and {len(biases)}"
        return _unmeasured(sets, camera, unknown, disagree, reason)
    try:
        result, caught = _measured(flats, biases, camera, _PAIRS if unknown else 1)
        off = _differences(said, result, given)
        if off and not unknown:
            result, caught = _measured(flats, biases, camera, _PAIRS)
            off = _differences(said, result, given)
    except (AutowispError, OSError, ValueError) as error:
        return _unmeasured(sets, camera, unknown, disagree, str(error))
    if not unknown and not off:
        return KnownCamera(camera=camera)
    channels = schema.camera_of(opened(flats[:1], camera)).channels
    known = measure.completed_camera(replace(given, channels=channels), result)
    note = f"measured from {len(flats)} flats and {len(biases)} biases: {_numbers(result)}"
    note += "".join(f"; {line}" for line in disagree)
    note += "".join(
        f"; the header says {card(records, name)} = {value:g}"
        for name, values in said.items()
        for value in values
        if len(values) == 1
    )
    if given.gain is not None:
        note += f"; the gain {given.gain} of the camera file is used"
    note += "".join(f"; {text}" for text in caught)
    doubts = [_doubt(records, name, value, result, known, seen) for name, value in off.items()]
    return KnownCamera(camera=known, notes=(note, *doubts), found=(note, *doubts))


def _amplifiers_of(records: Sequence[FileRecord], camera: Camera | None) -> Camera | None:
    """The camera by all headers, where these know of several amplifiers, and agree."""
    try:
        settled = settle_camera(records, camera, None)
    except HeaderError:
        return None
    return settled if settled.amplifiers else None


def _noise_of_amplifiers(
    sets: Sequence[FrameSet],
    camera: Camera | None,
    settled: Camera,
    flats: Sequence[FileRecord],
    biases: Sequence[FileRecord],
) -> KnownCamera:
    unknown = settled.unknown_noise
    if min(len(flats), len(biases)) < 2:
        reason = f"that takes two flats and two biases, there are {len(flats)} and {len(biases)}"
        return _unmeasured(sets, camera, unknown, [], reason)
    given = camera or Camera()
    try:
        amplifiers, notes = held_amplifiers(
            opened(flats, camera),
            opened(biases, camera),
            settled,
            [name for name in _ALLOWED if getattr(given, name) is None],
            is_off=_is_off,
            pairs=(_PAIRS,) if unknown else (1, _PAIRS),
        )
    except (AutowispError, OSError, ValueError) as error:
        return _unmeasured(sets, camera, unknown, [], str(error))
    if not notes:
        return KnownCamera(camera=camera)
    return KnownCamera(camera=replace(given, amplifiers=amplifiers), notes=notes, found=notes)


def _of_biases(
    sets: Sequence[FrameSet], biases: Sequence[FileRecord], camera: Camera, gain: float
) -> KnownCamera:
    """The read noise by biases alone, where the gain is known and there are no flats."""
    try:
        frames = opened(biases, camera)
        result = measure.read_noise(frames)
    except (AutowispError, OSError, ValueError) as error:
        return _unmeasured(sets, camera, ["read_noise"], [], str(error))
    electrons = (result["read_noise_adu"].values * gain).tolist()
    channels = schema.camera_of(frames).channels
    known = replace(
        camera,
        channels=channels,
        read_noise=dict(zip(channels, electrons, strict=True)) if channels else electrons[0],
    )
    numbers = ", ".join(f"{number:.2f}" for number in electrons)
    note = (
        f"measured from {len(biases)} biases: read noise {numbers} e, by the gain of {gain:g} "
        "e/ADU that is said, which no flats are there to hold against"
    )
    return KnownCamera(camera=known, notes=(note,), found=(note,))


def _unmeasured(
    sets: Sequence[FrameSet],
    camera: Camera | None,
    unknown: Sequence[str],
    disagree: Sequence[str],
    reason: str,
) -> KnownCamera:
    """What is said where nothing could be measured; nothing where nothing had to be."""
    if not unknown:
        return KnownCamera(camera=camera)
    what = " and ".join(name.replace("_", " ") for name in unknown)
    options = " and ".join(_OPTIONS[name] for name in unknown)
    # each set is then calibrated by what its own headers say
    notes = [
        f"DOUBT: {line}; each set is calibrated by its own, {options} says it for all"
        for line in disagree
    ]
    if len(disagree) < len(unknown):
        notes.insert(
            0,
            f"{what} of the camera not known, and could not be measured: {reason}; the errors of "
            f"calibrated frames are not known (give {options}, "
            "or the camera.toml of another night as --camera)" + setting_hint(sets, unknown),
        )
    return KnownCamera(camera=camera, notes=tuple(notes))


def _measured(
    flats: Sequence[FileRecord],
    biases: Sequence[FileRecord],
    camera: Camera | None,
    pairs: int,
) -> tuple[xr.Dataset, list[str]]:
    """Gain and read noise of the night, and what was remarked about them."""
    frames = [opened(records, camera) for records in (flats, biases)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AutowispWarning)
        result = measure.gain_and_read_noise(
            *frames, max_pairs=pairs, tile=_TILE if pairs > 1 else _TILE // 2
        )
    return result, [str(warning.message) for warning in caught]


def _numbers(result: xr.Dataset) -> str:
    parts = []
    for i, channel in enumerate(schema.names(result, "channel")):
        numbers = {
            name: float(result[name].values[i])
            for name in result.data_vars
            if result[name].dims == ("channel",)
        }
        parts.append(
            ("" if result.sizes["channel"] == 1 else f"{channel}: ")
            + f"gain {numbers['gain']:.3f} +- {numbers['gain_error']:.3f} e/ADU, read noise "
            f"{numbers['read_noise']:.2f} +- {numbers['read_noise_error']:.2f} e "
            f"({numbers['read_noise_adu']:.2f} ADU)"
        )
    return "; ".join(parts)


def _differences(
    said: Mapping[str, Mapping[float, Sequence[str]]], result: xr.Dataset, given: Camera
) -> dict[str, float]:
    """What headers say that is not what was measured, each with the value that they say."""
    off = {}
    for name, values in said.items():
        if len(values) == 1 and _is_off(name, next(iter(values)), result):
            (off[name],) = values
    return off


def _is_off(name: str, value: float, result: xr.Dataset) -> bool:
    """Whether a number of headers is another than what was measured."""
    found = np.median(result[name].values)
    error = np.median(result[f"{name}_error"].values)
    return bool(abs(value - found) > max(_ALLOWED[name] * found, _SURE * error))


def _doubt(
    records: Sequence[FileRecord],
    name: str,
    value: float,
    result: xr.Dataset,
    known: Camera,
    seen: Seen,
) -> str:
    found = float(np.median(result[name].values))
    step = step_in(seen)
    cause = ""
    if step > 1:
        cause = (
            f"; values are multiples of {step}, which the header may not know of: it tells the "
            "electrons of a step of the converter, it seems"
        )
    return (
        f"DOUBT: {card(records, name)} = {value:g} in the headers differs from {found:.3g} "
        f"{UNITS[name]} that the night's own flats and biases tell, which is used{cause}; "
        f"{_OPTIONS[name]} {value:g} keeps what the headers say"
    )
