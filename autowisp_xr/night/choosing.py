"""Which master belongs to a frame, and why the others do not: candidates judged, then ranked."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import xarray as xr

from autowisp_xr.kinds import KINDS
from autowisp_xr.matching import Matching, Mismatch, reason_against
from autowisp_xr.night.grouped import in_few_words
from autowisp_xr.traits import Traits

__all__ = ["FITS_TOO", "Candidate", "Choice", "choose", "match", "stop_reason"]

FITS_TOO = "fits too"
"""How the reason begins against a master that another goes before."""

_BETTER = (
    "needs no scaling",
    "is of this night",
    "is free of the bias",
    "adds less noise",
    "is known to fit",
    "is nearer in temperature",
    "is older",
    "is nearer in time",
)
"""What makes one master go before another, in the order in which it counts."""

_PIXELS = ("camera", "detector", "size", "area", "binning", "channels")
"""Traits of the pixels themselves: a master that differs in another trait is near."""


@dataclass(kw_only=True)
class Candidate:
    """A master, made or to be made."""

    name: str
    traits: Traits
    frames: int = 1
    """How many were averaged."""
    own: bool = True
    """Of this night."""
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
    traits: Mapping[str, str] = field(default_factory=dict)
    """The trait in which each of those differs, where that is the reason."""
    failed: str = ""
    """Name of a master that would belong, if only it could have been made."""
    near: bool = False
    """Whether there are candidates of the frame's own pixels, however the camera was set."""
    differ: frozenset[str] = frozenset()
    """Traits in which those do not fit."""
    of_other_exposure: tuple[Candidate, ...] = ()
    """Darks that would fit, but for their exposure."""
    but_for_camera: bool = False
    """Whether one would fit if its camera were that of the frame under another name."""
    unsaid: tuple[str, ...] = ()
    """Traits that only one of the frame and the chosen master says."""


def match(wanted: Traits, candidates: Sequence[Candidate], matching: Matching) -> dict[str, Choice]:
    """The masters for a frame, by kind; those that its kind needs.

    A dark is chosen to go with the bias: where there is one, a dark that is free of it goes first.
    """
    choices: dict[str, Choice] = {}
    for kind in KINDS[wanted.kind].needs:
        alike = [candidate for candidate in candidates if candidate.traits.kind == kind]
        bias = choices.get("bias", Choice())
        choices[kind] = choose(wanted, alike, matching, has_bias=bias.chosen is not None)
    return choices


def stop_reason(kind: str, choices: Mapping[str, Choice], matching: Matching) -> str:
    """Why frames of a kind are left out, with these masters chosen for them; "" if they are not.

    They are where a master that belongs to them could not be made, and science frames where there
    are darks of their pixels, but none that fits.
    """
    for needed, choice in choices.items():
        if choice.chosen is None and choice.failed:
            return f"their master {choice.failed} failed"
        if choice.chosen is None and needed == "dark" and kind == "object" and choice.near:
            darks = "; ".join(in_few_words(choice.why_not, choice.traits, needed))
            return f"no dark fits ({darks}){_remedy(choice, matching)}"
    return ""


def _remedy(choice: Choice, matching: Matching) -> str:
    """Options that would let one of the masters pass."""
    remedies = []
    if "exposure" in choice.differ and matching.scale_dark != "any":
        larger = "any" if matching.scale_dark else "down or any"
        remedies.append(f"a dark of another exposure can be scaled: --scale-dark {larger}")
    if "temperature" in choice.differ:
        remedies.append("--temperature-tolerance allows for more")
    others = sorted(choice.differ - {"exposure", "temperature"})
    if others:
        remedies.append(f"--allow-mismatch {others[0]} if that does not matter")
    return "".join(f"; {remedy}" for remedy in remedies)


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
    traits: dict[str, str] = {}
    failed, near, but_for_camera = "", False, False
    any_camera = replace(matching, allow_mismatch={*matching.allow_mismatch, "camera"})
    differ: set[str] = set()
    of_other_exposure: list[Candidate] = []
    fitting: list[tuple[bool, Candidate]] = []
    banded = any(candidate.own and candidate.traits.filter for candidate in candidates)
    for candidate in candidates:
        own = candidate.traits
        is_near = reason_against(wanted, own, matching, _PIXELS) is None
        near = near or is_near
        mismatch = reason_against(wanted, own, matching)
        scaled = mismatch is not None and mismatch.trait == "exposure"
        reason = _reason_of_bias(own, has_bias) if mismatch is None or scaled else ""
        if mismatch is not None and scaled:
            mismatch = _reason_against_scaling(wanted, own, matching, mismatch, has_bias)
        if mismatch is not None and not reason:
            reason, traits[candidate.name] = str(mismatch), mismatch.trait
        if mismatch is not None and mismatch.trait == "exposure":
            of_other_exposure.append(candidate)
        if mismatch is not None and mismatch.trait == "camera":
            but_for_camera |= reason_against(wanted, own, any_camera) is None
        if mismatch is not None and is_near:
            differ.add(mismatch.trait)
        if not reason:
            reason = _reason_of_unsaid_filter(wanted, candidate, banded, matching)
        if not reason and candidate.failure:
            failed, reason = failed or candidate.name, f"could not be made: {candidate.failure}"
        if reason:
            why_not[candidate.name] = reason
        else:
            fitting.append((scaled, candidate))
    if not fitting:
        return Choice(
            why_not=why_not,
            traits=traits,
            failed=failed,
            near=near,
            differ=frozenset(differ),
            but_for_camera=but_for_camera,
            of_other_exposure=tuple(of_other_exposure),
        )
    # by name in the end, so that the order of the candidates never matters
    fitting.sort(key=lambda pair: (_rank(wanted, pair[0], pair[1], matching), pair[1].name))
    (scaled, chosen), *others = fitting
    best = _rank(wanted, scaled, chosen, matching)
    for also_scaled, candidate in others:
        ranks = zip(best, _rank(wanted, also_scaled, candidate, matching), _BETTER, strict=True)
        better = next((words for one, other, words in ranks if one != other), "comes first")
        why_not[candidate.name] = f"{FITS_TOO}, but {chosen.name} {better}"
    return Choice(
        chosen=chosen,
        scaled=scaled,
        why_not=why_not,
        traits=traits,
        near=near,
        unsaid=_unsaid(wanted, chosen.traits, matching),
    )


def _reason_against_scaling(
    wanted: Traits, own: Traits, matching: Matching, mismatch: Mismatch, has_bias: bool
) -> Mismatch | None:
    """Why a dark of another exposure cannot be scaled; None if it can."""
    if not matching.scale_dark or not own.exposure[0] > 0:
        return mismatch
    if own.holds_bias is not False and not has_bias:
        more = ", and it holds the bias, which does not grow with exposure"
    elif matching.scale_dark == "down" and own.exposure[0] < wanted.exposure[1]:
        more = ", which would scale it up"
    else:
        return None
    return Mismatch(trait="exposure", text=f"{mismatch}{more}")


def _reason_of_bias(own: Traits, has_bias: bool) -> str:
    if own.kind != "dark":
        return ""
    if own.holds_bias is None:
        return (
            "nobody says whether its bias was subtracted; if it was, CALSTAT = 'B' in its header "
            "says so, if not, ZEROCOR = 'no'"
        )
    if not has_bias and not own.holds_bias:
        return "its bias was subtracted, and no bias fits the frames"
    return ""


def _reason_of_unsaid_filter(
    wanted: Traits, candidate: Candidate, banded: bool, matching: Matching
) -> str:
    """Why flats that do not say their filter do not serve a known band, where others say theirs."""
    own = candidate.traits
    counts = "filter" in KINDS[own.kind].serves and "filter" not in matching.allow_mismatch
    if not counts or own.filter or not wanted.filter or not (banded and candidate.own):
        return ""
    return (
        f"it does not say its filter (FILTER), as other flats do, and may be of another than "
        f"{wanted.filter}; --allow-mismatch filter takes it all the same"
    )


def _unsaid(wanted: Traits, own: Traits, matching: Matching) -> tuple[str, ...]:
    """Traits that only one of the two says, of those that have to agree."""
    counted = [name for name in KINDS[own.kind].serves if name not in matching.allow_mismatch]
    names = [name for name in counted if name not in ("size", "area", "channels", "unit", "egain")]
    here, there = set(wanted.known(names)), set(own.known(names))
    return tuple(sorted(here ^ there))


def _rank(
    wanted: Traits, scaled: bool, candidate: Candidate, matching: Matching
) -> tuple[float, ...]:
    """Least is best: unscaled, of this night, least noise, nearest in temperature, then in time."""
    own = candidate.traits
    # variance of a dark that is scaled, where darks differ by their exposure and number only
    noise = (wanted.exposure[1] / own.exposure[0]) ** 2 / candidate.frames if scaled else 0.0
    apart = abs(own.temperature - wanted.temperature)
    later = float((own.time - wanted.time) / np.timedelta64(1, "s"))
    if math.isnan(later):
        later = math.inf
    newer = float(matching.prefer == "older" and later > 0)
    temperature = 0.0 if math.isnan(apart) or not candidate.own else apart
    unknown = math.isnan(apart) + (own.filter == "" != wanted.filter)
    holds = own.kind == "dark" and own.holds_bias is True
    return (scaled, not candidate.own, holds, noise, unknown, temperature, newer, abs(later))
