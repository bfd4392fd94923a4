"""Gain and read noise of a camera, measured from the night where nobody states them.

What headers and users state is held against the night's own flats and biases, too: a driver that
gives the gain of 12 bits for values that it shifted to 16, a read noise of 0, or the camera file of
another gain setting would make every uncertainty wrong in silence.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr import measure, schema
from autowisp_xr.camera import Camera
from autowisp_xr.camera.amplifiers import Amplifier
from autowisp_xr.errors import AutowispError, AutowispWarning, CalibrationError
from autowisp_xr.first_names import first_of
from autowisp_xr.frames import FileRecord
from autowisp_xr.night import camera_words
from autowisp_xr.night.camera_words import UNITS
from autowisp_xr.night.checks_of_raw import Seen, look, opened
from autowisp_xr.night.frame_sets import FrameSet, records_of, unlit_of, unlit_words
from autowisp_xr.night.sentences import DOUBT, plain, sentence
from autowisp_xr.option_words import in_options

_ASKED = {"gain": 0.2, "read_noise": 0.3}
"""Relative difference between what headers state and what is measured: nominal values are that far
off, and flats that are not quite alike, or a few pairs, show no more."""

_REPEATED = 0.01
"""Relative difference between what a user and headers state that is one of digits."""

_OPTIONS = {"gain": "--gain", "read_noise": "--read-noise"}

_SURE = 3.0
"""Uncertainties of what was measured that it is off at least, as well."""

_PAIRS = 8
_TILE = 32
"""Pairs of flats and of biases, and pixels a side of their tiles; one pair in smaller ones shows
whether what headers state may be, in a quarter of the time."""

_LISTED = 4
"""Amplifiers that are named in a doubt."""


class KnownCamera(NamedTuple):
    """The camera of one setup as it is known after measuring."""

    camera: Camera | None
    notes: tuple[str, ...] = ()
    """What was measured, or why it could not be, and what is in doubt, a line each."""
    found: tuple[str, ...] = ()
    """Those of them that state what is new in the camera."""
    errors: Mapping[str, Any] = {}
    """Uncertainties of gain and read noise by channel, or amplifier, where they were measured."""
    curve: xr.Dataset | None = None
    """The photon transfer curve, where one was measured of the camera as a whole."""
    library: str = ""
    """What is that of its model, not its own; "" where nothing is."""


def know_camera(
    sets: Sequence[FrameSet], camera: Camera | None, *, checks: bool = True
) -> KnownCamera:
    """Complete and check what is known of a camera by frames of the night.

    Parameters
    ----------
    sets
        All frames of one setup.
    camera
        What the user states; this is never overruled, and doubted where two flats and two biases
        show something else. What headers state of the gain is overruled there, where the read noise
        has to be measured, since both come from the same frames then, and where headers contradict
        each other.
    checks
        Whether frames are looked at where all is known.
    """
    seen, records = look(sets, camera) if checks else Seen(), records_of(sets)
    saturating, line = seen.saturation(camera, records)
    known = _measured(sets, saturating, seen, checks)
    lines = (line,) if line else ()
    summed_up = camera_words.describe(records, known.camera, seen.unseen)
    notes = (*known.notes, *lines, *seen.notes, *filter(None, [summed_up]))
    found = known.found if saturating is camera else known.found + lines
    return known._replace(notes=notes, found=found)


def _measured(
    sets: Sequence[FrameSet], camera: Camera | None, seen: Seen, checks: bool
) -> KnownCamera:
    """Complete gain and read noise, and check them if so wanted."""
    given = camera or Camera()
    asked = [name for name in _ASKED if getattr(given, name) is None]
    records, flats = records_of(sets), records_of(sets, "flat")
    of_user = _decided_by_user(given, records) if checks else {}
    if given.amplifiers or not (asked or of_user):
        return KnownCamera(camera)
    unlit = unlit_of(sets)
    biases = unlit.records if unlit else ()
    stated = {name: camera_words.stated_by(records, name) for name in asked}
    unknown = [name for name, values in stated.items() if len(values) != 1]
    disagree = [camera_words.disagreement(name, stated[name]) for name in unknown if stated[name]]
    numbers: dict[str, Any] = {"flats": len(flats), "unlit": unlit_words(unlit) if unlit else ""}
    by_headers = camera_words.resolved(records, camera)
    amplified = by_headers if by_headers and by_headers.amplifiers else None
    if amplified:
        unknown, disagree = amplified.unknown_noise, []
    too_few = min(len(flats), len(biases)) < 2
    if not (checks or unknown) or (not asked and (amplified or too_few)):
        return KnownCamera(camera)
    try:
        if too_few:
            gains = [given.gain] if given.gain is not None else list(stated["gain"])
            alone = amplified is None and unknown == ["read_noise"] and len(biases) > 1
            if alone and isinstance(gains[0], float):
                return _of_biases(opened(biases, given), given, gains[0], numbers["unlit"])
            raise CalibrationError(sentence("too_few", flats=len(flats), biases=len(biases)))
        lit, dark = (opened(of, camera) for of in (flats, biases))
        if amplified:
            parts, lines, errors = _of_amplifiers(lit, dark, amplified, asked, numbers)
            found = replace(given, amplifiers=parts) if lines else camera
            return KnownCamera(found, lines, lines, errors)
        one_value = {name: None if name in unknown else next(iter(stated[name])) for name in asked}
        measured, wrong, remarks = _held_against(lit, dark, one_value | of_user)
    except (AutowispError, OSError, ValueError) as error:
        open_ones = [name for name in unknown if not stated[name]]
        of_model = _of_model(records, given, open_ones, unlit) if not amplified else None
        if of_model is not None:
            camera, unknown = of_model.camera, [one for one in unknown if one not in open_ones]
            open_ones = [name for name in open_ones if getattr(camera, name) is None]
            unknown += open_ones
        rest = _unmeasured(records, camera, unknown, disagree, in_options(str(error)))
        if of_model is None:
            return rest
        return of_model._replace(notes=(*of_model.notes, *rest.notes))
    both = {name: _both_sides(measured, name, (one_value | of_user)[name], seen) for name in wrong}
    user_differs = tuple(
        sentence("user_states_otherwise", **both[name]) for name in wrong if name in of_user
    )
    wrong = [name for name in wrong if name in asked]
    if not unknown and not wrong:
        return KnownCamera(camera, user_differs, curve=measured)
    given_channels = replace(given, channels=schema.camera_of(lit).channels)
    of_headers = {name: value for name, value in one_value.items() if value is not None}
    cards = {name: camera_words.card(records, name) for name in of_headers}
    line = [
        sentence("measured", numbers=_numbers(measured), **numbers),
        *disagree,
        *(f"the header states {cards[name]} = {of_headers[name]:g}" for name in of_headers),
        *([] if given.gain is None else [f"the gain {given.gain} that is given is used"]),
        *remarks,
    ]
    doubts = [sentence("measured_otherwise", card=cards[name], **both[name]) for name in wrong]
    news = ("; ".join(line), *doubts)
    uncertain = {name: measured[f"{name}_error"].values for name in _ASKED}
    complete = measure.completed_camera(given_channels, measured)
    return KnownCamera(complete, (*news, *user_differs), news, uncertain, measured)


def _decided_by_user(given: Camera, records: Sequence[FileRecord]) -> dict[str, float]:
    """Return what a user states of gain and read noise as a whole.

    Who repeats what headers state has decided between these and the frames.
    """
    stated = {name: getattr(given, name) for name in _ASKED}
    return {
        name: float(value)
        for name, value in stated.items()
        if isinstance(value, int | float)
        and not any(
            math.isclose(value, known, rel_tol=_REPEATED)
            for known in camera_words.stated_by(records, name)
        )
    }


def _both_sides(measured: xr.Dataset, name: str, stated: Any, seen: Seen) -> dict[str, Any]:
    """Return what is stated and what was measured of a quantity, and why they may differ."""
    return {
        "name": plain(name),
        "value": stated,
        "option": _OPTIONS[name],
        "measured": float(np.median(measured[name].values)),
        "unit": UNITS[name],
        "cause": sentence("coarse_steps", step=seen.step) if seen.step > 1 else "",
    }


def _of_model(
    records: Sequence[FileRecord],
    camera: Camera,
    names: Sequence[str],
    unlit: FrameSet | None,
) -> KnownCamera | None:
    """Complete a camera by what is known of its model, where all frames are of one and unbinned.

    The read noise is measured in frames without light even so, if there are two.
    """
    of_records = {camera_words.model_of(record) for record in records}
    known = of_records.pop() if len(of_records) == 1 else None
    values: dict[str, Any] = {}
    if known is not None:
        values = {name: value for name, value in known.values.items() if name in names}
    if known is None or not values:
        return None
    gain = values.get("gain", camera.gain)
    measured: KnownCamera | None = None
    if "read_noise" in names and unlit and len(unlit.records) > 1 and isinstance(gain, float):
        with suppress(AutowispError, OSError, ValueError):
            frames = opened(unlit.records, camera)
            measured = _of_biases(frames, camera, gain, unlit_words(unlit))
            values.pop("read_noise", None)
    if measured is not None and not values:
        return measured
    found = measured.camera if measured and measured.camera else camera
    numbers = " and ".join(f"{plain(name)} {n:g} {UNITS[name]}" for name, n in values.items())
    line = sentence("of_model", numbers=numbers, model=known.model, source=known.source)
    notes = (line.removeprefix(DOUBT), *(measured.notes if measured else ()))
    return KnownCamera(replace(found, **values), notes, library=line)


def _of_biases(biases: xr.Dataset, camera: Camera, gain: float, words: str) -> KnownCamera:
    """Measure the read noise by biases alone, where the gain is known and there are no flats."""
    found = measure.read_noise(biases)
    electrons = (found["read_noise_adu"].values * gain).tolist()
    errors = {"read_noise": found["read_noise_adu_error"].values * gain}
    channels = schema.camera_of(biases).channels
    read_noise = dict(zip(channels, electrons, strict=True)) if channels else electrons[0]
    numbers = ", ".join(f"{number:.2f}" for number in electrons)
    note = sentence("measured_of_biases", unlit=words, numbers=numbers, gain=gain)
    known = replace(camera, channels=channels, read_noise=read_noise)
    return KnownCamera(known, (note,), (note,), errors)


def _unmeasured(
    records: Sequence[FileRecord],
    camera: Camera | None,
    unknown: Sequence[str],
    disagree: Sequence[str],
    reason: str,
) -> KnownCamera:
    """Report why nothing could be measured; nothing where nothing had to be."""
    if not unknown:
        return KnownCamera(camera)
    options = " and ".join(_OPTIONS[name] for name in unknown)
    # each set is then calibrated by what its own headers state
    notes = [sentence("headers_disagree", line=line, options=options) for line in disagree]
    if len(disagree) < len(unknown):
        names, hint = " and ".join(map(plain, unknown)), camera_words.setting_hint(records, unknown)
        values = {"names": names, "reason": reason, "options": options, "hint": hint}
        notes.insert(0, sentence("not_measured", **values))
    return KnownCamera(camera, tuple(notes))


def _numbers(measured: xr.Dataset) -> str:
    """Describe what was measured of each channel."""
    parts = []
    names = ("gain", "gain_error", "read_noise", "read_noise_error", "read_noise_adu")
    for number, channel in enumerate(schema.names(measured, "channel")):
        of = {name: float(measured[name].values[number]) for name in names}
        prefix = "" if measured.sizes["channel"] == 1 else f"{channel}: "
        parts.append(sentence("measured_channel", channel=prefix, **of))
    return "; ".join(parts)


def _held_against(
    flats: xr.Dataset,
    biases: xr.Dataset,
    stated: Mapping[str, float | None],
    camera: Camera | None = None,
) -> tuple[xr.Dataset, list[str], list[str]]:
    """Measure gain and read noise of a camera, and find which of them headers state otherwise.

    Parameters
    ----------
    flats, biases
        Raw frames.
    stated
        What headers state of each; None where they state nothing.
    camera
        As for :func:`autowisp_xr.measure.gain_and_read_noise`.

    Returns
    -------
    What was measured, as that function gives it; the names of what headers state otherwise; remarks
    on the measurement, a line each.
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
    return found, wrong, [str(warning.message) for warning in caught]


def _is_off(name: str, value: float | None, found: xr.Dataset) -> bool:
    """Whether a number of headers is another than what was measured."""
    measured, error = (np.median(found[of].values) for of in (name, f"{name}_error"))
    allowed = max(_ASKED[name] * measured, _SURE * error)
    return value is not None and bool(abs(value - measured) > allowed)


def _of_amplifiers(
    flats: xr.Dataset,
    biases: xr.Dataset,
    camera: Camera,
    asked: Sequence[str],
    numbers: Mapping[str, Any],
) -> tuple[tuple[Amplifier, ...], tuple[str, ...], dict[str, list[float]]]:
    """Measure each amplifier, where headers state nothing of it, or something else.

    Parameters
    ----------
    flats, biases
        Raw frames.
    camera
        With amplifiers, as all headers state it.
    asked
        Which of "gain" and "read_noise" headers may state.
    numbers
        Of the frames, for the line.

    Returns
    -------
    The amplifiers, what was measured and what is in doubt, a line each, and the uncertainties of
    each quantity; no line where all is as the headers state.

    Raises
    ------
    AutowispError
        Where an amplifier cannot be measured.
    """
    amplifiers = []
    measured: list[str] = []
    off: dict[str, list[str]] = {}
    errors: dict[str, list[float]] = {name: [] for name in _ASKED}
    for number, amplifier in enumerate(camera.amplifiers):
        part = camera.of_amplifier(number)
        stated = {name: getattr(part, name) for name in asked}
        # that few pixels measure it badly is no news of a part of a frame
        result, wrong, _ = _held_against(flats, biases, stated, part)
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
        for name, of_amplifiers in errors.items():
            of_amplifiers.append(float(result[f"{name}_error"].values.max()))
    notes = []
    if measured:
        notes.append(sentence("measured", numbers="; ".join(measured), **numbers))
    for name, lines in off.items():
        values = {"name": plain(name), "number": len(lines), "of": len(amplifiers)}
        values |= {"lines": first_of(lines, _LISTED, joined="; "), "unit": UNITS[name]}
        notes.append(sentence("amplifiers_otherwise", **values))
    return tuple(amplifiers), tuple(notes), errors
