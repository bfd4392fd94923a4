"""What is true for a product, from its coordinates, its camera and its history: for its cards."""

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
from autowisp_xr.headers.fate_rules import Facts
from autowisp_xr.headers.fates import EFFECTIVE
from autowisp_xr.headers.processing import CORRECTIONS, MOST_LETTERS, STATUS, corrections_in
from autowisp_xr.headers.readout import raw_gain
from autowisp_xr.headers.recognition import master_reason
from autowisp_xr.headers.times import time_scale, utc_to_scale
from autowisp_xr.headers.values import Cards, to_number
from autowisp_xr.kinds import KINDS

_USUAL = KeywordAliases()

_CHANGES_VALUES = {
    *("calibrate", "subtract_bias", "subtract_dark", "subtract_bias_level", "subtract_overscan"),
    *("divide_flat", "add_noise", "rescale"),
}
_LEVELS = {"subtract_bias_level", "subtract_overscan"}

_MASTERS = {name: f"Master {kind.card.split()[0]}" for name, kind in KINDS.items()}

_SETTINGS = {
    "exposure": "exposure",
    "gain_setting": "kept_setting",
    "offset": "offset",
    "coadds": "coadds",
}
"""Coordinates of numbers that cards may have lost, and the row of each."""


def steps_of_product(
    ds: xr.Dataset, header: fits.Header, records: Sequence[Mapping[str, Any]], *, split: bool
) -> list[str]:
    """Those of :data:`~autowisp_xr.headers.fates.STEPS` that one frame, or a stack, went through.

    Parameters
    ----------
    ds
        Without ``frame``, or with that dimension selected away.
    header
        Of what it was read from.
    records
        Its history.
    split
        Whether the pixels of the plane are others than those of the raw frame.
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
) -> Facts:
    """What is true for a plane of a product, by the rows of the table of fates.

    What the header of a stack has lost, because frames differ by a second or a tenth of a degree,
    comes from the coordinates: the night after, a dark without exposure or temperature matches
    nothing. A card that all frames bear is what all of them said, and stays.

    Parameters
    ----------
    ds, header, records, steps
        As for :func:`steps_of_product`, and what it gives.
    channel
        Name of the channel of the plane.
    """
    units = str(ds["image"].attrs.get("units", "adu"))
    facts: dict[str, Any] = {"unit": units}
    if "calibrating" in steps or "stacking" in steps:
        facts |= gain_facts(_gain(ds, units, channel), effective_frames(ds, header))
        facts |= raw_gain_facts(header)
        facts |= _type(ds, header, stacked="stacking" in steps)
    if "calibrating" in steps:
        facts["saturation"] = _saturation(ds, channel) if units in COUNTED else None
        facts |= _corrections(header, records, channel)
    if "stacking" in steps:
        facts |= _contents(ds, header) | _lost(ds, header)
    return facts


def gain_facts(gain: float | None, effective: float) -> dict[str, Any]:
    """Rows of the gain of a product; the read noise is measured when its pixels are at hand.

    Parameters
    ----------
    gain
        Electrons per unit of the image, of one frame; None where there is no single one.
    effective
        Equal frames whose mean has the photon noise of the product; NaN where not known.
    """
    if gain is None or not math.isfinite(effective):
        return {"gain": None, "read_noise": None, "effective": None}
    return {
        "gain": _rounded(gain * effective),
        "read_noise": None,
        "effective": _rounded(effective),
    }


def _rounded(number: float) -> float:
    return float(f"{number:.7g}")


def effective_frames(ds: xr.Dataset, header: fits.Header) -> float:
    """Equal frames whose mean has the photon noise of a frame, or stack; NaN where not known."""
    if "effective_frames" in ds.coords and not ds["effective_frames"].ndim:
        return float(ds["effective_frames"])
    return effective_in(header)


def effective_in(header: fits.Header) -> float:
    """The same of what a header describes; a frame that nobody combined is one."""
    number = to_number(value_of(header, EFFECTIVE))
    if number > 0:
        return number
    return math.nan if master_reason(header, _USUAL) else 1.0


def _gain(ds: xr.Dataset, units: str, channel: str) -> float | None:
    """Electrons per unit of a frame; None where amplifiers differ, or the level is no light."""
    if units not in COUNTED or _text(ds, "image_type") == "bias":
        return None
    numbers = schema.camera_of(ds).numbers_of("gain", channel)
    known = set(numbers[:-1] or numbers)
    if len(known) != 1 or None in known:
        return None
    return 1.0 if units == "electron" else known.pop()


def raw_gain_facts(header: fits.Header) -> dict[str, Any]:
    """The row of the gain of the raw frame, by which masters are matched; none where not known."""
    number = raw_gain(Cards(header, _USUAL))
    return {} if math.isnan(number) else {"raw_gain": number}


def _saturation(ds: xr.Dataset, channel: str) -> float | None:
    given = schema.camera_of(ds).saturation
    level = given.get(channel) if isinstance(given, Mapping) else given
    return None if level is None else _rounded(level)


def _type(ds: xr.Dataset, header: fits.Header, *, stacked: bool) -> dict[str, Any]:
    written, known = value_of(header, "IMAGETYP"), _text(ds, "image_type")
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
    """What was applied, and that nothing is to be added any more."""
    facts: dict[str, Any] = {}
    applied = _applied(records, channel)
    for kind, (identity, file) in applied.items():
        name = ascii_text(os.path.basename(file["path"])) if file else identity
        own = {"file": name if file else None, "done": name, "level": 1}
        facts |= {f"{kind}_{row}": value for row, value in own.items()}
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


def digest_facts(records: Sequence[Mapping[str, Any]], channel: str) -> Facts:
    """Rows of the digests of masters, which are known when files are about to be written.

    Parameters
    ----------
    records
        The history, as :func:`autowisp_xr.provenance.with_hashes` leaves it.
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
    """Identity of each kind of master that was applied, and its file; an empty one for none."""
    applied = {}
    for step in records:
        for kind, identity in step.get("masters", {}).items():
            if kind in CORRECTIONS:
                files = step.get("files", {}).get(kind, {})
                applied[kind] = (identity, files.get(channel) or files.get("") or {})
    return applied


def _contents(ds: xr.Dataset, header: fits.Header) -> dict[str, Any]:
    """When the frames of a stack were taken, how many they are and how long they were exposed."""
    facts: dict[str, Any] = {}
    number = _number(ds, "combined")
    if math.isnan(number):
        number = to_number(value_of(header, "NUMFCOMB"))
    if number > 0:
        facts |= dict.fromkeys(("frames", "stack_count", "snapshots"), int(number))
    total = _number(ds, "total_exposure")
    if math.isfinite(total):
        facts["total_exposure"] = total
    start, end, middle = (_date(ds, header, name) for name in ("time_start", "time_end", "time"))
    dates = {"start": start, "begin": start, "end": end, "middle": middle}
    return facts | {row: date for row, date in dates.items() if date}


def _lost(ds: xr.Dataset, header: fits.Header) -> dict[str, Any]:
    """What the cards of a stack do not say any more."""
    try:
        stated = read_coordinates(Cards(header, _USUAL))
    except HeaderError:
        # of two exposures that contradict each other, the aliases of the user took one
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
    band = _text(ds, "filter")
    if band and band != stated.get("filter") and value_of(header, "FILTER") is None:
        facts["filter"] = ascii_text(band)
    return facts


def _scalar(ds: xr.Dataset, name: str) -> Any:
    return ds.coords[name].values[()] if name in ds.coords and not ds[name].ndim else None


def _text(ds: xr.Dataset, name: str) -> str:
    value = _scalar(ds, name)
    return "" if value is None else str(value)


def _number(ds: xr.Dataset, name: str) -> float:
    value = _scalar(ds, name)
    return math.nan if value is None else float(value)


def _date(ds: xr.Dataset, header: fits.Header, name: str) -> str:
    """Date and time, UTC unless TIMESYS of the header says that dates are in another scale."""
    time = _scalar(ds, name)
    if time is None or np.isnat(time):
        return ""
    time = utc_to_scale(time, time_scale(Cards(header, _USUAL)) or "utc")
    text = str(np.datetime_as_string(time.astype("datetime64[ns]")))
    return text.rstrip("0").rstrip(".") if "." in text else text
