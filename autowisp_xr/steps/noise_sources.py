"""Names of the masters whose noise frames share, which show what frames have in common.

A coordinate on ``frame`` beside each plane of shared noise names the masters by their identities:
``shared_variance_from`` those that were subtracted, ``shared_relative_variance_from`` flats. Frames
of one night and of another have the noise of a master in common where both were corrected by it, in
whatever order they come; the noise of other masters is another. What has no history is "unnamed",
and one for all. A name begins with "?" where the master was not found, and how much it lends is not
known.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance
from autowisp_xr.errors import AutowispWarning, ImageMismatchError
from autowisp_xr.schema import LOST, SHARED, along_frames

UNNAMED = "unnamed"
"""A master without a history."""

_STILL_THIS = ("rescale", "subtract_bias", "trim")
"""What is done to a master on the way into a pass; its noise is still that of the master."""


def noise_sources_of(ds: xr.Dataset, plane: str) -> list[str]:
    """Return names of the masters that lend each frame a noise, in one text; "" for none."""
    texts = along_frames(ds, SHARED[plane], UNNAMED if plane in ds else "")
    return [str(text) for text in texts.tolist()]


def noise_sources(texts: Sequence[str]) -> str:
    """Return all the masters that are named in some texts, in one."""
    return " ".join(sorted({name for text in texts for name in text.split()}))


def groups_of(ds: xr.Dataset, plane: str) -> Any:
    """Return the number of the group in which each frame shares a noise; None for one group.

    Raises
    ------
    ImageMismatchError
        Where frames have the noise of different masters, and there is one plane for all.

    Warns
    -----
    AutowispWarning
        Where frames have only some of their masters in common: they count as sharing all of it.
    """
    texts = noise_sources_of(ds, plane)
    if plane not in ds or len(set(texts)) == 1:
        return None
    if "frame" not in ds[plane].dims:
        raise ImageMismatchError(
            f"frames of several nights or sets, corrected by different masters, have one {plane!r} "
            "for all, as after xr.concat, which takes that of the first set alone; join the sets "
            "by aw.concat([one, other])"
        )
    numbers = numbered(texts)
    return np.array([numbers[text] for text in texts])


def numbered(texts: Sequence[str]) -> dict[str, int]:
    """Return the number of the group of each text: those that have a name in common are of one.

    Warns
    -----
    AutowispWarning
        Where they have only some of their names in common.
    """
    parts = {text: set(text.split()) for text in texts}
    groups: list[set[str]] = []
    for names in parts.values():
        joined = [group for group in groups if group & names]
        groups = [group for group in groups if not group & names]
        groups.append(names.union(*joined))
    numbers = {
        text: next(i for i, group in enumerate(groups) if names <= group and (names or not group))
        for text, names in parts.items()
    }
    if len(set(numbers.values())) < len(parts):
        warnings.warn(
            f"some frames share a part of their masters ({', '.join(sorted(parts))}): the "
            "variance of their stack is that of frames which share all of them, an upper limit; "
            "calibrate them with the same masters for a true one",
            AutowispWarning,
            stacklevel=5,
        )
    return numbers


def warn_if_lost(ds: xr.Dataset) -> None:
    """Warn of frames that share noise of masters that were not found."""
    named = noise_sources(
        [text for plane in SHARED for text in noise_sources_of(ds, plane)]
    ).split()
    lost = [name.removeprefix(LOST) for name in named if name.startswith(LOST)]
    if lost:
        called = _called(ds)
        listed = ", ".join(sorted(called.get(name, name) for name in lost))
        warnings.warn(
            f"the frames share the noise of masters that were not found ({listed}), so that the "
            "variance of their stack is too small by it; put the files of the masters beside the "
            "frames, or into masters/, and open the frames again by aw.open_fits",
            AutowispWarning,
            stacklevel=4,
        )


def _called(ds: xr.Dataset) -> dict[str, str]:
    """Return what people call masters, by their names: kinds, and files where known."""
    called = {}
    for step in provenance.history(ds):
        for kind, made in step.get("masters", {}).items():
            files = [str(file["path"]) for file in step.get("files", {}).get(kind, {}).values()]
            called[made] = f"{kind} {', '.join(files) or made}"
    return called


def noise_source(master: xr.Dataset) -> set[str]:
    """Return the name of a master that has noise; none of others."""
    if "variance" not in master:
        return set()
    made = [step for step in provenance.history(master) if step.get("verb") not in _STILL_THIS]
    return {provenance.identity(provenance.with_history(master, made)) if made else UNNAMED}
