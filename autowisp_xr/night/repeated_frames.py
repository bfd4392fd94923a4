"""Frames of several times that have the same pixels: a driver gave one exposure again."""

from collections.abc import Mapping, Sequence

import numpy as np

from autowisp_xr import frames
from autowisp_xr.night.frame_sets import FrameSet
from autowisp_xr.night.sentences import sentence
from autowisp_xr.night.summarised_lines import by_key, some_of


def doubts_on_repeats(
    sets: Sequence[FrameSet], levels: Mapping[str, tuple[float, float]]
) -> list[str]:
    """Report frames of one set whose pixels are the same, a line for each exposure.

    Parameters
    ----------
    sets
        Of the night, without copies of one exposure.
    levels
        Level and noise of frames, by the paths of their files, as their pixels were looked at
        anyway: those of the same pixels are equal to the bit, and only these are read.
    """
    doubts = []
    for one in sets:
        known = [r for r in one.records if np.isfinite(levels.get(r.path, np.nan)).all()]
        for alike in by_key(known, lambda record: levels[record.path]).values():
            for same in frames.same_pixels(alike) if len(alike) > 1 else ():
                names = some_of([record.name for record in same], len(one.records))
                file = same[-1].path.rpartition("/")[2]
                doubts.append(sentence("repeated", frames=names, name=one.path, file=file))
    return doubts
