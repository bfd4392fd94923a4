"""Which master belongs to a frame, and why the others do not."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import xarray as xr

from autowisp_xr.night.traits import Traits
from autowisp_xr.options import ScaleDark

__all__ = ["NEEDED", "Candidate", "Choice", "Matching", "choose", "match", "stop_reason"]

NEEDED = {
    "bias": (),
    "dark": ("bias",),
    "flat": ("bias", "dark"),
    "object": ("bias", "dark", "flat"),
}
"""Masters that correct frames of each type, in the order in which they are chosen."""

_BETTER = (
    "needs no scaling",
    "is of this night",
    "adds less noise",
    "is known to fit",
    "is nearer in temperature",
    "is older",
    "is nearer in time",
)
"""What makes one master go before another, in the order in which it counts."""

_IGNORABLE = ("camera", "binning", "subframe", "gain", "temperature", "filter")


@dataclass(frozen=True, kw_only=True)
class Matching:
    """How much frames may differ from the masters that correct them.

    Examples
    --------
    An uncooled camera, whose darks are scaled to shorter exposures:

    >>> Matching(temperature=5, scale_dark="down").exposure
    0.01

    Raises
    ------
    ValueError
        For a tolerance that is negative or no number, or another unknown value.
    """

    temperature: float = 2.0
    """Biases and darks: largest difference, in degrees."""

    exposure: float = 0.01
    """Darks: largest relative difference."""

    scale_dark: ScaleDark = False
    """Where no dark has the exposure: "down" scales one of a longer exposure, "any" one of any;
    only darks whose bias was subtracted can be scaled."""

    ignore: tuple[str, ...] = ()
    """What may differ: "camera" (its name), "binning" (where the sizes agree), "subframe" (its
    corner), "gain" (the setting), "temperature", "filter"."""

    prefer: Literal["nearest", "older"] = "nearest"
    """Of masters of other nights: those nearest in time, or older ones before newer ones. Masters
    of the night itself go before both."""

    def __post_init__(self) -> None:
        for name in ("temperature", "exposure"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not 0 <= value < math.inf:
                raise ValueError(f"the tolerance of {name} is a number from 0 up, not {value!r}")
        if self.scale_dark not in (False, "down", "any"):
            raise ValueError(f"scale_dark is False, 'down' or 'any', not {self.scale_dark!r}")
        if self.prefer not in ("nearest", "older"):
            raise ValueError(f"prefer is 'nearest' or 'older', not {self.prefer!r}")
        ignore = (self.ignore,) if isinstance(self.ignore, str) else tuple(self.ignore)
        unknown = sorted(set(ignore) - set(_IGNORABLE))
        if unknown:
            raise ValueError(
                f"{', '.join(unknown)} cannot be ignored; what can is {', '.join(_IGNORABLE)}"
            )
        object.__setattr__(self, "ignore", ignore)

    @property
    def allow_mismatch(self) -> tuple[str, ...]:
        """What :func:`~autowisp_xr.calibrate` has to allow, for this has judged it already."""
        loose = ["exposure"] if self.exposure > 0.01 else []
        return (*loose, *(name for name in self.ignore if name in ("binning", "gain", "filter")))


@dataclass(kw_only=True)
class Candidate:
    """A master, made or to be made."""

    name: str
    traits: Traits
    frames: int = 1
    """How many were averaged."""
    own: bool = True
    """Of this night."""
    bias_free: bool | None = None
    """Of a dark: whether its bias was subtracted; None where not known."""
    failure: str = ""
    """Why there is no such master, though there might be."""
    open: Callable[[], xr.Dataset] | None = None
    """Gives the master."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The master of one kind for a frame."""

    chosen: Candidate | None = None
    scaled: bool = False
    """Whether a dark has to be scaled."""
    why_not: Mapping[str, str] = field(default_factory=dict)
    """The reason against each other candidate of the kind, by its name."""
    failed: str = ""
    """Name of a master that would belong, if only it could have been made."""
    near: bool = False
    """Whether there are candidates of the frame's own setup, but for the gain setting."""


def match(wanted: Traits, candidates: Sequence[Candidate], matching: Matching) -> dict[str, Choice]:
    """The masters for a frame, by kind; those that its type needs.

    A dark is chosen to go with the bias: one that holds the bias where none is subtracted, one
    that is free of it where it is.
    """
    choices: dict[str, Choice] = {}
    for kind in NEEDED[wanted.kind]:
        alike = [candidate for candidate in candidates if candidate.traits.kind == kind]
        bias = choices.get("bias", Choice())
        choices[kind] = choose(wanted, alike, matching, has_bias=bias.chosen is not None)
    return choices


def stop_reason(kind: str, choices: Mapping[str, Choice], matching: Matching) -> str:
    """Why frames of a type are left out, with these masters chosen for them; "" if they are not.

    They are where a master that belongs to them could not be made, and science frames where there
    are darks of their setup, but none that fits.
    """
    for needed, choice in choices.items():
        if choice.chosen is None and choice.failed:
            return f"their master {choice.failed} failed"
        if choice.chosen is None and needed == "dark" and kind == "object" and choice.near:
            darks = "; ".join(f"{name}: {why}" for name, why in choice.why_not.items())
            return f"no dark fits ({darks}){_remedy(choice, matching)}"
    return ""


def _remedy(choice: Choice, matching: Matching) -> str:
    reasons = choice.why_not.values()
    if any(reason.startswith("exposed") for reason in reasons) and matching.scale_dark != "any":
        larger = "any" if matching.scale_dark else "down or any"
        return f"; a dark of another exposure can be scaled: --scale-dark {larger}"
    if any(reason.startswith("at ") for reason in reasons):
        return "; --temperature-tolerance allows for more"
    return ""


def choose(
    wanted: Traits, candidates: Sequence[Candidate], matching: Matching, *, has_bias: bool = False
) -> Choice:
    """The best of candidates of one kind, and the reason against each of the others.

    Parameters
    ----------
    wanted
        Traits of the frames that are to be corrected.
    candidates
        Of one kind.
    matching
        Tolerances and preferences.
    has_bias
        Whether a bias is subtracted from the frames.
    """
    why_not: dict[str, str] = {}
    failed, near = "", False
    fitting: list[tuple[bool, Candidate]] = []
    for candidate in candidates:
        setup = candidate.traits.setup
        near = near or not setup.reason_against(wanted.setup, (*matching.ignore, "gain"))
        reason = setup.reason_against(wanted.setup, matching.ignore)
        if not reason:
            reason = _reason_against(wanted, candidate, matching, has_bias=has_bias)
        if not reason and candidate.failure:
            failed, reason = failed or candidate.name, f"could not be made: {candidate.failure}"
        if reason:
            why_not[candidate.name] = reason
        else:
            scaled = candidate.traits.kind == "dark" and not _same_exposure(
                wanted, candidate.traits, matching
            )
            fitting.append((scaled, candidate))
    if not fitting:
        return Choice(why_not=why_not, failed=failed, near=near)
    # by name in the end, so that the order of the candidates never matters
    fitting.sort(key=lambda pair: (_rank(wanted, pair[0], pair[1], matching), pair[1].name))
    (scaled, chosen), *others = fitting
    best = _rank(wanted, scaled, chosen, matching)
    for also_scaled, candidate in others:
        ranks = zip(best, _rank(wanted, also_scaled, candidate, matching), _BETTER, strict=True)
        better = next((words for one, other, words in ranks if one != other), "comes first")
        why_not[candidate.name] = f"fits too, but {chosen.name} {better}"
    return Choice(chosen=chosen, scaled=scaled, why_not=why_not, near=near)


def _reason_against(
    wanted: Traits, candidate: Candidate, matching: Matching, *, has_bias: bool
) -> str:
    own = candidate.traits
    if own.kind == "flat":
        differ = own.band and wanted.band and own.band != wanted.band
        if differ and "filter" not in matching.ignore:
            return f"of the filter {own.band}, not {wanted.band}"
        return ""
    apart = abs(own.temperature - wanted.temperature)
    if apart > matching.temperature and "temperature" not in matching.ignore:
        return f"at {own.temperature:.1f} C, not {wanted.temperature:.1f} C"
    if own.kind == "bias":
        return ""
    if candidate.bias_free is None:
        return (
            "nobody says whether its bias was subtracted; if it was, CALSTAT = 'B' in its header "
            "says so, if not, ZEROCOR = 'no'"
        )
    if has_bias and not candidate.bias_free:
        return "it holds the bias, which is subtracted already"
    if not has_bias and candidate.bias_free:
        return "its bias was subtracted, and no bias fits the frames"
    return _exposure_reason(wanted, candidate, matching)


def _exposure_reason(wanted: Traits, candidate: Candidate, matching: Matching) -> str:
    own = candidate.traits
    if _same_exposure(wanted, own, matching):
        return ""
    differ = f"exposed {_span(own.exposures)}, not {_span(wanted.exposures)}"
    if not matching.scale_dark:
        return differ
    if not candidate.bias_free:
        return f"{differ}, and it holds the bias, which does not grow with exposure"
    if not own.exposures[0] > 0:
        return differ
    if matching.scale_dark == "down" and own.exposures[0] < wanted.exposures[1]:
        return f"{differ}, which would scale it up"
    return ""


def _same_exposure(wanted: Traits, own: Traits, matching: Matching) -> bool:
    times = np.array([*wanted.exposures, own.exposures[0]])
    if np.isnan(times).any():
        return False
    off = np.abs(times[:2] - times[2]) / np.maximum(times[:2], times[2]).clip(1e-9)
    return bool((off <= matching.exposure).all())


def _rank(
    wanted: Traits, scaled: bool, candidate: Candidate, matching: Matching
) -> tuple[float, ...]:
    """Least is best: unscaled, of this night, least noise, nearest in temperature, then in time."""
    own = candidate.traits
    # variance of a dark that is scaled, where darks differ by their exposure and number only
    noise = (wanted.exposures[1] / own.exposures[0]) ** 2 / candidate.frames if scaled else 0.0
    apart = abs(own.temperature - wanted.temperature)
    later = float((own.time - wanted.time) / np.timedelta64(1, "s"))
    if math.isnan(later):
        later = math.inf
    newer = float(matching.prefer == "older" and later > 0)
    temperature = 0.0 if math.isnan(apart) or not candidate.own else apart
    unknown = sum(math.isnan(value) for value in (apart,)) + (own.band == "" != wanted.band)
    return (scaled, not candidate.own, noise, unknown, temperature, newer, abs(later))


def _span(exposures: tuple[float, float]) -> str:
    low, high = exposures
    if math.isnan(low):
        return "for an unknown time"
    return f"{low:g} s" if f"{low:g}" == f"{high:g}" else f"{low:g} to {high:g} s"
