"""How the camera was set: what has to agree between frames that are used together."""

import re
from typing import Any

from autowisp_xr.headers.cards import comment_of, value_of
from autowisp_xr.headers.fates import EFFECTIVE, SETTING
from autowisp_xr.headers.values import Cards, first_known, to_number, to_text
from autowisp_xr.headers.window import read_window

_BINNING = re.compile(r"(\d+)(?:\s*[x*,\s]\s*(\d+))?", re.IGNORECASE)
# OFFSET and the like of the telescope, not of the camera
_OF_TELESCOPE = re.compile(r"arc ?sec|telescope|pointing|dither|focus|\bRA\b|\bDec\b|\[deg", re.I)
_ISO = re.compile(r"ISO[\s:=-]*(\d+)", re.IGNORECASE)
_FLIPS = {"flip": "flipped", "flip_x": "flipped in x", "flip_y": "flipped in y"}
_NO = ("", "f", "false", "no", "n", "0", "0.0", "none", "normal", "off", "unflipped", "not flipped")
_YES = ("t", "true", "yes", "y", "1", "1.0", "on")


def read_setting(cards: Cards) -> dict[str, Any]:
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
    binning = read_binning(cards)
    return {
        "camera": camera_name(cards),
        "detector": cards.text("detector"),
        "binning": binning,
        "window": read_window(cards, binning),
        "orientation": _orientation(cards),
        "gain_setting": first_known(_number_of_gain(value) for _, value in cards.values("gain")),
        "offset": first_known(
            to_number(value)
            for name, value in cards.values("offset")
            if not _OF_TELESCOPE.search(comment_of(cards.header, name))
        ),
        "readout_mode": _readout_mode(cards),
        "readout_speed": cards.text("readout_speed"),
        "egain": raw_gain(cards),
        "coadds": cards.number("coadds", above=0.0),
    }


def raw_gain(cards: Cards) -> float:
    """Electrons per ADU of raw frames, as the header says; NaN where it does not.

    EGAIN of a product holds for the product: it was multiplied by the frames that it is made of.
    """
    things = ["electrons_per_adu_raw"]
    if EFFECTIVE not in cards.header:
        things.append("electrons_per_adu")
    return first_known(cards.number(thing, above=0.0) for thing in things)


def camera_name(cards: Cards) -> str:
    """Name of the camera, and what tells it from others of the name; "" where unknown."""
    name, serial = cards.text("camera"), cards.text("camera_serial")
    return f"{name} ({serial})" if name and serial and name != serial else name or serial


def read_binning(cards: Cards) -> str:
    """Pixels read as one, such as "2x2"; "" where unknown."""
    along = [cards.number(thing, above=0.0) for thing in ("binning_x", "binning_y")]
    if all(number.is_integer() for number in along):
        return "x".join(f"{number:.0f}" for number in along)
    for _, value in cards.values("binning"):
        match = _BINNING.fullmatch(f"{value:g}" if isinstance(value, float) else str(value))
        if match is not None and int(match[1]) > 0:
            return f"{int(match[1])}x{int(match[2] or match[1])}"
    return ""


def row_order(cards: Cards) -> str:
    """Whether the first row that is stored is the top, "TOP-DOWN", or "BOTTOM-UP"; "" unknown."""
    return cards.text("row_order").upper().replace("_", "-")


def _number_of_gain(value: object) -> float:
    match = _ISO.fullmatch(to_text(value))
    return to_number(value if match is None else match[1])


def _readout_mode(cards: Cards) -> str:
    """Name of the mode, the gain where it is said in words, and what amplifies beside it."""
    stated = [cards.text("readout_mode")]
    for thing in ("gain", "amplification"):
        for name, value in cards.values(thing):
            text = to_text(value)
            # words of a gain hold no number that may be garbled
            if cards.informative(text) and not (thing == "gain" and any(map(str.isdigit, text))):
                stated.append(f"{'GAIN' if name == SETTING else name} {text}")
    return ", ".join(filter(None, stated))


def _orientation(cards: Cards) -> str:
    stated = [row_order(cards)]
    asked = False
    for thing, word in _FLIPS.items():
        name = next((name for name in cards.names(thing) if name in cards.header), None)
        if name is None:
            continue
        asked = True
        # a card without a value says no
        text = to_text(value_of(cards.header, name))
        if text.lower() not in _NO:
            stated.append(word if text.lower() in _YES else text)
    return ", ".join(filter(None, stated)) or ("not flipped" if asked else "")
