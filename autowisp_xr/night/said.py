"""What headers say of gain and read noise, and in which files."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from autowisp_xr.frames import FileRecord
from autowisp_xr.headers.cards import value_of
from autowisp_xr.headers.spellings import Spellings

__all__ = ["card", "disagreement", "said_by"]

_ALIKE = 1e-3
"""Relative difference within which two headers say the same."""

_CARDS = {"gain": "electrons_per_adu", "read_noise": "read_noise"}


def said_by(records: Sequence[FileRecord], name: str) -> dict[float, list[str]]:
    """What headers say, and the files of each value."""
    said: dict[float, list[str]] = {}
    for record in records:
        value = record.facts.get(name)
        if value is None:
            continue
        near = (known for known in said if math.isclose(known, value, rel_tol=_ALIKE))
        said.setdefault(next(near, float(value)), []).append(record.path)
    return said


def card(records: Sequence[FileRecord], name: str) -> str:
    """The card that says it, as it is called in these headers."""
    names = getattr(Spellings(), _CARDS[name])
    found = (card for record in records for card in names if value_of(record.header, card))
    return next(found, names[0])


def disagreement(name: str, said: Mapping[float, Sequence[str]]) -> str:
    """That headers do not agree, with all values and files."""
    values = " and ".join(
        f"{value:g} ({_files(paths)})" for value, paths in sorted(said.items(), reverse=True)
    )
    return f"the headers disagree on the {name.replace('_', ' ')}: {values}"


def _files(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{Path(paths[0]).name}{more}"
