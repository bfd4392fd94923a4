"""The choice of a master for a frame, with a reason against each other: judged, then ranked."""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from operator import attrgetter
from typing import Any, NamedTuple, Self

import numpy as np
import xarray as xr

from autowisp_xr.kinds import KINDS
from autowisp_xr.matching import (
    Matching,
    Mismatch,
    one_side_adds_up,
    reason_against,
    reason_against_scaling,
)
from autowisp_xr.matching.traits import Traits
from autowisp_xr.night.sentences import in_few_words, sentence

_FITS_TOO = "fits too"
"""How the reason begins against a master that another goes before."""

COADDS = "coadds"
NOT_MADE = "could not be made: "
"""How the reason begins against a master that failed."""

_UNSCALABLE = {
    "scaled up": ", which would scale it up",
    "holds bias": ", and it holds the bias, which does not grow with exposure",
}
"""What is said of a dark of another exposure that cannot be scaled, beside the exposures."""

_PIXELS = ("camera", "detector", "size", "area", "binning", "channels")
"""Traits of the pixels themselves: a master that differs in another trait is near."""


@dataclass(frozen=True, kw_only=True)
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
    """Gives the master; None of this night, for it has to be made first."""


class Refusal(NamedTuple):
    """A candidate that is not taken, and the reason."""

    candidate: Candidate
    text: str
    mismatch: Mismatch | None = None
    """In which trait it differs, where scaling does not make up for it."""
    near: bool = True
    """Whether it has the frame's own pixels, however the camera was set."""
    but_for_camera: bool = False
    """Whether it would fit if its camera were that of the frame under another name."""

    @property
    def trait(self) -> str:
        """The trait in which it differs; "" where it does in none."""
        return self.mismatch.trait if self.mismatch else ""


@dataclass(frozen=True)
class Choice:
    """The master of one kind for a frame."""

    chosen: Candidate | None = None
    scaled: bool = False
    """Whether a dark has to be scaled."""
    refused: Mapping[str, Refusal] = field(default_factory=dict)
    """The other candidates of the kind, by their names."""
    unstated: tuple[str, ...] = ()
    """Traits that only one of the frame and the chosen master states."""
    undecided: tuple[Refusal, ...] = ()
    """Those that fit as well and differ from the chosen one in what the frame does not state."""

    @property
    def why_not(self) -> dict[str, str]:
        """The reason against each of the others."""
        return {name: one.text for name, one in self.refused.items()}

    def against(self, kind: str) -> list[str]:
        """Report in a few words what keeps masters of the kind away that do not fit."""
        unfit = [one for one in self.refused.values() if not one.text.startswith(_FITS_TOO)]
        reasons = {one.candidate.name: one.text for one in unfit}
        traits = {one.candidate.name: one.trait for one in unfit if one.text == str(one.mismatch)}
        return in_few_words(reasons, traits, kind)


Choices = Mapping[str, Choice]
"""The masters for a frame, by kind."""


class Judge:
    """Chooses masters for many frames; those that differ in time only are judged once.

    A night has thousands of lights and a hundred masters, but few traits that count.
    """

    def __init__(self, matching: Matching) -> None:
        self._matching = matching
        self._numbers: dict[Hashable, int] = {}
        self._judged: dict[Hashable, _Judged] = {}
        self._of_kind: dict[Hashable, tuple[list[Candidate], tuple[str, ...]]] = {}

    def match(
        self, wanted: Traits, candidates: Sequence[Candidate], time: np.datetime64 | None = None
    ) -> dict[str, Choice]:
        """Choose the masters that a frame needs, by kind; of a time, where it differs in that.

        A dark is chosen to go with the bias: where there is one, a dark that is free of it goes
        first. Candidates only ever come to those of an earlier call, behind them.
        """
        time = wanted.time if time is None else time
        # no trait that a master serves for, but the reasons name cards
        setting = _SETTING(wanted), *wanted.cards.items()
        number = self._numbers.setdefault(setting, len(self._numbers))
        choices: dict[str, Choice] = {}
        for kind in KINDS[wanted.kind].needs:
            has_bias = choices.get("bias", Choice()).chosen is not None
            alike, counted = self._alike(kind, candidates)
            own = (getattr(wanted, name) for name in counted)
            key = number, kind, has_bias, len(candidates), *own
            if key not in self._judged:
                self._judged[key] = _Judged.of(wanted, alike, self._matching, has_bias)
            choices[kind] = self._judged[key].choice(wanted, time, expected_only=True)
        for kind in KINDS[wanted.kind].takes:
            given, _ = self._alike(kind, candidates)
            choice = (
                choose(replace(wanted, time=time), given, self._matching) if given else Choice()
            )
            choices |= {kind: choice} if choice.chosen else {}
        return choices

    def _alike(
        self, kind: str, candidates: Sequence[Candidate]
    ) -> tuple[list[Candidate], tuple[str, ...]]:
        """Return the candidates of a kind, and what of each frame counts for them."""
        key = kind, len(candidates)
        if key not in self._of_kind:
            alike = [one for one in candidates if KINDS[one.traits.kind].place == kind]
            serves = {name for one in alike for name in KINDS[one.traits.kind].serves}
            self._of_kind[key] = alike, tuple(name for name in _OF_FRAME if name in serves)
        return self._of_kind[key]


_OF_FRAME = ("exposure", "temperature")
"""Traits that are not alike in all frames of a set."""

_SETTING = attrgetter(
    *(
        one.name
        for one in fields(Traits)
        if one.compare and one.name not in (*_OF_FRAME, "night", "target")
    )
)


def choose(
    wanted: Traits, candidates: Sequence[Candidate], matching: Matching, *, has_bias: bool = False
) -> Choice:
    """Choose the best of candidates of one kind, and state the reason against each of the others.

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
    return _Judged.of(wanted, candidates, matching, has_bias).choice(wanted, wanted.time)


@dataclass(frozen=True)
class _Judged:
    """Candidates of one kind, judged for frames that differ in time only."""

    matching: Matching
    fitting: Sequence[tuple[bool, Candidate]]
    """Those that fit, and whether they have to be scaled."""
    ranks: Sequence[Sequence[float]]
    """Of each of them, but for those by temperature and time."""
    times: np.ndarray[Any, Any]
    refused: Mapping[str, Refusal]
    _known: dict[Hashable, Choice] = field(default_factory=dict)
    """Choices that were made: frames share what is the same."""

    @classmethod
    def of(
        cls,
        wanted: Traits,
        candidates: Sequence[Candidate],
        matching: Matching,
        has_bias: bool,
    ) -> Self:
        """Judge candidates."""
        banded = any(one.own and one.traits.filter for one in candidates)
        refused: dict[str, Refusal] = {}
        fitting: list[tuple[bool, Candidate]] = []
        for candidate in candidates:
            scaled, refusal = _judged(wanted, candidate, matching, has_bias, banded)
            if refusal is None:
                fitting.append((scaled, candidate))
            else:
                refused[candidate.name] = refusal
        ranks = [_ranks(wanted, *one) for one in fitting]
        times = np.array([one.traits.time for _, one in fitting], "datetime64[ns]")
        return cls(matching, fitting, ranks, times, refused)

    def choice(self, wanted: Traits, time: np.datetime64, *, expected_only: bool = False) -> Choice:
        """Choose for a frame of a time.

        ``expected_only`` leaves out what was made for other frames: it is none that could have been
        expected to fit.
        """
        keys = self._keys(wanted, time) if len(self.fitting) > 1 else [()] * len(self.fitting)
        order = sorted(range(len(keys)), key=keys.__getitem__)
        better = [_better(keys[order[0]], keys[i]) for i in order[1:]]
        key = expected_only, *zip(order[1:], better, strict=True)
        if key not in self._known:
            others = {}
            for i, words in zip(order[1:], better, strict=True):
                first, one = self.fitting[order[0]][1], self.fitting[i][1]
                others[one.name] = Refusal(one, f"{_FITS_TOO}, but {first.name} {words}")
            refused = {
                name: one
                for name, one in {**self.refused, **others}.items()
                if not expected_only
                or KINDS[one.candidate.traits.kind].made_for in ("", wanted.kind)
            }
            self._known[key] = Choice(refused=refused)
            for scaled, chosen in (self.fitting[i] for i in order[:1]):
                equal = [i for i in order[1:] if keys[i][:_BY_FIT] == keys[order[0]][:_BY_FIT]]
                rivals = [self.fitting[i][1] for i in equal if self.fitting[i][1].name in refused]
                undecided = _undecided(wanted, chosen, rivals, self.matching)
                doubtful = {one.trait for one in undecided}
                unstated = _unstated(wanted, chosen.traits, self.matching)
                unstated = tuple(name for name in unstated if name not in doubtful)
                self._known[key] = Choice(chosen, scaled, refused, unstated, undecided)
        return self._known[key]

    def _keys(self, wanted: Traits, time: np.datetime64) -> list[tuple[Any, ...]]:
        """Return what those that fit are ordered by for a frame of a time, and its temperature."""
        later = ((self.times - time) / np.timedelta64(1, "s")).tolist()
        apart = [math.inf if math.isnan(seconds) else seconds for seconds in later]
        older = self.matching.prefer == "older"
        keys = []
        for (_, one), (*ranks, unknown), seconds in zip(
            self.fitting, self.ranks, apart, strict=True
        ):
            degrees = abs(one.traits.temperature - wanted.temperature)
            nearer = degrees if one.own and degrees == degrees else 0.0
            by_time = older and seconds > 0, abs(seconds)
            # by name in the end, so that the order of the candidates never matters
            keys.append((*ranks, unknown + (degrees != degrees), nearer, *by_time, one.name))
        return keys


def _judged(
    wanted: Traits, candidate: Candidate, matching: Matching, has_bias: bool, banded: bool
) -> tuple[bool, Refusal | None]:
    """Judge whether a candidate has to be scaled, and what speaks against it."""
    own = candidate.traits
    if KINDS[own.kind].made_for not in ("", wanted.kind):
        matching = replace(matching, scale_dark=False)
    mismatch = reason_against(wanted, own, matching)
    scaled = mismatch is not None and mismatch.trait == "exposure"
    reason = _reason_of_bias(own, has_bias) if mismatch is None or scaled else ""
    if mismatch is not None and scaled:
        holds_bias = own.holds_bias is not False and not has_bias
        found = reason_against_scaling(
            wanted.exposure, own.exposure[0], matching, holds_bias=holds_bias
        )
        more = _UNSCALABLE.get(found[0], "") if found else ""
        mismatch = replace(mismatch, text=f"{mismatch}{more}") if found else None
    reason = (
        reason
        or str(mismatch or "")
        or _reason_of_unstated_filter(wanted, candidate, banded, matching)
        or (candidate.failure and f"{NOT_MADE}{candidate.failure}")
    )
    if not reason:
        return scaled, None
    near = reason_against(wanted, own, matching, _PIXELS) is None
    but_for_camera = False
    if mismatch is not None and mismatch.trait == "camera":
        allowed = {*matching.allow_mismatch, "camera"}
        any_camera = replace(matching, allow_mismatch=allowed)
        but_for_camera = reason_against(wanted, own, any_camera) is None
    return scaled, Refusal(candidate, reason, mismatch, near, but_for_camera)


def _reason_of_bias(own: Traits, has_bias: bool) -> str:
    """State why a dark does not go with the bias of the frames, or their lack of one."""
    if KINDS[own.kind].place != "dark":
        return ""
    if own.holds_bias is None:
        return sentence("bias_unstated")
    if not has_bias and not own.holds_bias:
        return "its bias was subtracted, and no bias fits the frames"
    return ""


def _reason_of_unstated_filter(
    wanted: Traits, candidate: Candidate, banded: bool, matching: Matching
) -> str:
    """State why flats without a filter do not serve a known band, where others state theirs."""
    own = candidate.traits
    counts = "filter" in KINDS[own.kind].serves and "filter" not in matching.allow_mismatch
    if not counts or own.filter or not wanted.filter or not (banded and candidate.own):
        return ""
    return sentence("filter_unstated", filter=wanted.filter)


def _unstated(wanted: Traits, own: Traits, matching: Matching) -> tuple[str, ...]:
    """List the traits that only one of the two states, of those that have to agree."""
    counted = [name for name in KINDS[own.kind].serves if name not in matching.allow_mismatch]
    names = [name for name in counted if name not in ("size", "area", "channels", "unit", "egain")]
    one_side = set(wanted.known(names)) ^ set(own.known(names))
    if not one_side_adds_up(wanted, own):
        one_side.discard(COADDS)
    return tuple(sorted(one_side))


def _undecided(
    wanted: Traits, chosen: Candidate, rivals: Sequence[Candidate], matching: Matching
) -> tuple[Refusal, ...]:
    """Return those that differ from the chosen one in a trait that the frame does not state."""
    serves = KINDS[chosen.traits.kind].serves
    names = set(serves) - set(wanted.known(serves)) - {"size", "area", "unit"}
    found = []
    for one in rivals:
        mismatch = reason_against(chosen.traits, one.traits, matching, sorted(names))
        found += [Refusal(one, str(mismatch), mismatch)] if mismatch else []
    return tuple(found)


_BETTER = (
    "needs no scaling",
    "is of this night",
    "is made for such frames",
    "is free of the bias",
    "adds less noise",
    "is known to fit",
    "is nearer in temperature",
    "is older",
    "is nearer in time",
)
"""What makes one master go before another, in the order in which it counts."""
_BY_FIT = 3
"""So many of them count for more than that a frame does not state in what masters differ."""


def _better(best: Sequence[object], other: Sequence[object]) -> str:
    """State by what one goes before another, given the ranks of both, and their names."""
    for words, one, two in zip(_BETTER, best, other, strict=False):
        if one != two:
            return words
    return "comes first"


def _ranks(wanted: Traits, scaled: bool, candidate: Candidate) -> tuple[float, ...]:
    """Return the ranks of a master in the first of :data:`_BETTER`: the least is best.

    The last is by what is not known of it, but for its temperature.
    """
    own = candidate.traits
    return (
        scaled,
        not candidate.own,
        {wanted.kind: 0, "": 1}.get(KINDS[own.kind].made_for, 2),
        KINDS[own.kind].place == "dark" and own.holds_bias is True,
        # variance of a dark that is scaled, where darks differ by their exposure and number only
        (wanted.exposure[1] / own.exposure[0]) ** 2 / candidate.frames if scaled else 0.0,
        own.filter == "" != wanted.filter,
    )
