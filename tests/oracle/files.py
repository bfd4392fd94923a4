"""What comes out of files and headers: planes of products, names of raw frames, merged headers."""

from typing import Any

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr.frames.names import raw_name
from autowisp_xr.headers.cards import common_header
from tests.oracle.case import Case


def product(case: Case) -> None:
    expected = case.json("expected.json")
    path = case.path / case.params["file"]
    if expected["error"] is not None:
        with pytest.raises(getattr(aw, expected["error"])) as raised:
            aw.open_fits(path)
        case.compare("error", type(raised.value).__name__, expected["error"])
        return
    # single precision would round the square of the error
    ds = aw.open_fits(path, dtype="float64").isel(frame=0, channel=0)
    planes = {"image": ds["image"].values}
    if "variance" in ds:
        planes["error"] = np.sqrt(ds["variance"].values)
    if "mask" in ds:
        planes["mask"] = ds["mask"].values
    missing = [name for name in ("error", "mask") if name not in planes]
    case.compare("missing planes", missing, sorted(expected["missing"]))
    case.compare_all(planes)


def rawfname(case: Case) -> None:
    for entry in case.json("expected.json"):
        path = entry["path"]
        case.compare(f"RAWFNAME of {path}", raw_name(path), entry["RAWFNAME"])


def header_merge(case: Case) -> None:
    expected = case.json("expected.json")
    merged = common_header(_header(cards) for cards in case.params["headers"])
    found = [[card.keyword, _plain(card.value), card.comment] for card in merged.cards]
    case.compare("cards", np.array(found, object), np.array(expected["cards"], object))
    case.compare("absent", [name for name in expected["absent"] if name in merged], [])


def _header(cards: list[list[Any]]) -> fits.Header:
    header = fits.Header()
    for keyword, value, comment in cards:
        # the standard has eight letters; for more, astropy wants to be told
        name = keyword if len(keyword) <= 8 else f"HIERARCH {keyword}"
        header.append(fits.Card(name, value, comment), end=True)
    return header


def _plain(value: Any) -> Any:
    return None if isinstance(value, fits.card.Undefined) else value
