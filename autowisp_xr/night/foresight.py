"""What will become of the frames of a night, if all masters can be made."""

from collections.abc import Iterator, Mapping, Sequence

from autowisp_xr.io import FileRecord
from autowisp_xr.night.matching import Candidate, Choice, Matching, match
from autowisp_xr.night.sets import FrameSet
from autowisp_xr.night.traits import traits_of

__all__ = ["by_setup", "candidate_of", "choices_of_frames", "foresee"]


def foresee(
    sets: Sequence[FrameSet], others: Sequence[Candidate], matching: Matching
) -> dict[str, dict[str, Choice]]:
    """By the path of each frame the masters that it will get.

    Parameters
    ----------
    sets
        As :func:`~autowisp_xr.night.sort_frames` gives them.
    others
        Masters of other nights.
    matching
        Tolerances and preferences.
    """
    candidates = list(others)
    choices: dict[str, dict[str, Choice]] = {}
    for kind in ("bias", "dark", "flat", "object"):
        for one in (one for one in sets if one.traits.kind == kind):
            if kind == "object":
                choices |= {
                    record.path: found
                    for record, found in choices_of_frames(one, candidates, matching)
                }
                continue
            found = match(one.traits, candidates, matching)
            choices |= {record.path: found for record in one.records}
            candidates.append(candidate_of(one, found))
    return choices


def choices_of_frames(
    one: FrameSet, candidates: Sequence[Candidate], matching: Matching
) -> Iterator[tuple[FileRecord, dict[str, Choice]]]:
    """Each science frame of a set, and the masters for it: they choose one by one."""
    for record in one.records:
        traits = traits_of("object", [record], one.traits.setup)
        yield record, match(traits, candidates, matching)


def candidate_of(one: FrameSet, choices: Mapping[str, Choice]) -> Candidate:
    """The master of a set, which is corrected by these masters itself."""
    return Candidate(
        name=one.path,
        traits=one.traits,
        frames=len(one.records),
        bias_free=choices["bias"].chosen is not None if one.traits.kind == "dark" else None,
    )


def by_setup(sets: Sequence[FrameSet]) -> dict[str, list[FrameSet]]:
    """By the place of each setup the sets taken in it, or in what may be the same.

    A bias that does not name its camera is of any camera of its size.
    """
    setups = {one.place: one.traits.setup for one in sets}
    return {
        place: [one for one in sets if not one.traits.setup.reason_against(setup)]
        for place, setup in setups.items()
    }
