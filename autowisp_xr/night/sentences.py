"""What a night reports, in one table of sentences: ``sentences.toml``."""

import tomllib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from autowisp_xr.night.summarised_lines import some_of

DOUBT = "DOUBT: "
"""How a sentence about something that may be wrong begins."""

_SENTENCES = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


def sentence(name: str, /, **values: object) -> str:
    """Return a sentence of the table, with its values put in.

    Examples
    --------
    >>> sentence("no_good_pixel", frames="a.fits")
    'DOUBT: no pixel is good in a.fits'
    """
    return str(_SENTENCES[name]).format(**values)


class Doubts:
    """The doubts about a product, a line each, and about each of its frames.

    Parameters
    ----------
    frames
        Their names; none for a master.
    """

    def __init__(self, frames: Sequence[str] = ()) -> None:
        self.notes: list[str] = []
        self.levels: dict[str, tuple[float, float]] = {}
        """Of frames that were looked at, by the paths of their files: sky and noise of a pixel."""
        self._names = list(frames)
        self._of_frames: list[list[str]] = [[] for _ in frames]

    def add(self, name: str, which: ArrayLike | None = None, **values: object) -> None:
        """Add a sentence of the table about some frames; None: about all, or a master."""
        about = range(len(self._names)) if which is None else np.flatnonzero(which).tolist()
        frames = some_of([self._names[i] for i in about], len(self._names))
        self.notes.append(sentence(name, frames=frames, **values))
        for i in about:
            self._of_frames[i].append(self.notes[-1])

    def marked(self, made: xr.Dataset, notes: Sequence[str]) -> xr.Dataset:
        """Give a product its doubts as the coordinate ``doubts``, which goes to its header.

        Parameters
        ----------
        made
            The product.
        notes
            Other lines about all of it, of which those count that are doubts.
        """
        common = [note for note in notes if note.startswith(DOUBT)]
        of_each = self._of_frames if self._names else [self.notes]
        texts = ["\n".join([*lines, *common]) for lines in of_each]
        if not any(texts):
            return made
        dims, values = (("frame",), texts) if self._names else ((), texts[0])
        return made.assign_coords(doubts=(dims, np.array(values, dtype=np.dtypes.StringDType())))
