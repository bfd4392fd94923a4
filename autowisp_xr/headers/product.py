"""The true values for the cards of a product, from its coordinates, its camera and its history."""

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from astropy.io import fits

from autowisp_xr import schema
from autowisp_xr.errors import HeaderError
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.bunit import COUNTED
from autowisp_xr.headers.cards import ascii_text, value_of
from autowisp_xr.headers.coordinates import read_coordinates
from autowisp_xr.headers.fate_rules import Values
from autowisp_xr.headers.fates import EFFECTIVE
from autowisp_xr.headers.processing import CORRECTIONS, MOST_LETTERS, STATUS, corrections_in
from autowisp_xr.headers.readout import raw_gain, row_order
from autowisp_xr.headers.recognition import master_reason
from autowisp_xr.headers.sensor_grid import grid_of_plane
from autowisp_xr.headers.times import LONGEST, time_scale, utc_to_scale
from autowisp_xr.headers.values import Cards, to_number
from autowisp_xr.kinds import KINDS
from autowisp_xr.regions import bayer_pattern

_USUAL = KeywordAliases()

_CHANGES_VALUES = {
    *("calibrate", "subtract_bias", "subtract_dark", "subtract_bias_level", "subtract_overscan"),
    *("divide_flat", "add_noise", "rescale", "subtract_fringe", "correct_crosstalk"),
}
_LEVELS = {"subtract_bias_level", "subtract_overscan"}

_MASTERS = {name: kind.master_card for name, kind in KINDS.items()}

_SETTINGS = {
    "exposure": "exposure",
    "gain_setting": "kept_setting",
    "offset": "offset",
    "coadds": "coadds",
}
"""Coordinates whose cards a stack may have lost, and the row of each."""

_DATES = {"start": "time_start", "begin": "time_start", "end": "time_end", "middle": "time"}
"""Rows of dates, and the coordinate of each."""


def steps_of_product(
    ds: xr.Dataset, header: fits.Header, records: Sequence[Mapping[str, Any]], *, split: bool
) -> list[str]:
    """Return the :data:`~autowisp_xr.headers.fates.STEPS` that a frame, or a stack, went through.

    Parameters
    ----------
    ds
        A stack, or a frame whose dimension is selected away.
    header
        The header that it was read with.
    records
        Its history.
    split
        Whether the plane holds other pixels than the raw frame.
    """
    verbs = {str(step.get("verb")) for step in records}
    changed = not records or bool(verbs & _CHANGES_VALUES) or "CALBGAIN" in header
    made = {
        "calibrating": changed and not schema.is_raw(ds),
        "splitting": split,
        "stacking": "frame" not in ds.coords and not schema.is_raw(ds),
    }
    return [step for step, done in made.items() if done]


def true_cards(
    ds: xr.Dataset,
    header: fits.Header,
    records: Sequence[Mapping[str, Any]],
    steps: Sequence[str],
    channel: str,
) -> Values:
    """Return the true values for a plane of a product, by the rows of the table of fates.

    What the header of a stack has lost, because frames differ by a second or a tenth of a degree,
    comes from the coordinates: without exposure or temperature, a dark would match no frames of the
    next night. A card that all frames share stays.

    Parameters
    ----------
    ds, header, records, steps
        As for :func:`steps_of_product`, and what it returns.
    channel
        Name of the channel of the plane.
    """
    units = schema.units_of(ds)
    facts: dict[str, Any] = {"unit": units}
    if "calibrating" in steps or "stacking" in steps:
        effective = schema.scalar(ds, "effective_frames")
        effective = effective_in(header) if effective is None else float(effective)
        facts |= gain_facts(_gain(ds, units, channel), effective) | raw_gain_facts(header)
        facts |= _type(ds, header, stacked="stacking" in steps)
    if "calibrating" in steps or "splitting" in steps:
        facts |= _pattern(ds, header, channel)
    if "calibrating" in steps:
        known = units in COUNTED and not _matched(records)
        facts["saturation"] = _saturation(ds, channel) if known else None
        facts |= _corrections(header, records, channel) | _fringes(ds, records, channel)
        facts |= _span(ds, header)
    if "stacking" in steps:
        facts |= _contents(ds, header) | _lost(ds, header)
    return facts


def gain_facts(gain: float | None, effective: float) -> dict[str, Any]:
    """Return the gain of a product, by rows; the read noise is measured when pixels are at hand.

    Parameters
    ----------
    gain
        Electrons per unit of the image of one frame; None where there is no single number.
    effective
        Number of equal frames whose mean has the photon noise of the product; NaN if unknown.
    """
    facts: dict[str, Any] = {"gain": None, "read_noise": None, "effective": None}
    if gain is not None and math.isfinite(effective):
        facts |= {"gain": _rounded(gain * effective), "effective": _rounded(effective)}
    return facts


def _rounded(number: float) -> float:
    return float(f"{number:.7g}")


def effective_in(header: fits.Header) -> float:
    """Return the number of equal frames whose mean has the photon noise of the image of a header.

    It is one of a single frame, and NaN where it is unknown.
    """
    number = to_number(value_of(header, EFFECTIVE))
    if number > 0:
        return number
    return math.nan if master_reason(header, _USUAL) else 1.0


def _gain(ds: xr.Dataset, units: str, channel: str) -> float | None:
    """Return the electrons per unit of a frame; None where amplifiers differ, and of a bias."""
    if units not in COUNTED or schema.text(ds, "image_type") == "bias":
        return None
    gain = schema.camera_of(ds).only_number("gain", channel)
    return gain if gain is None or units == "adu" else 1.0


def raw_gain_facts(header: fits.Header) -> dict[str, Any]:
    """Return the row of the gain of the raw frame, by which masters are matched, if it is known."""
    number = raw_gain(Cards(header, _USUAL))
    return {} if math.isnan(number) else {"raw_gain": number}


def _matched(records: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether frames were added up, or brought to one level, so that theirs is lost."""
    options = [step.get("options", {}) for step in records if step.get("verb") == "stack"]
    return any(one.get("average") == "sum" or "applied" in one for one in options)


def _saturation(ds: xr.Dataset, channel: str) -> float | None:
    given = schema.camera_of(ds).saturation
    if isinstance(given, Mapping):
        # that of a mosaic is the lowest of its channels
        level = given.get(channel, min(given.values()) if channel == schema.MONO else None)
    else:
        level = given
    return None if level is None else _rounded(level)


def _pattern(ds: xr.Dataset, header: fits.Header, channel: str) -> dict[str, Any]:
    """Return the row of the pattern of a mosaic that was put together; none for other planes."""
    grid = grid_of_plane(ds, 0)
    if channel != schema.MONO or (grid.y_step, grid.x_step) != (1, 1):
        return {}
    # counted from the last row, a pattern starts where the frame ends
    from_last = row_order(Cards(header, _USUAL)).startswith("BOTTOM")
    start = grid.y + ds.sizes["y"] if from_last else grid.y
    pattern = bayer_pattern(schema.camera_of(ds).channels, start, grid.x)
    if from_last:
        pattern = pattern[2:] + pattern[:2]
    return {"pattern": pattern} if pattern else {}


def _type(ds: xr.Dataset, header: fits.Header, *, stacked: bool) -> dict[str, Any]:
    """Return the row of the type; none where the card is right already."""
    written, known = value_of(header, "IMAGETYP"), schema.text(ds, "image_type")
    stated = None if written is None else _USUAL.image_type_of(written)
    words = None
    if stacked:
        words = _MASTERS.get(known, _MASTERS.get(str(stated)))
        if words is None and written is not None:
            words = str(written)
            words = words if words.lower().startswith("master") else f"Master {words}"
    elif stated != known:
        words = KINDS[known].card if known in KINDS else None
    return {} if words is None else {"type": words}


def _corrections(
    header: fits.Header, records: Sequence[Mapping[str, Any]], channel: str
) -> dict[str, Any]:
    """Return the rows of the masters that were applied, the status and the pedestal."""
    facts: dict[str, Any] = {}
    applied = _applied(records, channel)
    for kind, (identity, file) in applied.items():
        name = ascii_text(os.path.basename(file["path"])) if file else identity
        facts[f"{kind}_file"] = name if file else None
        facts |= {f"{kind}_done": name, f"{kind}_level": 1}
    before = str(value_of(header, STATUS) or "")
    done = {*applied, *corrections_in(before)}
    letters = "".join(cards.letter for kind, cards in CORRECTIONS.items() if kind in done)
    if letters:
        others = [c for c in before.upper() if len(before) <= MOST_LETTERS and c not in "BDF"]
        facts["status"] = "".join((letters, *others))
    leveled = any(
        step.get("verb") in _LEVELS
        or step.get("options", {}).get("bias_level")
        or step.get("options", {}).get("overscan_areas")
        for step in records
    )
    if leveled or {"bias", "dark"} & set(applied):
        facts["pedestal"] = 0
    return facts


def _fringes(ds: xr.Dataset, records: Sequence[Mapping[str, Any]], channel: str) -> dict[str, Any]:
    """Return the rows of a fringe frame that was subtracted; none where none was."""
    named = [step for step in records if "fringe" in step.get("masters", {})]
    if not named:
        return {}
    files = named[-1].get("files", {}).get("fringe", {})
    file = files.get(channel) or files.get("")
    name = os.path.basename(file["path"]) if file else named[-1]["masters"]["fringe"]
    facts: dict[str, Any] = {"fringe_done": ascii_text(name)}
    for row in ("fringe_scale", "fringe_scale_uncertainty"):
        if row in ds.coords and ds[row].dims == ("channel",):
            number = float(ds[row].values[schema.names(ds, "channel").index(channel)])
            facts[row] = _rounded(number) if math.isfinite(number) else None
    return facts


def digest_facts(records: Sequence[Mapping[str, Any]], channel: str) -> Values:
    """Return the rows of the digests of masters, which are known when files are written.

    Parameters
    ----------
    records
        The history, as :func:`autowisp_xr.provenance.with_hashes` completes it.
    channel
        Name of the channel of the plane.
    """
    return {
        f"{kind}_digest": file.get("sha256")
        for kind, (_, file) in _applied(records, channel).items()
    }


def _applied(
    records: Sequence[Mapping[str, Any]], channel: str
) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Return the identity and the file (empty if unknown) of each kind of master applied."""
    applied = {}
    for step in records:
        for kind, identity in step.get("masters", {}).items():
            if kind in CORRECTIONS:
                files = step.get("files", {}).get(kind, {})
                applied[kind] = (identity, files.get(channel) or files.get("") or {})
    return applied


def _contents(ds: xr.Dataset, header: fits.Header) -> dict[str, Any]:
    """Return the rows of the number of the frames of a stack, their exposures and times."""
    facts: dict[str, Any] = {}
    number = _number(ds, "combined")
    if math.isnan(number):
        number = to_number(value_of(header, "NUMFCOMB"))
    if number > 0:
        facts |= dict.fromkeys(("frames", "stack_count", "snapshots"), int(number))
    total = _number(ds, "total_exposure")
    if math.isfinite(total):
        facts["total_exposure"] = total
    dates = {row: _date(ds, header, name) for row, name in _DATES.items()}
    return facts | {row: date for row, date in dates.items() if date}


def _span(ds: xr.Dataset, header: fits.Header) -> dict[str, Any]:
    """Return the rows of start, middle and end of the exposure of one frame, if they are known."""
    middle, exposure = schema.scalar(ds, "time"), _number(ds, "exposure")
    if middle is None or not 0 <= exposure <= LONGEST or master_reason(header, _USUAL):
        return {}
    half = np.timedelta64(round(exposure / 2 * 1e9), "ns")
    times = {"begin": middle - half, "middle": middle, "end": middle + half}
    dates = {row: _in_scale(time, header) for row, time in times.items()}
    return {row: date for row, date in dates.items() if date}


def _lost(ds: xr.Dataset, header: fits.Header) -> dict[str, Any]:
    """Return the rows of coordinates whose cards a stack has lost."""
    try:
        stated = read_coordinates(Cards(header, _USUAL))
    except HeaderError:
        # of two contradicting exposures, the aliases of the user chose one
        stated = {"exposure": 0.0}
    facts: dict[str, Any] = {}
    for name, row in _SETTINGS.items():
        number = _number(ds, name)
        if math.isfinite(number) and math.isnan(stated.get(name, math.nan)):
            facts[row] = number
    temperature = _number(ds, "temperature")
    same = math.isclose(temperature, stated.get("temperature", math.nan), rel_tol=1e-9)
    if math.isfinite(temperature) and value_of(header, "CCD-TEMP") is None and not same:
        facts["temperature"] = temperature
    band = schema.text(ds, "filter")
    if band and band != stated.get("filter") and value_of(header, "FILTER") is None:
        facts["filter"] = ascii_text(band)
    return facts


def _number(ds: xr.Dataset, name: str) -> float:
    value = schema.scalar(ds, name)
    return math.nan if value is None else float(value)


def _date(ds: xr.Dataset, header: fits.Header, name: str) -> str:
    time = schema.scalar(ds, name)
    return "" if time is None else _in_scale(time, header)


def _in_scale(time: np.datetime64, header: fits.Header) -> str:
    """Return a date and time for a header: in UTC, or in the scale that its TIMESYS names."""
    if np.isnat(time):
        return ""
    time = utc_to_scale(time, time_scale(Cards(header, _USUAL)) or "utc")
    text = str(np.datetime_as_string(time.astype("datetime64[ns]")))
    return text.rstrip("0").rstrip(".") if "." in text else text
