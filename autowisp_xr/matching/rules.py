"""The matching of frames, sets and masters by their traits alone.

:func:`reason_against` serves the night, which ranks the masters that fit; the verbs and ``stack``,
which refuse what does not fit; ``measure``; and the classes of the original, which warn.
:mod:`autowisp_xr.kinds` lists the traits that count for each kind of frame.

Decision: a trait that one side lacks fits. Half of the cameras lack half of the traits, and a night
must not end for it; where others of the same night have it, the night reports a doubt.
"""

import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from autowisp_xr.arrays import Bools
from autowisp_xr.kinds import EXPOSURE_TOLERANCE, KINDS, TEMPERATURE_TOLERANCE
from autowisp_xr.matching.pixel_types import BYTES, FLOATS, FRACTIONS
from autowisp_xr.matching.traits import Channels, Traits, comparable, is_known
from autowisp_xr.options import ScaleDark
from autowisp_xr.own_tables import table_beside
from autowisp_xr.regions import ChannelSlice

_STARTS = re.compile(r"\[(\d+):\d+,(\d+):\d+\]")
"""Matches a window, with its first column and row as groups."""

_EGAIN_TOLERANCE = 0.03
"""Relative tolerance: programs round, and settings of a camera are further apart."""

_TOLERANCES = {"temperature": TEMPERATURE_TOLERANCE, "exposure": EXPOSURE_TOLERANCE}


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """The reason why frames and a master, or two sets of frames, do not go together."""

    trait: str
    """The trait in which they differ."""
    text: str
    """Both values, in words that follow "it is"."""

    def __str__(self) -> str:
        return self.text


Unscalable = Literal["not asked", "unknown", "scaled up", "holds bias"]

ALLOWABLE = tuple(
    dict.fromkeys(
        name
        for kind in KINDS.values()
        for name in (*kind.alike, *kind.serves)
        # pixels have to lie on each other, and count the same, whatever a user may want
        if name not in ("size", "area", "channels", "unit")
    )
)
"""Traits whose mismatch a user may allow."""

TYPE = "image_type"
"""What a user allows where a master, or frames of it, state another type than they serve as."""

_ALIASES = {"gain": "gain_setting", "subframe": "window"}


def allowed(names: Collection[str]) -> frozenset[str]:
    """Return the traits of one or several names, whose mismatch is allowed.

    Raises
    ------
    ValueError
        For a trait that has to match, or that does not exist.
    """
    given = (names,) if isinstance(names, str) else names
    if not isinstance(given, Collection) or not all(isinstance(name, str) for name in given):
        raise ValueError(
            f"allow_mismatch names traits, such as 'temperature' or ('filter', 'camera'), "
            f"not {names!r}"
        )
    chosen = frozenset(_ALIASES.get(name, name) for name in given)
    choices = sorted((TYPE, *ALLOWABLE))
    unknown = sorted(chosen.difference(choices))
    if unknown:
        raise ValueError(
            f"no mismatch of {', '.join(unknown)} can be allowed; what may differ is "
            f"{', '.join(choices)}"
        )
    return chosen


@dataclass(frozen=True, kw_only=True)
class Matching:
    """The tolerances between frames and the masters that correct them, and between frames.

    Examples
    --------
    An uncooled camera, whose darks may be scaled up as well:

    >>> Matching(temperature=5, scale_dark="any").exposure
    0.01

    Raises
    ------
    ValueError
        For a tolerance that is negative or no number, or another unknown value.
    """

    temperature: float = TEMPERATURE_TOLERANCE
    """Largest difference between frames and biases or darks, in degrees."""

    exposure: float = EXPOSURE_TOLERANCE
    """Largest relative difference between frames and darks."""

    scale_dark: ScaleDark = "down"
    """Where no dark has the exposure: "down" scales one of a longer exposure, "any" one of any,
    False none; only darks that are free of bias, or come with a bias, can be scaled."""

    allow_mismatch: Collection[str] = ()
    """Traits that may differ, such as "camera" (its name), "binning" (where the sizes agree),
    "window", "gain_setting", "offset", "temperature" or "filter"; and "image_type", where a verb
    takes a master, or frames of it, for one of another type."""

    keywords: tuple[str, ...] = ()
    """Cards that count as traits: frames in which they differ do not go together."""

    group_by: tuple[str, ...] | None = None
    """Further criteria by which science frames, and all calibration frames, are grouped: "night",
    "target", or neither. None: flats and science frames by night; biases and darks of several
    nights stay together where their levels and noise agree."""

    prefer: Literal["nearest", "older"] = "nearest"
    """Of masters of other nights: those nearest in time, or older ones before newer ones. Masters
    of the night itself go before both."""

    def __post_init__(self) -> None:
        for name in _TOLERANCES:
            value = getattr(self, name)
            if not isinstance(value, int | float) or not 0 <= value < math.inf:
                raise ValueError(f"the tolerance of {name} is a number from 0 up, not {value!r}")
        if self.scale_dark not in (False, "down", "any"):
            raise ValueError(f"scale_dark is False, 'down' or 'any', not {self.scale_dark!r}")
        if self.prefer not in ("nearest", "older"):
            raise ValueError(f"prefer is 'nearest' or 'older', not {self.prefer!r}")
        object.__setattr__(self, "allow_mismatch", allowed(self.allow_mismatch))
        keywords = (self.keywords,) if isinstance(self.keywords, str) else self.keywords
        object.__setattr__(self, "keywords", tuple(word.strip().upper() for word in keywords))
        if self.group_by is not None:
            given = (self.group_by,) if isinstance(self.group_by, str) else tuple(self.group_by)
            unknown = sorted(set(given) - {"night", "target"})
            if unknown:
                raise ValueError(
                    f"frames are grouped by night or target, not by {', '.join(unknown)}"
                )
            object.__setattr__(self, "group_by", given)

    @property
    def judged(self) -> frozenset[str]:
        """The mismatches that a verb has to allow of frames that were matched by this already."""
        loose = {name for name, usual in _TOLERANCES.items() if getattr(self, name) > usual}
        return frozenset(self.allow_mismatch) | loose


_USUAL = Matching()


def same_exposure(one: ArrayLike, other: ArrayLike, tolerance: float = EXPOSURE_TOLERANCE) -> Any:
    """Return whether exposures in seconds, numbers or arrays, agree within a relative tolerance."""
    one, other = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    return np.abs(one - other) <= tolerance * np.maximum(one, other)


def lowest_of_parts(values: list[float], tolerance: float) -> list[float]:
    """Return the lowest value of each part of sorted values that spans at most the tolerance.

    The widest gaps part them.
    """
    lowest, pending = [], [values] if values else []
    while pending:
        part = pending.pop()
        if part[-1] - part[0] <= tolerance:
            lowest.append(part[0])
        else:
            cut = int(np.argmax(np.diff(part))) + 1
            pending += [part[:cut], part[cut:]]
    return sorted(lowest)


def reason_against_scaling(
    exposures: ArrayLike, own: float, matching: Matching, *, holds_bias: bool
) -> tuple[Unscalable, Bools] | None:
    """Return why a dark cannot be scaled to frames, and to which; None where it can, or need not.

    Parameters
    ----------
    exposures
        Of the frames, in seconds.
    own
        That of the dark.
    matching
        How far exposures agree, and whether darks may be scaled.
    holds_bias
        Whether the bias, which does not grow with exposure, may be in the dark that is scaled.

    Returns
    -------
    "not asked" for, an exposure is "unknown", it would be "scaled up", or "holds bias"; and bools.
    """
    frames = np.atleast_1d(np.asarray(exposures, dtype=float))
    with np.errstate(divide="ignore", invalid="ignore"):
        known = np.isfinite(frames / own)
    # what is not known does not differ
    differ = ~same_exposure(frames, own, matching.exposure) & np.isfinite(frames - own)
    reasons: dict[Unscalable, Bools] = {
        "unknown": ~known,
        "scaled up": differ & (frames > own) & (matching.scale_dark == "down"),
        "holds bias": differ & holds_bias,
    }
    if not matching.scale_dark:
        reasons = {"not asked": differ & ("exposure" not in matching.allow_mismatch)}
    return next(((reason, which) for reason, which in reasons.items() if which.any()), None)


def reason_against(
    wanted: Traits,
    candidate: Traits,
    matching: Matching = _USUAL,
    names: Collection[str] | None = None,
) -> Mismatch | None:
    """Return the reason why a master does not fit frames, or frames do not fit others; or None.

    Parameters
    ----------
    wanted
        Traits of the frames.
    candidate
        Traits of the master, or of the other frames.
    matching
        Tolerances, and what may differ.
    names
        Traits that count; by default those in which a master of the candidate's kind has to agree.

    Notes
    -----
    A trait that one side lacks fits, and the first mismatch counts. EGAIN counts where the gain
    setting does not decide: programs write it for other depths of the pixels of one camera.
    """
    for (keyword, own), (_, other) in zip(candidate.others, wanted.others, strict=False):
        if own and other and own != other:
            return Mismatch(trait=keyword, text=f"of {keyword} = {own}, not {other}")
    for name in KINDS[candidate.kind].serves if names is None else names:
        if name in matching.allow_mismatch:
            continue
        theirs, own = getattr(wanted, name), getattr(candidate, name)
        if theirs == own or not (is_known(theirs) and is_known(own)):
            continue
        fits = _FITS.get(name)
        same = comparable(theirs) == comparable(own)
        if not (fits(wanted, candidate, matching) if fits else same):
            return Mismatch(trait=name, text=_differ(name, wanted, candidate))
    return None


def one_side_adds_up(one: Traits, other: Traits) -> bool:
    """Return whether only one of two states that several exposures are in it.

    What states no number is a single exposure, or lost the card: a doubt, and no mismatch.
    """
    stated = [number for number in (one.coadds, other.coadds) if is_known(number)]
    return len(stated) == 1 and stated[0] != 1


_WORDS = table_beside(__file__)
"""The words about each trait in which a candidate differs, with the card that gives it."""


def _differ(name: str, wanted: Traits, own: Traits) -> str:
    card = own.cards.get(name) or wanted.cards.get(name) or ""
    if card:
        card = f" ({card} gives them)" if name == "channels" else f" ({card})"
    shown = {"channels": _names, "exposure": _span}.get(name)
    values = [getattr(traits, name) for traits in (own, wanted)]
    first, second = values if shown is None else map(shown, values)
    return _WORDS[name].format(own=first, theirs=second, card=card)


def _names(channels: Channels) -> str:
    return " ".join(name for name, _ in channels)


def _span(exposure: tuple[float, float]) -> str:
    low, high = exposure
    return f"{low:g} s" if f"{low:g}" == f"{high:g}" else f"{low:g} to {high:g} s"


def _fits_in_area(wanted: Traits, own: Traits, matching: Matching) -> bool:
    """Return whether areas agree but for incomplete super-pixels, which masters leave out."""
    differences = {
        edge: getattr(own.area, edge) - getattr(wanted.area, edge)
        for edge in ("xmin", "xmax", "ymin", "ymax")
    }
    if not (own.placed and wanted.placed):
        differences = {
            axis: differences[f"{axis}max"] - differences[f"{axis}min"] for axis in ("x", "y")
        }
    _, cut = (own.channels or wanted.channels or (("", ChannelSlice()),))[0]
    steps = {"x": cut.x_step, "y": cut.y_step}
    return all(abs(difference) < steps[edge[0]] for edge, difference in differences.items())


def _fits_in_window(wanted: Traits, own: Traits, matching: Matching) -> bool:
    """Return whether windows start at one pixel; their sizes are traits of their own."""
    # the header of a trimmed master does not give the end of its window
    one, other = (_STARTS.match(traits.window) for traits in (wanted, own))
    if one and other and one.groups() == other.groups():
        return True
    return bool(comparable(wanted.window) == comparable(own.window))


def _fits_in_pixel_type(wanted: Traits, own: Traits, matching: Matching) -> bool:
    """Return whether pixels may count the same, as integers of 16 and 32 bits and floats may."""
    types = {wanted.pixel_type, own.pixel_type}
    return len(types) < 2 or not types & {FRACTIONS, BYTES} or types == {BYTES, FLOATS}


def _fits_in_egain(wanted: Traits, own: Traits, matching: Matching) -> bool:
    off = abs(own.egain - wanted.egain)
    same_setting = is_known(own.gain_setting) and own.gain_setting == wanted.gain_setting
    return same_setting or off <= _EGAIN_TOLERANCE * max(own.egain, wanted.egain)


def _fits_in_temperature(wanted: Traits, own: Traits, matching: Matching) -> bool:
    return abs(own.temperature - wanted.temperature) <= matching.temperature


def _fits_in_exposure(wanted: Traits, own: Traits, matching: Matching) -> bool:
    times = (*wanted.exposure, *own.exposure)
    return bool(same_exposure(min(times), max(times), matching.exposure))


_FITS: Mapping[str, Callable[[Traits, Traits, Matching], bool]] = {
    "area": _fits_in_area,
    "window": _fits_in_window,
    "pixel_type": _fits_in_pixel_type,
    "egain": _fits_in_egain,
    "temperature": _fits_in_temperature,
    "exposure": _fits_in_exposure,
}
"""Tests of traits that may agree without being equal; both are known."""
