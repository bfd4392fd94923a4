"""How the camera was set: what has to agree between frames that are used together."""

import math
import re
from collections.abc import Collection, Sequence
from typing import Any

from astropy.io import fits

from autowisp_xr.headers.cards import comment_of, value_of
from autowisp_xr.headers.fates import EFFECTIVE, SETTING
from autowisp_xr.headers.spellings import Spellings
from autowisp_xr.headers.values import first_number, known_values, to_number, to_text
from autowisp_xr.headers.window import read_window

__all__ = ["camera_name", "raw_gain", "read_binning", "read_setting"]

_BINNING = re.compile(r"(\d+)(?:\s*[x*,\s]\s*(\d+))?", re.IGNORECASE)
# OFFSET and the like of the telescope, not of the camera
_OF_TELESCOPE = re.compile(r"arc ?sec|telescope|pointing|dither|focus|\bRA\b|\bDec\b|\[deg", re.I)
_ISO = re.compile(r"ISO[\s:=-]*(\d+)", re.IGNORECASE)
_NO = ("", "f", "false", "no", "n", "0", "none", "normal", "off", "unflipped", "not flipped")
_YES = ("t", "true", "yes", "y", "1", "on")


def read_setting(header: fits.Header, spellings: Spellings) -> dict[str, Any]:
    """Coordinates of a frame that say how its camera was set.

    Returns
    -------
    ``camera`` (name, and serial number behind it, as in "ESIS1 (6)"), ``detector``, ``binning``
    ("2x2"), ``window`` (the section "[x1:x2,y1:y2]" of the sensor that the frame is, in unbinned
    pixels from 1), ``orientation`` ("TOP-DOWN", "flipped in x", "not flipped"),
    ``readout_mode``, ``readout_speed``: text, "" where unknown; ``gain_setting`` and ``offset``,
    ``egain`` (electrons per ADU, as the header says) and ``coadds`` (exposures that the camera has
    added up): numbers, NaN where unknown.
    """
    binning = read_binning(header, spellings)
    return {
        "camera": camera_name(header, spellings),
        "detector": _first_name(header, spellings.detector, spellings.unsaid),
        "binning": binning,
        "window": read_window(header, spellings, binning),
        "orientation": _orientation(header, spellings),
        "gain_setting": first_number(header, spellings.gain, read=_number_of_gain),
        "offset": _offset(header, spellings),
        "readout_mode": _readout_mode(header, spellings),
        "readout_speed": _first_name(header, spellings.readout_speed, spellings.unsaid),
        "egain": raw_gain(header, spellings),
        "coadds": first_number(header, spellings.coadds, above=0.0),
    }


def raw_gain(header: fits.Header, spellings: Spellings) -> float:
    """Electrons per ADU of raw frames, as the header says; NaN where it does not.

    EGAIN of a product holds for the product: it was multiplied by the frames that it is made of.
    """
    kept = first_number(header, spellings.electrons_per_adu_raw, above=0.0)
    if not math.isnan(kept) or EFFECTIVE in header:
        return kept
    return first_number(header, spellings.electrons_per_adu, above=0.0)


def camera_name(header: fits.Header, spellings: Spellings) -> str:
    """Name of the camera, and what tells it from others of the name; "" where unknown."""
    name = _first_name(header, spellings.camera, spellings.unsaid)
    serial = _first_name(header, spellings.camera_serial, spellings.unsaid)
    if name and serial and name != serial:
        return f"{name} ({serial})"
    return name or serial


def read_binning(header: fits.Header, spellings: Spellings) -> str:
    """Pixels read as one, such as "2x2"; "" where unknown."""
    along_x, along_y = (
        first_number(header, names, above=0.0)
        for names in (spellings.binning_x, spellings.binning_y)
    )
    if along_x.is_integer() and along_y.is_integer():
        return f"{along_x:.0f}x{along_y:.0f}"
    for _, value in known_values(header, spellings.binning):
        match = _BINNING.fullmatch(f"{value:g}" if isinstance(value, float) else str(value))
        if match is not None and int(match[1]) > 0:
            return f"{int(match[1])}x{int(match[2] or match[1])}"
    return ""


def _first_name(header: fits.Header, cards: Sequence[str], unsaid: Collection[str]) -> str:
    texts = (to_text(value) for _, value in known_values(header, cards))
    return next((text for text in texts if text.lower() not in unsaid), "")


def _number_of_gain(value: Any) -> float:
    match = _ISO.fullmatch(to_text(value))
    return to_number(value if match is None else match[1])


def _readout_mode(header: fits.Header, spellings: Spellings) -> str:
    """Name of the mode, the gain where it is said in words, and what amplifies beside it."""
    mode = _first_name(header, spellings.readout_mode, spellings.unsaid)
    said = [mode] if mode else []
    for cards, words_only in ((spellings.gain, True), (spellings.amplification, False)):
        for name, value in known_values(header, cards):
            text = to_text(value)
            if text.lower() in spellings.unsaid:
                continue
            # words hold no number that may be garbled
            if not words_only or not any(map(str.isdigit, text)):
                said.append(f"{'GAIN' if name == SETTING else name} {text}")
    return ", ".join(said)


def _offset(header: fits.Header, spellings: Spellings) -> float:
    for name, value in known_values(header, spellings.offset):
        number = to_number(value)
        if not math.isnan(number) and not _OF_TELESCOPE.search(comment_of(header, name)):
            return number
    return math.nan


def _orientation(header: fits.Header, spellings: Spellings) -> str:
    order = _first_name(header, spellings.row_order, spellings.unsaid).upper().replace("_", "-")
    flips: list[str] = []
    asked = False
    for cards, word in (
        (spellings.flip, "flipped"),
        (spellings.flip_x, "flipped in x"),
        (spellings.flip_y, "flipped in y"),
    ):
        for name in cards:
            if name not in header:
                continue
            asked = True
            text = to_text({True: "t", False: "f"}.get(value := value_of(header, name), value))
            if text.lower() not in _NO:
                flips.append(word if text.lower() in _YES else text)
            break
    return ", ".join(filter(None, (order, *flips))) or ("not flipped" if asked else "")
