"""Files that lie among frames and are not read: images in other formats, FITS by another name."""

import os
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from autowisp_xr.fits.units import MAGIC
from autowisp_xr.frames.names import bare_name

_OTHER = "of a format that is not FITS"
_PACKED = "packed otherwise than by gzip, bzip2 or fpack"
_UNNAMED = "with a FITS image under another name"
_REMEDIES = {
    _OTHER: "convert them to FITS first, as Siril does",
    _PACKED: "unpack them first",
    _UNNAMED: "if they are frames, let their names end in .fits",
}
_ENDINGS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
_PACKINGS = re.compile(r"\.(fits|fit|fts)\.(xz|z|zip|7z|zst|lz4|rar)\Z", re.IGNORECASE)


def describe_others(others: Iterable[str], files: Iterable[str]) -> list[str]:
    """A line for each kind of files that are passed over, though they may hold frames.

    Parameters
    ----------
    others
        Paths of the files that lie beside those which are read. Of an ending that nobody knows, the
        first bytes are looked at.
    files
        Paths of the files that are read; what is named like one of them is a copy of it.

    Returns
    -------
    Their number by ending, and what can be done; nothing for previews, texts and the like.
    """
    found: dict[str, Counter[str]] = {}
    named = {_place(path) for path in files}
    for path in others:
        ending = os.path.splitext(path)[1]
        kind = _kind(path, ending[1:].lower())
        if kind and not (kind == _UNNAMED and not named.isdisjoint(_places(path))):
            found.setdefault(kind, Counter())[ending or "no ending"] += 1
    return [
        f"passed over {counts.total()} file{'' if counts.total() == 1 else 's'} {kind} "
        f"({_listed(counts)}): they take no part; {_REMEDIES[kind]}"
        for kind, counts in found.items()
    ]


def _kind(path: str, ending: str) -> str:
    if ending in _ENDINGS["images"]:
        return _OTHER
    if _PACKINGS.search(path):
        return _PACKED
    return "" if ending in _ENDINGS["nothing"] or not _holds_image(path) else _UNNAMED


def _holds_image(path: str) -> bool:
    """Whether it begins like a FITS file with pixels in its first unit."""
    try:
        with open(path, "rb") as file:
            start = file.read(2880)
    except OSError:
        return False
    axes = re.search(rb"NAXIS   = +([1-9]\d*) ", start)
    return start.startswith(MAGIC) and axes is not None


def _places(path: str) -> Iterator[str]:
    """What a file may be a copy of: "a.fits" of "a.fits.bak", "a" of "a.new"."""
    stem = path
    while os.path.splitext(stem)[1]:
        stem = os.path.splitext(stem)[0]
        yield _place(stem)


def _place(path: str) -> str:
    return os.path.join(os.path.dirname(path), bare_name(path))


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{number} {ending}" for ending, number in sorted(counts.items()))
