"""What will become of the frames of a night, if all masters can be made."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from autowisp_xr.camera import Camera
from autowisp_xr.frames import FileRecord
from autowisp_xr.kinds import KINDS
from autowisp_xr.matching import Matching, reason_against
from autowisp_xr.night.choosing import Candidate, Choice, match
from autowisp_xr.night.sets import FrameSet
from autowisp_xr.night.setups import SETTING
from autowisp_xr.traits import Traits

__all__ = [
    "by_setup",
    "camera_with_colours",
    "candidate_of",
    "choices_of_frames",
    "doubts_of_choices",
    "foresee",
]


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
    for kind in KINDS.values():
        for one in (one for one in sets if one.traits.kind == kind.name):
            if not kind.master_unit:
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
        own = Traits.of(record.coordinates)
        traits = replace(
            one.traits, exposure=own.exposure, temperature=own.temperature, time=own.time
        )
        yield record, match(traits, candidates, matching)


def candidate_of(one: FrameSet, choices: Mapping[str, Choice]) -> Candidate:
    """The master of a set, which is corrected by these masters itself."""
    traits = one.traits
    if traits.kind == "dark":
        traits = replace(traits, holds_bias=choices["bias"].chosen is None)
    return Candidate(name=one.path, traits=traits, frames=len(one.records))


def doubts_of_choices(choices: Mapping[str, Mapping[str, Choice]]) -> list[str]:
    """A line for what only some of the frames and their masters say, and that is taken to fit.

    Parameters
    ----------
    choices
        By the path of each frame what was chosen for it.
    """
    frames: dict[tuple[str, tuple[str, ...]], int] = {}
    for of_frame in choices.values():
        for choice in of_frame.values():
            if choice.chosen is not None and choice.unsaid:
                key = (choice.chosen.name, choice.unsaid)
                frames[key] = frames.get(key, 0) + 1
    return [
        f"{master} and {number} frame{'' if number == 1 else 's'} that it corrects: only one side "
        f"says {', '.join(name.replace('_', ' ') for name in traits)}, and they are taken to fit; "
        f"--allow-mismatch {traits[0]} if that does not matter"
        for (master, traits), number in frames.items()
    ]


def camera_with_colours(sets: Sequence[FrameSet], camera: Camera | None) -> Camera | None:
    """The camera of frames of one setup, some of which may not say its Bayer pattern."""
    channels = next((one.traits.channels for one in sets if one.traits.channels), None)
    silent = any(record.facts.get("channels") is None for one in sets for record in one.records)
    if channels is None or not silent or (camera and camera.channels):
        return camera
    return replace(camera or Camera(), channels=dict(channels))


def by_setup(sets: Sequence[FrameSet]) -> dict[str, list[FrameSet]]:
    """By the place of each setup the sets taken in it, or in what may be the same.

    A bias that does not name its camera is of any camera of its size.
    """
    setups = {one.place: one.traits for one in sets}
    return {
        place: [one for one in sets if not reason_against(setup, one.traits, names=SETTING)]
        for place, setup in setups.items()
    }
