"""Gain and read noise of a camera, measured from the night where nobody says them.

What headers say is held against the night's own flats and biases, too: a driver that gives the
gain of 12 bits for values that it shifted to 16, or a read noise of 0, would make every error wrong
in silence.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr import measure, schema
from autowisp_xr.camera import Camera
from autowisp_xr.errors import AutowispError, CalibrationError, HeaderError
from autowisp_xr.frames import FileRecord
from autowisp_xr.frames.camera_of_files import resolve_camera
from autowisp_xr.night.camera_words import (
    UNITS,
    card,
    describe,
    disagreement,
    plain,
    setting_hint,
    stated_by,
)
from autowisp_xr.night.checks_of_raw import Seen, look, opened
from autowisp_xr.night.frame_sets import FrameSet, records_of
from autowisp_xr.night.sentences import sentence
from autowisp_xr.night.transfer import ASKED, Held, held_against, held_amplifiers

_OPTIONS = {"gain": "--gain", "read_noise": "--read-noise"}


class KnownCamera(NamedTuple):
    """What is known of the camera of one setup, after measuring."""

    camera: Camera | None
    notes: tuple[str, ...] = ()
    """What was measured, or why it could not be, and what is in doubt, a line each."""
    found: tuple[str, ...] = ()
    """Those of them that say what is new in the camera."""


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
    seen, records = look(sets, camera), records_of(sets)
    saturating, line = seen.saturation(camera, records)
    known = _noise(sets, saturating, seen)
    lines = (line,) if line else ()
    summed_up = describe(records, known.camera, seen.unseen)
    return KnownCamera(
        known.camera,
        (*known.notes, *lines, *seen.notes, *filter(None, [summed_up])),
        known.found if saturating is camera else known.found + lines,
    )


def _noise(sets: Sequence[FrameSet], camera: Camera | None, seen: Seen) -> KnownCamera:
    """Complete and check gain and read noise."""
    given = camera or Camera()
    asked = [name for name in ASKED if getattr(given, name) is None]
    if not asked or given.amplifiers:
        return KnownCamera(camera)
    records, flats = records_of(sets), records_of(sets, "flat")
    biases = max((one.records for one in sets if one.traits.kind == "bias"), key=len, default=())
    stated = {name: stated_by(records, name) for name in asked}
    unknown = [name for name, values in stated.items() if len(values) != 1]
    disagree = [disagreement(name, stated[name]) for name in unknown if stated[name]]
    numbers = {"flats": len(flats), "biases": len(biases)}
    amplifiers = _with_amplifiers(records, camera)
    if amplifiers is not None:
        unknown, disagree = amplifiers.unknown_noise, []
    try:
        if min(len(flats), len(biases)) < 2:
            gains = [given.gain] if given.gain is not None else list(stated["gain"])
            alone = amplifiers is None and unknown == ["read_noise"] and len(biases) > 1
            if alone and isinstance(gains[0], float):
                return _of_biases(opened(biases, given), given, gains[0])
            raise CalibrationError(sentence("too_few", **numbers))
        lit, unlit = (opened(of, camera) for of in (flats, biases))
        if amplifiers is not None:
            parts, lines = held_amplifiers(lit, unlit, amplifiers, asked)
            return KnownCamera(replace(given, amplifiers=parts) if lines else camera, lines, lines)
        one_value = {name: None if name in unknown else next(iter(stated[name])) for name in asked}
        held = held_against(lit, unlit, one_value)
    except (AutowispError, OSError, ValueError) as error:
        return _unmeasured(records, camera, unknown, disagree, str(error))
    if not unknown and not held.wrong:
        return KnownCamera(camera)
    known = measure.completed_camera(
        replace(given, channels=schema.camera_of(lit).channels), held.measured
    )
    note = sentence("measured", numbers=_numbers(held.measured), **numbers)
    of_headers = {name: value for name, value in one_value.items() if value is not None}
    remarks = [
        *disagree,
        *(f"the header says {card(records, n)} = {v:g}" for n, v in of_headers.items()),
        *([] if given.gain is None else [f"the gain {given.gain} of the camera file is used"]),
        *held.remarks,
    ]
    doubts = [_doubt(records, name, of_headers[name], held, seen) for name in held.wrong]
    notes = ("; ".join([note, *remarks]), *doubts)
    return KnownCamera(known, notes, notes)


def _with_amplifiers(records: Sequence[FileRecord], camera: Camera | None) -> Camera | None:
    """The camera by all headers, where these know of several amplifiers, and agree."""
    try:
        known = resolve_camera(records, camera, None)
    except HeaderError:
        return None
    return known if known.amplifiers else None


def _of_biases(biases: xr.Dataset, camera: Camera, gain: float) -> KnownCamera:
    """The read noise by biases alone, where the gain is known and there are no flats."""
    electrons = (measure.read_noise(biases)["read_noise_adu"].values * gain).tolist()
    channels = schema.camera_of(biases).channels
    read_noise = dict(zip(channels, electrons, strict=True)) if channels else electrons[0]
    numbers = ", ".join(f"{number:.2f}" for number in electrons)
    number = biases.sizes["frame"]
    note = sentence("measured_of_biases", biases=number, numbers=numbers, gain=gain)
    known = replace(camera, channels=channels, read_noise=read_noise)
    return KnownCamera(known, (note,), (note,))


def _unmeasured(
    records: Sequence[FileRecord],
    camera: Camera | None,
    unknown: Sequence[str],
    disagree: Sequence[str],
    reason: str,
) -> KnownCamera:
    """What is said where nothing could be measured; nothing where nothing had to be."""
    if not unknown:
        return KnownCamera(camera)
    options = " and ".join(_OPTIONS[name] for name in unknown)
    # each set is then calibrated by what its own headers say
    notes = [sentence("headers_disagree", line=line, options=options) for line in disagree]
    if len(disagree) < len(unknown):
        names, hint = " and ".join(map(plain, unknown)), setting_hint(records, unknown)
        values = {"names": names, "reason": reason, "options": options, "hint": hint}
        notes.insert(0, sentence("not_measured", **values))
    return KnownCamera(camera, tuple(notes))


def _numbers(measured: xr.Dataset) -> str:
    """What was measured of each channel."""
    parts = []
    names = ("gain", "gain_error", "read_noise", "read_noise_error", "read_noise_adu")
    for number, channel in enumerate(schema.names(measured, "channel")):
        of = {name: float(measured[name].values[number]) for name in names}
        prefix = "" if measured.sizes["channel"] == 1 else f"{channel}: "
        parts.append(sentence("measured_channel", channel=prefix, **of))
    return "; ".join(parts)


def _doubt(records: Sequence[FileRecord], name: str, value: float, held: Held, seen: Seen) -> str:
    """That headers say something else than was measured."""
    return sentence(
        "measured_otherwise",
        card=card(records, name),
        value=value,
        measured=float(np.median(held.measured[name].values)),
        unit=UNITS[name],
        cause=sentence("coarse_steps", step=seen.step) if seen.step > 1 else "",
        option=_OPTIONS[name],
    )
